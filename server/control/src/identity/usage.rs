//! When tokens were used last: noted in memory by whoever authenticates, and written once a minute by the clockwork, for all tokens
//! in one transaction. So asking is never writing; a crash loses the last minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use netloom_model::{Timestamp, TokenId};
use netloom_store::{WriteTx, access};

use crate::commit::Job;
use crate::control::Control;
use crate::error::Error;

/// When each token was used last.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    seen: Mutex<HashMap<TokenId, Seen>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Timestamp,
    /// Whether the store has it.
    written: bool,
}

impl Usage {
    /// Notes that a token was used.
    pub(crate) fn note(&self, token: TokenId, at: Timestamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(token, Seen { at, written: false });
    }

    /// When a token was used last, where that is known here.
    pub(crate) fn of(&self, token: TokenId) -> Option<Timestamp> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&token).map(|seen| seen.at)
    }

    /// Forgets a token that is no more.
    pub(crate) fn forget(&self, token: TokenId) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
    }

    fn unwritten(&self) -> Vec<(TokenId, Timestamp)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|(_, seen)| !seen.written).map(|(id, seen)| (*id, seen.at)).collect()
    }

    fn written(&self, used: &[(TokenId, Timestamp)]) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, at) in used {
            // Used again meanwhile: that is to be written the next time.
            if let Some(seen) = all.get_mut(id).filter(|seen| seen.at == *at) {
                seen.written = true;
            }
        }
    }
}

impl Control {
    /// Writes when tokens were used last; nothing where none was since the last time.
    ///
    /// # Errors
    /// The store's.
    pub async fn write_usage(&self) -> Result<(), Error> {
        let used = self.inner.usage.unwritten();
        if used.is_empty() {
            return Ok(());
        }
        self.inner.commit(false, NoteUse(used.clone())).await?;
        self.inner.usage.written(&used);
        Ok(())
    }
}

struct NoteUse(Vec<(TokenId, Timestamp)>);

#[async_trait]
impl Job for NoteUse {
    type Output = ();

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<(), Error> {
        Ok(access::note_use(tx, &self.0).await?)
    }
}
