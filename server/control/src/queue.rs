//! One queue per object: writes to the same object take turns, writes to different ones don't wait for each other.
//!
//! What must not live here: anything about the write itself. Turns are taken in ascending key order where one write needs several.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use netloom_model::assignment::Key;
use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

use crate::error::Error;
use crate::settle::Deadline;

/// Entries above which those that nobody holds are dropped.
const TIDY_ABOVE: usize = 1024;

/// The queues of all objects.
#[derive(Default)]
pub(crate) struct Queues {
    by_key: Mutex<HashMap<Key, Weak<Turns<()>>>>,
}

/// A write's turn; it ends when this is dropped.
pub(crate) struct Turn {
    _guard: OwnedMutexGuard<()>,
}

impl Queues {
    fn of(&self, key: Key) -> Arc<Turns<()>> {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if by_key.len() > TIDY_ABOVE {
            by_key.retain(|_, turns| turns.strong_count() > 0);
        }
        if let Some(turns) = by_key.get(&key).and_then(Weak::upgrade) {
            return turns;
        }
        let turns = Arc::new(Turns::new(()));
        by_key.insert(key, Arc::downgrade(&turns));
        turns
    }

    /// Waits for this write's turn on an object.
    ///
    /// # Errors
    /// A retryable `busy`, when the deadline comes first.
    pub(crate) async fn turn(&self, key: Key, deadline: &Deadline) -> Result<Turn, Error> {
        let turns = self.of(key);
        match tokio::time::timeout(deadline.in_queue(), turns.lock_owned()).await {
            Ok(guard) => Ok(Turn { _guard: guard }),
            Err(_) => Err(Error::conflict("busy", "another write to this object is still under way")
                .hint("ask again, or wait longer with `wait`")
                .retryable(true)),
        }
    }

    /// Waits for this write's turn on several objects, in ascending order of their keys.
    pub(crate) async fn turns(&self, keys: &[Key], deadline: &Deadline) -> Result<Vec<Turn>, Error> {
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut turns = Vec::with_capacity(sorted.len());
        for key in sorted {
            turns.push(self.turn(key, deadline).await?);
        }
        Ok(turns)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use netloom_model::NetworkId;

    use super::*;

    #[tokio::test]
    async fn the_second_write_waits_and_gives_up_with_busy() {
        let queues = Queues::default();
        let key = Key::Network(NetworkId::from_random([1; 16]));
        let deadline = Deadline::new(Duration::from_secs(5));
        let first = queues.turn(key, &deadline).await.expect("the first");
        let other = Key::Network(NetworkId::from_random([2; 16]));
        queues.turn(other, &deadline).await.expect("another object does not wait");
        let refused = queues.turn(key, &Deadline::new(Duration::ZERO)).await.err().expect("busy");
        assert_eq!((refused.code, refused.retryable), ("busy", true));
        drop(first);
        queues.turn(key, &Deadline::new(Duration::ZERO)).await.expect("free again");
    }
}
