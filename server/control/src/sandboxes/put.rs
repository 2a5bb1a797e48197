//! A sandbox by its name: made, or given another spec. The rules are those of making and changing.

use std::sync::Arc;

use netloom_model::SandboxId;
use netloom_model::sandbox::Sandbox;

use crate::command::{Put, PutSandbox, WriteOptions};
use crate::control::Control;
use crate::edit::{Edit, Whole};
use crate::error::Error;
use crate::plans::command::PlannedCommand;
use crate::principal::{Authorized, Context};
use crate::put::{Target, put};
use crate::run::Run;

impl Control {
    /// Gives a sandbox a whole spec, and makes it where there is none of this name.
    ///
    /// # Errors
    /// A name other than the path's; those of [`Control::create_sandbox`] and [`Control::update_sandbox`].
    pub async fn put_sandbox(&self, c: Authorized<PutSandbox>, options: WriteOptions) -> Result<Put<Sandbox>, Error> {
        let (command, context) = c.into_parts();
        let run = Run::of(options, &context, || PlannedCommand::PutSandbox(command.clone()))?;
        self.carry(run, |this, run| async move { this.put_sandbox_now(command, context, run).await }).await
    }

    pub(crate) async fn put_sandbox_now(
        self,
        command: PutSandbox,
        context: Context,
        run: Run,
    ) -> Result<Put<Sandbox>, Error> {
        let PutSandbox { sandbox, spec } = command;
        let whole = Whole { reference: sandbox, spec };
        let by_id = whole.reference.parse::<SandboxId>().is_ok();
        if !by_id {
            whole.check_name()?;
        }
        let whole = Arc::new(whole);
        let target = Target { what: "sandbox", reference: &whole.reference, by_id };
        let change = |run| {
            let edit = Edit::Whole(Arc::clone(&whole));
            self.clone().edit_sandbox(whole.reference.clone(), edit, context.clone(), run)
        };
        let make = |run| self.clone().create_sandbox_now(whole.spec.clone(), context.clone(), run);
        put(&target, &run, change, make).await
    }
}
