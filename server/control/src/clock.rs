//! The time and random bytes: the two things that use cases take from outside besides the store and the node.

use std::time::{SystemTime, UNIX_EPOCH};

use netloom_model::Timestamp;

use crate::error::{Error, ErrorKind};

/// Now, to the millisecond.
#[allow(clippy::disallowed_methods, reason = "the one place where the use cases read the clock")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Milliseconds since this host's boot, time that it slept included, which no setting of its clock moves; none where the kernel does not tell.
pub(crate) fn since_boot() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1000 + hundredths.parse::<u64>().ok()? * 10)
}

/// This boot of the host.
pub(crate) fn boot() -> Option<String> {
    Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

/// Random bytes from the kernel: for IDs, Ethernet addresses and secrets.
///
/// # Errors
/// Internal, when the kernel gives none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|source| {
        let mut error = Error::new(ErrorKind::Internal, "no-randomness", "the kernel gave no random bytes");
        error.source = Some(Box::new(source));
        error
    })?;
    Ok(bytes)
}
