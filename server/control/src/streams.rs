//! How many event streams are open with each token: each holds a connection for as long as its reader likes, and there is a number of connections for all. What must not
//! live here: what a stream tells (`events`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use netloom_model::TokenId;

use crate::error::{Error, ErrorKind};

/// Most streams of one token at once. Root, and whom root let in by a link, has none and is not counted: who may do everything need not be kept from this.
const MOST: usize = 128;
/// When one more may be tried: somebody may have closed one by then.
const AGAIN: Duration = Duration::from_secs(5);

/// The open streams of all tokens, counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<TokenId, usize>>>);

/// An open stream: closed when dropped.
#[derive(Debug)]
pub(crate) struct Open {
    all: Streams,
    token: Option<TokenId>,
}

impl Streams {
    /// Opens one more with a token.
    ///
    /// # Errors
    /// `too-many-streams`.
    pub(crate) fn open(&self, token: Option<TokenId>) -> Result<Open, Error> {
        if let Some(token) = token {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(token).or_default();
            if *count >= MOST {
                let detail = format!("{MOST} event streams are open with this token, and there can be no more at once");
                return Err(Error::new(ErrorKind::TooOften, "too-many-streams", detail)
                    .hint("close one; or follow one stream, and hand its events on")
                    .retry_after(AGAIN));
            }
            *count += 1;
        }
        Ok(Open { all: self.clone(), token })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(token) = self.token else { return };
        let mut counts = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(token) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_so_many_at_once_and_takes_none_of_anothers() {
        let (streams, one, other) = (Streams::default(), TokenId::from_random([1; 16]), TokenId::from_random([2; 16]));
        let mut open: Vec<Open> = (0..MOST).map(|_| streams.open(Some(one)).expect("room")).collect();
        let refused = streams.open(Some(one)).expect_err("one too many");
        assert_eq!((refused.code, refused.retry_after_seconds), ("too-many-streams", Some(5)));
        let others = streams.open(Some(other)).expect("its own");
        let roots: Vec<Open> = (0..=MOST).map(|_| streams.open(None).expect("root's")).collect();
        open.pop();
        open.push(streams.open(Some(one)).expect("one was closed"));
        drop((open, others, roots));
        assert!(streams.0.lock().expect("not poisoned").is_empty(), "nothing is remembered of what is closed");
    }
}
