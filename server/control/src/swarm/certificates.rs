//! Certificates of nodes, as the manager's authority issues them, and when they are to be renewed.

use netloom_model::swarm::SwarmRole;
use netloom_model::{NodeId, Timestamp};
use netloom_pki::{Authority, Subject};
use netloom_store::SwarmRow;

use super::denied;
use crate::error::{Error, ErrorKind};

/// How long before its issue a certificate is good: clocks of nodes differ.
const SKEW_MILLIS: i64 = 3_600_000;
const HOUR_MILLIS: i64 = 3_600_000;

/// A certificate as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Issued {
    /// PEM.
    pub(super) certificate: String,
    /// SHA-256, in hexadecimal digits.
    pub(super) fingerprint: String,
    /// When it begins and ends.
    pub(super) valid: (Timestamp, Timestamp),
    /// When it was issued, which is after it begins.
    pub(super) at: Timestamp,
}

/// Issues a certificate for the key of a signing request.
///
/// # Errors
/// `request-invalid`, where that is none, or of another kind of key.
pub(super) fn issue(
    swarm: &SwarmRow,
    node: NodeId,
    role: SwarmRole,
    csr: &str,
    now: Timestamp,
) -> Result<Issued, Error> {
    let authority = Authority::from_pem(&swarm.ca_certificate, &swarm.ca_key).map_err(internal)?;
    let (_, end) = netloom_pki::validity(&swarm.ca_certificate).map_err(internal)?;
    let hours = i64::from(swarm.spec.settings().certificate_validity_hours);
    // No certificate outlives its authority's.
    let until = now.plus_millis(hours * HOUR_MILLIS).min(end);
    let subject = Subject { node, role, swarm: swarm.id };
    let certificate = authority
        .issue(csr, &subject, now.plus_millis(-SKEW_MILLIS), until)
        .map_err(|error| denied::request_invalid(format!("the request for a certificate can't be granted: {error}")))?;
    let read = netloom_pki::read(&certificate).map_err(internal)?;
    let valid = netloom_pki::validity(&certificate).map_err(internal)?;
    Ok(Issued { certificate, fingerprint: read.fingerprint, valid, at: now })
}

/// When a certificate was issued, to the second, by when it begins.
pub(super) const fn issued_at(begins_at: Timestamp) -> Timestamp {
    begins_at.plus_millis(SKEW_MILLIS)
}

/// Whether a certificate is to be renewed: two thirds of its time are over.
pub(super) const fn is_due(issued_at: Timestamp, expires_at: Timestamp, now: Timestamp) -> bool {
    let whole = expires_at.millis().saturating_sub(issued_at.millis());
    now.millis().saturating_sub(issued_at.millis()) >= whole / 3 * 2
}

/// A failure over what Netloom made itself.
pub(super) fn internal(source: netloom_pki::Error) -> Error {
    let mut error = Error::new(ErrorKind::Internal, "internal", "a key or certificate of the swarm can't be used");
    error.source = Some(Box::new(source));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_two_thirds_of_its_time_a_certificate_is_due() {
        let at = Timestamp::from_millis;
        for (now, due) in [(0, false), (1_000, false), (6_999, false), (7_000, true), (10_000, true), (20_000, true)] {
            assert_eq!(is_due(at(1_000), at(10_000), at(now)), due, "{now}");
        }
    }
}
