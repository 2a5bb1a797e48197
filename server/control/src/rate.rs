//! How often something may happen: so many times at once, and then one more each so often. By the clock that is never set.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many keys and more, and those whose time is over are forgotten.
const MANY: usize = 1024;

/// One allowance for each key.
#[derive(Debug)]
pub struct Rate<K> {
    at_once: u32,
    every: Duration,
    used: Mutex<HashMap<K, Used>>,
}

#[derive(Debug, Clone, Copy)]
struct Used {
    /// When all of the allowance is there again.
    whole_at: Instant,
    /// Whether somebody was refused since the last that was let through.
    refused: bool,
}

/// Once more would be too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOften {
    /// How long until it may happen again.
    pub wait: Duration,
    /// Whether it is the first that was refused since one was let through.
    pub first: bool,
}

impl<K: Hash + Eq> Rate<K> {
    /// So many at once, and one more each so often.
    pub fn new(at_once: u32, every: Duration) -> Self {
        Self { at_once, every, used: Mutex::default() }
    }

    /// Takes one from what the key is allowed.
    ///
    /// # Errors
    /// When it is too often.
    pub fn take(&self, key: K, now: Instant) -> Result<(), TooOften> {
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MANY {
            all.retain(|_, used| used.whole_at > now);
        }
        let used = all.entry(key).or_insert(Used { whole_at: now, refused: false });
        let whole_at = used.whole_at.max(now) + self.every;
        let wait = whole_at.duration_since(now).saturating_sub(self.every * self.at_once);
        if wait.is_zero() {
            *used = Used { whole_at, refused: false };
            return Ok(());
        }
        Err(TooOften { wait, first: !std::mem::replace(&mut used.refused, true) })
    }

    /// Gives back one that was taken: it does not count after all.
    pub fn give_back(&self, key: &K) {
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = all.get_mut(key) {
            used.whole_at = used.whole_at.checked_sub(self.every).unwrap_or(used.whole_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_each_so_often() {
        let (rate, start) = (Rate::new(3, Duration::from_secs(60)), Instant::now());
        let take = |key, seconds| rate.take(key, start + Duration::from_secs(seconds));
        let refused = |seconds, first| Err(TooOften { wait: Duration::from_secs(seconds), first });
        assert_eq!([take("a", 0), take("a", 0), take("a", 0)], [Ok(()); 3]);
        assert_eq!([take("a", 0), take("a", 20)], [refused(60, true), refused(40, false)]);
        assert_eq!(take("b", 20), Ok(()), "another's is another");
        assert_eq!([take("a", 60), take("a", 60)], [Ok(()), refused(60, true)]);
        let day = (0..86_400).filter(|second| take("c", 1000 + second).is_ok()).count();
        assert_eq!(day, 3 + 1439);
    }

    #[test]
    fn what_is_given_back_does_not_count() {
        let (rate, now) = (Rate::new(1, Duration::from_secs(60)), Instant::now());
        for _ in 0..5 {
            assert_eq!(rate.take("a", now), Ok(()));
            rate.give_back(&"a");
        }
        rate.give_back(&"never taken");
        assert_eq!([rate.take("a", now).is_ok(), rate.take("a", now).is_ok()], [true, false]);
    }

    #[test]
    fn keys_that_are_not_used_any_more_are_forgotten() {
        let (rate, start) = (Rate::new(1, Duration::from_secs(1)), Instant::now());
        for key in 0..5000_u32 {
            assert_eq!(rate.take(key, start + Duration::from_secs(u64::from(key))), Ok(()));
        }
        assert!(rate.used.lock().is_ok_and(|used| used.len() <= MANY));
    }
}
