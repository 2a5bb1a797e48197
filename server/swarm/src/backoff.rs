//! How long to wait before the next attempt: longer each time up to a limit, and never as long as the others wait.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);

/// The waits of one row of failures.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Begins short.
    pub(crate) fn new(longest: Duration) -> Self {
        Self { next: FIRST.min(longest), longest }
    }

    /// It went well: the next row begins short again.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST.min(self.longest);
    }

    /// How long to wait now.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = jittered(self.next);
        self.next = (self.next * 2).min(self.longest);
        wait
    }
}

/// Between half of it and all of it: nodes that lost their manager at once don't come back at once.
pub(crate) fn jittered(wait: Duration) -> Duration {
    let mut random = [0; 2];
    // Without random numbers all wait as long: that is a nuisance, not an error.
    let _ = getrandom::fill(&mut random);
    wait / 2 + wait.mul_f64(f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew() {
        let longest = Duration::from_secs(5);
        let mut backoff = Backoff::new(longest);
        for whole in [500, 1000, 2000, 4000, 5000, 5000] {
            let (wait, whole) = (backoff.wait(), Duration::from_millis(whole));
            assert!(whole / 2 <= wait && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
        assert!(Backoff::new(Duration::from_millis(10)).wait() <= Duration::from_millis(10));
    }

    #[test]
    fn waits_differ() {
        let waits: std::collections::HashSet<Duration> = (0..20).map(|_| jittered(Duration::from_secs(5))).collect();
        assert!(waits.len() > 10);
    }
}
