//! Hearing of what others do to the chains that decide about what our table let pass. Docker changes its tables with every container:
//! only chains at the forward hook, those that they lead into, and DOCKER-USER are told of.
//!
//! What must not live here: what is done about it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Instant;

use netloom_nftables::event::Touched;
use netloom_nftables::{Hook, TableId};
use netloom_plan::foreign_chains::DOCKER_USER;
use tokio::sync::mpsc::UnboundedSender;

use super::{FAMILIES, IPTABLES};
use crate::firewall::UNKNOWN;
use crate::handle::{Heard, Inner, Notification};
use crate::nft::{Change, EventSocket, NftError};

/// What is known of what is worth telling.
#[derive(Debug, Default)]
pub(crate) struct Ears(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The netlink port of our own transactions.
    port: Option<u32>,
    /// The chains that the last look read, by table; nothing before the first.
    read: Option<BTreeSet<(TableId, String)>>,
}

impl Ears {
    fn with<T>(&self, what: impl FnOnce(&mut Known) -> T) -> T {
        // What a panic leaves of it makes at most something be told for nothing.
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Learns whose transactions are our own.
    pub(crate) fn know_port(&self, port: u32) {
        self.with(|known| known.port = Some(port));
    }

    /// Learns which chains the last look read.
    pub(crate) fn know_chains(&self, read: &BTreeSet<(TableId, String)>) {
        self.with(|known| {
            if known.read.as_ref() != Some(read) {
                known.read = Some(read.clone());
            }
        });
    }

    fn concerns(&self, change: &Change) -> bool {
        match change {
            Change::Overrun => true,
            Change::Foreign { generation, touched, .. } => {
                self.with(|known| known.port != Some(generation.port) && touched.iter().any(|one| known.concerns(one)))
            }
        }
    }
}

impl Known {
    fn concerns(&self, touched: &Touched) -> bool {
        let Touched { table, chain: Some(chain), hook } = touched else { return false };
        if !FAMILIES.contains(&table.family) || *table == netloom_plan::firewall::table() {
            return false;
        }
        let is_docker_user = chain == DOCKER_USER && IPTABLES.contains(&table.family);
        let was_read = || self.read.as_ref().is_none_or(|read| read.contains(&(table.clone(), chain.clone())));
        *hook == Some(Hook::FORWARD) || is_docker_user || was_read()
    }
}

/// Opens a socket that hears, in the calling thread's namespace; none where the kernel has no nftables, and so nobody's chains.
pub(crate) fn open() -> Option<EventSocket> {
    let opened = EventSocket::open_for_all();
    opened
        .inspect_err(|error| {
            if !error.is(UNKNOWN) {
                unheard(error)
            }
        })
        .ok()
}

fn unheard(error: &NftError) {
    tracing::warn!(%error, "others' firewalls can't be heard: what they change is found by the next full look");
}

/// Says what is heard, until nobody listens or the kernel's handle is dropped.
pub(crate) async fn run(inner: Weak<Inner>, socket: EventSocket, heard: UnboundedSender<Heard>) {
    let mut events = match socket.listen() {
        Ok(events) => events,
        Err(error) => return unheard(&error),
    };
    loop {
        let changes = tokio::select! {
            changes = events.next() => match changes {
                Ok(changes) => changes,
                Err(error) => return tracing::warn!(%error, "others' firewalls can't be heard any more"),
            },
            () = heard.closed() => return,
        };
        let at = Instant::now();
        let Some(inner) = inner.upgrade() else { return };
        if changes.iter().any(|change| inner.firewall.ears.concerns(change)) {
            // Whoever stopped hearing misses it.
            let _ = heard.send(Heard { at, what: Notification::FirewallChanged });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_nftables::Family;

    fn touched(family: Family, table: &str, chain: Option<&str>, hook: Option<Hook>) -> Touched {
        Touched { table: TableId::new(family, table), chain: chain.map(str::to_owned), hook }
    }

    #[test]
    fn only_chains_that_decide_about_forwarded_packets_are_told_of() {
        let ears = Ears::default();
        ears.know_chains(&BTreeSet::from([(TableId::new(Family::IPV4, "filter"), "ufw-before-forward".to_owned())]));
        let concerns = |one: Touched| ears.with(|known| known.concerns(&one));
        let hook = Some(Hook::FORWARD);
        for heard in [
            touched(Family::INET, "other", Some("gate"), hook),
            touched(Family::IPV6, "filter", Some(DOCKER_USER), None),
            touched(Family::IPV4, "filter", Some("ufw-before-forward"), None),
        ] {
            assert!(concerns(heard.clone()), "{heard:?}");
        }
        for passed_over in [
            touched(Family::INET, "netloom", Some("forward"), hook),
            touched(Family::INET, "other", Some("gate"), Some(Hook::INPUT)),
            touched(Family::BRIDGE, "other", Some("gate"), hook),
            touched(Family::IPV4, "filter", Some("DOCKER"), None),
            touched(Family::IPV4, "nat", None, None),
        ] {
            assert!(!concerns(passed_over.clone()), "{passed_over:?}");
        }
        let nothing_known = Ears::default();
        assert!(nothing_known.with(|known| known.concerns(&touched(Family::IPV4, "filter", Some("FORWARD"), None))));
    }
}
