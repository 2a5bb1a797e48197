//! A node's certificate is renewed in time: after two thirds of its validity, or when the manager says so.

use netloom_control::members::{AskError, Member, Membership};
use netloom_model::Timestamp;
use netloom_model::member::Admission;

use crate::client::checked;
use crate::link::Link;
use crate::routes::RenewRequest;

/// Whether a certificate of this validity is due.
pub(crate) const fn is_due((from, to): (Timestamp, Timestamp), now: Timestamp) -> bool {
    let whole = to.millis().saturating_sub(from.millis());
    now.millis().saturating_sub(from.millis()) >= whole / 3 * 2
}

/// Renews it over a connection that is there.
///
/// # Errors
/// As the manager denies; when it does not answer.
pub(crate) async fn ask(member: &dyn Member, own: &Membership, link: &mut Link) -> Result<(), AskError> {
    let made = netloom_pki::request()
        .map_err(|error| AskError::Unreachable { manager: own.manager, reason: error.to_string() })?;
    let request = RenewRequest { csr: made.csr };
    let admission: Admission = link.ask("renew", &request).await?;
    checked(own.manager, &admission, &request.csr, |node| node == own.node)?;
    Ok(member.renewed(admission, made.key).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_two_thirds_it_is_due() {
        let at = Timestamp::from_millis;
        for (now, due) in [(0, false), (5_999, false), (6_000, true), (9_000, true), (99_000, true)] {
            assert_eq!(is_due((at(0), at(9_000)), at(now)), due, "{now}");
        }
    }
}
