//! A network by its name: made, or given another spec. The rules are those of making and changing.

use std::sync::Arc;

use netloom_model::NetworkId;
use netloom_model::network::{Network, NetworkSpec};

use crate::command::{Put, PutNetwork, WriteOptions};
use crate::control::Control;
use crate::edit::{Edit, Whole};
use crate::error::Error;
use crate::principal::{Authorized, Context};
use crate::put::{Target, put};

impl Control {
    /// Gives a network a whole spec, and makes it where there is none of this name.
    ///
    /// # Errors
    /// A name other than the path's; those of [`Control::create_network`] and [`Control::update_network`].
    pub async fn put_network(&self, c: Authorized<PutNetwork>, options: WriteOptions) -> Result<Put<Network>, Error> {
        let (PutNetwork { network, spec }, context) = c.into_parts();
        let whole = Whole { reference: network, spec };
        self.detached(|this| async move { this.put_network_now(whole, context, options).await }).await
    }

    async fn put_network_now(
        self,
        whole: Whole<NetworkSpec>,
        context: Context,
        options: WriteOptions,
    ) -> Result<Put<Network>, Error> {
        let by_id = whole.reference.parse::<NetworkId>().is_ok();
        if !by_id {
            whole.check_name()?;
        }
        let whole = Arc::new(whole);
        let target = Target { what: "network", reference: &whole.reference, by_id };
        let change = |options| {
            let edit = Edit::Whole(Arc::clone(&whole));
            self.clone().edit_network(whole.reference.clone(), edit, context.clone(), options)
        };
        let make = |options| self.clone().create_network_now(whole.spec.clone(), context.clone(), options);
        put(&target, &options, change, make).await
    }
}
