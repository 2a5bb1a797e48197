//! A network by its name: made, or given another spec. The rules are those of making and changing.

use std::sync::Arc;

use netloom_model::NetworkId;
use netloom_model::network::Network;

use crate::command::{Put, PutNetwork, WriteOptions};
use crate::control::Control;
use crate::edit::{Edit, Whole};
use crate::error::Error;
use crate::plans::command::PlannedCommand;
use crate::principal::{Authorized, Context};
use crate::put::{Target, put};
use crate::run::Run;

impl Control {
    /// Gives a network a whole spec, and makes it where there is none of this name.
    ///
    /// # Errors
    /// A name other than the path's; those of [`Control::create_network`] and [`Control::update_network`].
    pub async fn put_network(&self, c: Authorized<PutNetwork>, options: WriteOptions) -> Result<Put<Network>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::PutNetwork(command.clone()))?;
        self.carry(run, |this, run| async move { this.put_network_now(command, context, run).await }).await
    }

    pub(crate) async fn put_network_now(
        self,
        command: PutNetwork,
        context: Context,
        run: Run,
    ) -> Result<Put<Network>, Error> {
        let PutNetwork { network, spec } = command;
        let whole = Whole { reference: network, spec };
        let by_id = whole.reference.parse::<NetworkId>().is_ok();
        if !by_id {
            whole.check_name()?;
        }
        let whole = Arc::new(whole);
        let target = Target { what: "network", reference: &whole.reference, by_id };
        let change = |run| {
            let edit = Edit::Whole(Arc::clone(&whole));
            self.clone().edit_network(whole.reference.clone(), edit, context.clone(), run)
        };
        let make = |run| self.clone().create_network_now(whole.spec.clone(), context.clone(), run);
        put(&target, &run, change, make).await
    }
}
