//! How long to wait before the next try, and jitter, so that many keys do not retry in step; and when something that was heard is a reason to try sooner.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(60);
/// How long the kernel still tells of what a try left half made.
const ECHO: Duration = Duration::from_millis(500);
/// Least time between a try that failed and one that something heard is the reason for.
const PAUSE: Duration = Duration::from_secs(1);
/// The same where that may be what the try itself did.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Tries of one key since it last went well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    failures: u32,
    /// When the last was.
    failed_at: Option<Instant>,
}

impl Backoff {
    /// Counts a failure; answers how long to wait: 250 ms, doubling to 60 s, between half of it and the whole.
    pub(crate) fn failed(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(Instant::now());
        jittered(whole)
    }

    /// When to try again because of something that was heard at `at`, if anything failed: it may have removed what was in the way, or broken something else. What may
    /// be the last try's own doing is no reason to hurry, or it would be tried without an end.
    pub(crate) fn sooner(&self, at: Instant) -> Option<Instant> {
        let failed = self.failed_at?;
        Some(failed + if at > failed + ECHO { PAUSE } else { LONG_PAUSE })
    }

    /// It went well.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Between half of a time and the whole of it.
pub(crate) fn jittered(whole: Duration) -> Duration {
    // The standard library seeds every RandomState differently; good enough to spread tries, and no crate for it.
    let random = RandomState::new().build_hasher().finish();
    let share = f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    whole.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        for whole in [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000] {
            let (wait, whole) = (backoff.failed(), Duration::from_millis(whole));
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.failed() <= FIRST);
    }

    #[test]
    fn what_others_do_is_a_reason_to_try_soon_and_its_own_doing_is_less_of_one() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.sooner(Instant::now()), None, "nothing failed");
        let before = Instant::now();
        backoff.failed();
        let after = Instant::now();
        let again = |at| backoff.sooner(at).expect("a reason");
        let (own, others) = (again(before + ECHO), again(after + ECHO + Duration::from_millis(1)));
        assert!(own >= before + LONG_PAUSE && own <= after + LONG_PAUSE);
        assert!(others >= before + PAUSE && others <= after + PAUSE);
    }
}
