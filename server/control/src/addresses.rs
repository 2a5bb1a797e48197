//! All about one address: its pool, its holder, its history. Asked of addresses that nobody holds, too.

use netloom_model::lease::{AddressReport, AddressState};
use netloom_store::{leases, pools};

use crate::command::GetAddress;
use crate::control::Control;
use crate::error::Error;
use crate::leases::answered;
use crate::principal::Authorized;

/// How many holdings an answer has.
const HISTORY: u32 = 100;

impl Control {
    /// Asks all about one address. The list has one entry per place that knows it: with one node, exactly one.
    ///
    /// # Errors
    /// An unreadable store.
    pub async fn get_address(&self, c: Authorized<GetAddress>) -> Result<Vec<AddressReport>, Error> {
        let GetAddress { address, at } = c.into_parts().0;
        let node = self.inner.store.node_id();
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let lease = leases::by_address(tx, address).await?;
                let pool = pools::containing(tx, address).await?;
                let history = leases::history(tx, address, HISTORY).await?;
                let held_at = match at {
                    Some(at) => leases::held_at(tx, address, at).await?,
                    None => None,
                };
                Ok::<_, Error>((lease, pool, history, held_at))
            })
        });
        let (lease, pool, history, held_at) = read.await?;
        let state = match (&lease, &pool) {
            (Some(_), _) => AddressState::Held,
            (None, Some(_)) => AddressState::Free,
            (None, None) => AddressState::Unmanaged,
        };
        let (pool, network) = pool.unzip();
        Ok(vec![AddressReport {
            address: address.to_string(),
            state,
            node,
            network,
            network_id: pool.as_ref().map(|pool| pool.network_id),
            subnet: pool.as_ref().map(|pool| pool.subnet.to_string()),
            pool: pool.map(|pool| pool.key),
            lease: lease.filter(|_| at.is_none()).map(answered),
            held_at,
            history,
        }])
    }
}
