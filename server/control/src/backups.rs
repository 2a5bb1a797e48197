//! Backups: a copy of the store while the service runs. How it is made is the store's; putting one back is not a use case,
//! since no service may run then.

use crate::audit::Noted;
use crate::command::{Backup, CreateBackup};
use crate::control::Control;
use crate::error::Error;
use crate::principal::Authorized;

impl Control {
    /// Copies the store as it is now: every write that was acknowledged before is in it. Writes go on meanwhile.
    ///
    /// # Errors
    /// `store-full` when the disk of the database has no room for a copy beside it; else the store's.
    pub async fn create_backup(&self, command: Authorized<CreateBackup>) -> Result<Backup, Error> {
        let copy = self.inner.store.snapshot().await?;
        let context = command.context();
        // A disk that takes no more writing is when a backup is wanted most.
        if let Err(error) = self.inner.commit(false, Noted::of(context, context.action)).await {
            tracing::warn!(%error, request_id = context.request_id, "a backup could not be noted in the audit");
        }
        tracing::info!(
            by = context.principal.name,
            request_id = context.request_id,
            bytes = copy.length,
            "a backup was made"
        );
        Ok(Backup { file: copy.file, length: copy.length })
    }
}
