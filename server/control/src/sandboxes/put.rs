//! A sandbox by its name: made, or given another spec. The rules are those of making and changing.

use std::sync::Arc;

use netloom_model::SandboxId;
use netloom_model::sandbox::{Sandbox, SandboxSpec};

use crate::command::{Put, PutSandbox, WriteOptions};
use crate::control::Control;
use crate::edit::{Edit, Whole};
use crate::error::Error;
use crate::principal::{Authorized, Context};
use crate::put::{Target, put};

impl Control {
    /// Gives a sandbox a whole spec, and makes it where there is none of this name.
    ///
    /// # Errors
    /// A name other than the path's; those of [`Control::create_sandbox`] and [`Control::update_sandbox`].
    pub async fn put_sandbox(&self, c: Authorized<PutSandbox>, options: WriteOptions) -> Result<Put<Sandbox>, Error> {
        let (PutSandbox { sandbox, spec }, context) = c.into_parts();
        let whole = Whole { reference: sandbox, spec };
        self.detached(|this| async move { this.put_sandbox_now(whole, context, options).await }).await
    }

    async fn put_sandbox_now(
        self,
        whole: Whole<SandboxSpec>,
        context: Context,
        options: WriteOptions,
    ) -> Result<Put<Sandbox>, Error> {
        let by_id = whole.reference.parse::<SandboxId>().is_ok();
        if !by_id {
            whole.check_name()?;
        }
        let whole = Arc::new(whole);
        let target = Target { what: "sandbox", reference: &whole.reference, by_id };
        let change = |options| {
            let edit = Edit::Whole(Arc::clone(&whole));
            self.clone().edit_sandbox(whole.reference.clone(), edit, context.clone(), options)
        };
        let make = |options| self.clone().create_sandbox_now(whole.spec.clone(), context.clone(), options);
        put(&target, &options, change, make).await
    }
}
