//! The thread on which all sandboxes are answered: it has no other work. A sandbox that floods its resolver holds up the answers to other
//! sandboxes at most, and a pass over a whole host holds up no answer.
//!
//! What must not live here: what is answered.

use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A thread with a runtime, until it is dropped.
pub(crate) struct Thread {
    runtime: Handle,
    /// Dropped with it, which ends the thread.
    _until: oneshot::Sender<()>,
}

impl Thread {
    /// Starts it.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (until, ended) = oneshot::channel::<()>();
        let run = move || drop(runtime.block_on(ended));
        std::thread::Builder::new().name("names".to_owned()).spawn(run)?;
        Ok(Self { runtime: handle, _until: until })
    }

    /// Its runtime.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}
