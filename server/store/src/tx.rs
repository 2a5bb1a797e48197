//! Transactions: what a job works on.

use std::ops::{Deref, DerefMut};

use sqlx::SqliteConnection;

/// A snapshot to read from.
pub struct ReadTx<'c> {
    pub(crate) connection: &'c mut SqliteConnection,
}

/// The one transaction that writes; it reads, too.
pub struct WriteTx<'c> {
    pub(crate) read: ReadTx<'c>,
}

impl<'c> Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;
    fn deref(&self) -> &ReadTx<'c> {
        &self.read
    }
}

impl<'c> DerefMut for WriteTx<'c> {
    fn deref_mut(&mut self) -> &mut ReadTx<'c> {
        &mut self.read
    }
}
