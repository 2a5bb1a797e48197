//! The handle to one database: open, read, write, dry run, close.

use std::path::Path;

use futures_util::future::BoxFuture;
use netloom_model::{NodeId, StoreId};
use tokio::sync::watch;

use crate::error::Error;
use crate::tx::{ReadTx, WriteTx};

/// One database. Clones share it.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens the database at `path`.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        unimplemented!("{path:?}")
    }
    /// ID of this database, made when it was.
    pub fn id(&self) -> StoreId {
        unimplemented!()
    }
    /// ID of the node, made at the first start.
    pub fn node_id(&self) -> NodeId {
        unimplemented!()
    }
    /// Runs a job on one snapshot.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut ReadTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send,
        E: From<Error>,
    {
        let _ = job;
        unimplemented!()
    }
    /// Runs a job in the writer.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let _ = job;
        unimplemented!()
    }
    /// Runs a job in the writer and takes back what it wrote.
    pub async fn dry_run<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut WriteTx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let _ = job;
        unimplemented!()
    }
    /// Number of the last committed event.
    pub fn committed(&self) -> watch::Receiver<u64> {
        unimplemented!()
    }
    /// Finishes what waits, then closes the database.
    pub async fn close(&self) {}
}
