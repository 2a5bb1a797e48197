//! Whether a certificate is that of a node in good standing: the node is in the list, in this role, and the certificate is its present one, or the
//! one before while the present one was not used.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netloom_model::member::{Hello, PROTOCOL, Peer};
use netloom_model::{NodeId, Timestamp};
use netloom_store::{NodeRow, ReadTx, SwarmRow, nodes};

use super::{certificates, claims, denied, managed};
use crate::error::Error;

/// Longest host name that Linux has.
const HOSTNAME_MAX: usize = 64;
/// Longest version.
const VERSION_MAX: usize = 32;

/// A node that showed its certificate.
#[derive(Debug)]
pub(super) struct Standing {
    /// The swarm.
    pub(super) swarm: SwarmRow,
    /// The node, with what the use of the certificate tells of it.
    pub(super) node: NodeRow,
    /// Whether that is other than what the store has.
    pub(super) changed: bool,
}

impl Standing {
    /// Refuses that the node is at an address from now on that another has.
    ///
    /// # Errors
    /// `node-address-taken`; the store's.
    pub(super) async fn check_address(
        &self,
        tx: &mut ReadTx<'_>,
        address: IpAddr,
        elsewhere: &BTreeSet<NodeId>,
    ) -> Result<(), Error> {
        claims::check(tx, (self.node.id, Some(self.node.address)), address, elsewhere).await
    }
}

/// How a certificate stands to what is known of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is the present one.
    Present,
    /// It is the one before, and the present one was not used yet.
    Former,
    /// The authority issued it after all that are known: the store is older than it, restored from a backup.
    Newer,
}

/// How a certificate stands to its node.
///
/// # Errors
/// `node-removed`, where it names none of the swarm; `request-invalid`, where another has taken its place.
pub(super) fn known(swarm: &SwarmRow, row: Option<&NodeRow>, peer: &Peer) -> Result<Known, Error> {
    let Some(row) = row.filter(|row| row.role == peer.role && swarm.id == peer.swarm) else {
        return Err(denied::node_removed(peer.node));
    };
    if row.fingerprint == peer.fingerprint {
        Ok(Known::Present)
    } else if row.former_fingerprint.as_ref() == Some(&peer.fingerprint) {
        Ok(Known::Former)
    } else if certificates::issued_at(peer.begins_at) > row.issued_at {
        // When it ends says nothing of that: the validity may have been shortened since.
        Ok(Known::Newer)
    } else {
        Err(denied::request_invalid("this certificate was replaced by a newer one").hint(
            "where the host was restored from an older backup: remove the node at the manager, let the host leave, and join again",
        ))
    }
}

/// Takes note, in memory, of the use of a certificate.
///
/// # Errors
/// As [`known`]; `readmission-pending`, where it is out of date.
pub(super) async fn of(tx: &mut ReadTx<'_>, peer: &Peer, now: Timestamp) -> Result<Standing, Error> {
    let swarm = managed(tx).await?;
    let row = nodes::by_id(tx, peer.node).await?;
    let known = known(&swarm, row.as_ref(), peer)?;
    let Some(was) = row else { return Err(denied::node_removed(peer.node)) };
    if peer.expires_at <= now {
        return Err(Error::conflict(
            "readmission-pending",
            format!("the node's certificate expired at {}", peer.expires_at),
        ));
    }
    let mut node = was.clone();
    node.used = true;
    if known != Known::Former {
        // The new one is in use: from here on the one before is not good any more, and a readmission is done with.
        node.former_fingerprint = None;
        (node.readmission_asked_at, node.readmission_until) = (None, None);
    }
    if known == Known::Newer {
        node.fingerprint.clone_from(&peer.fingerprint);
        (node.issued_at, node.expires_at) = (certificates::issued_at(peer.begins_at), peer.expires_at);
    }
    let changed = node != was;
    Ok(Standing { swarm, node, changed })
}

/// Checks what a node says of itself.
///
/// # Errors
/// `request-invalid`; `version-mismatch`, of the protocol, and where `same_version` is asked for of the version.
pub(super) fn check_hello(hello: &Hello, same_version: bool) -> Result<(), Error> {
    let plain = |text: &str, most: usize| !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
    if !plain(&hello.hostname, HOSTNAME_MAX) || !plain(&hello.version, VERSION_MAX) {
        return Err(denied::request_invalid("the host's name or version is none"));
    }
    let own = env!("CARGO_PKG_VERSION");
    if hello.protocol == PROTOCOL && (!same_version || release(&hello.version) == release(own)) {
        return Ok(());
    }
    let detail = format!(
        "the node runs Netloom {} (protocol {}), the manager {own} (protocol {PROTOCOL}): they must be of one release",
        hello.version, hello.protocol
    );
    Err(Error::conflict("version-mismatch", detail).hint("bring both hosts to the same version, then join"))
}

/// Major and minor number of a version.
fn release(version: &str) -> Option<(&str, &str)> {
    let mut parts = version.split('.');
    parts.next().zip(parts.next())
}

/// Where a node is reached: as it says, or where it was seen to come from.
///
/// # Errors
/// `request-invalid`, where that can't be.
pub(super) fn address(hello: &Hello, from: IpAddr) -> Result<IpAddr, Error> {
    let address = hello.address.unwrap_or(from).to_canonical();
    match netloom_model::net::unassignable(address).filter(|_| !address.is_loopback()) {
        Some(what) => Err(denied::request_invalid(format!("a node can't be reached at {what}"))),
        None => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::NodeId;

    #[test]
    fn nodes_of_one_release_and_protocol_join() {
        let own = env!("CARGO_PKG_VERSION");
        let (major, minor) = release(own).expect("a version");
        let hello = |version: &str, protocol| Hello {
            node: NodeId::from_random([1; 16]),
            hostname: "machine2".to_owned(),
            version: version.to_owned(),
            protocol,
            address: None,
        };
        for (version, protocol, same, good) in [
            (own.to_owned(), PROTOCOL, true, true),
            (format!("{major}.{minor}.99"), PROTOCOL, true, true),
            (format!("{major}.{minor}.0-rc1"), PROTOCOL, true, true),
            ("99.0.0".to_owned(), PROTOCOL, true, false),
            ("99.0.0".to_owned(), PROTOCOL, false, true),
            (own.to_owned(), PROTOCOL + 1, true, false),
            (own.to_owned(), PROTOCOL + 1, false, false),
        ] {
            let checked = check_hello(&hello(&version, protocol), same);
            assert_eq!(checked.is_ok(), good, "{version} {protocol} {same}");
            let Err(error) = checked else { continue };
            assert_eq!(error.code, "version-mismatch");
            assert!(error.detail.contains(own) && error.detail.contains(&version), "{}", error.detail);
        }
        let odd = check_hello(&Hello { hostname: "a\nb".to_owned(), ..hello(own, PROTOCOL) }, true);
        assert_eq!(odd.expect_err("no name").code, "request-invalid");
    }
}
