//! Backups: a copy of the store while the service runs. How it is made is the store's; putting one back is not a use case,
//! since no service may run then.

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
        tracing::info!(
            by = context.principal.name,
            request_id = context.request_id,
            bytes = copy.length,
            "a backup was made"
        );
        Ok(Backup { file: copy.file, length: copy.length })
    }
}
