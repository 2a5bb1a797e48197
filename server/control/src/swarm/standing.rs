//! Whether a certificate is that of a node in good standing: the node is in the list, in this role, and the certificate is its present one, or the
//! one before while the present one was not used.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use netloom_model::facts::Facts;
use netloom_model::member::{Hello, PROTOCOL, Peer};
use netloom_model::net::{Family, unassignable};
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
        claims::check(tx, self.node.id, Some(&self.node), address, elsewhere).await
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
    if !is_hostname(&hello.hostname) {
        let detail = format!(
            "{:?} is no name of a host: letters, digits, `-`, `.` and `_`, a letter or digit first",
            hello.hostname
        );
        return Err(denied::request_invalid(detail).hint("give the host another name: `hostnamectl hostname NAME`"));
    }
    let version = &hello.version;
    if version.is_empty() || version.len() > VERSION_MAX || version.chars().any(char::is_control) {
        return Err(denied::request_invalid("the host's version of Netloom is none"));
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

/// Where a manager is, by which is judged where nodes can be.
#[derive(Debug, Clone)]
pub(super) struct Vicinity {
    /// The address that nodes reach it at.
    pub(super) manager: IpAddr,
    /// Its host, where that was looked at.
    pub(super) host: Option<Arc<Facts>>,
}

impl Vicinity {
    /// Where a node is reached: as it says, or where it was seen to come from. Nodes send each other's traffic there: all by one version of IP.
    ///
    /// # Errors
    /// `request-invalid`, where that can't be.
    pub(super) fn address(&self, hello: &Hello, from: IpAddr) -> Result<IpAddr, Error> {
        let (address, manager) = (hello.address.unwrap_or(from).to_canonical(), self.manager.to_canonical());
        let wrong = |why: String| {
            let hint = "say the host's address on the network that the nodes share: `--advertise-addr ADDRESS`";
            Err(denied::request_invalid(format!("a node can't be reached at {address}: {why}")).hint(hint))
        };
        // A manager that is itself only on its own host has only nodes there.
        let tolerated = address.is_loopback() && manager.is_loopback();
        if let Some(what) = unassignable(address).filter(|_| !tolerated) {
            return wrong(format!("it is {what}"));
        }
        let version = |address: IpAddr| Family::of(address).number();
        if version(address) != version(manager) {
            return wrong(format!(
                "the nodes of this swarm reach each other by IPv{}, as its manager at {manager}",
                version(manager)
            ));
        }
        match self.subnet_ended_by(address) {
            Some(subnet) => wrong(format!("it is that of all hosts of {subnet}")),
            None => Ok(address),
        }
    }

    /// A subnet on the manager's links whose broadcast address, or whose own number, this is.
    fn subnet_ended_by(&self, address: IpAddr) -> Option<IpNet> {
        let own = self.host.iter().flat_map(|facts| &facts.links).flat_map(|link| &link.addresses);
        // A prefix of 31 or 32 bits has neither (RFC 3021).
        let mut wide = own.filter(|net| matches!(net, IpNet::V4(four) if four.prefix_len() < 31));
        wide.find(|net| net.broadcast() == address || net.network() == address).map(IpNet::trunc)
    }
}

/// Whether a text is the name of a host (RFC 1123, 2.1; with `_`, which hosts have). It is shown to people, and looked for by them.
fn is_hostname(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    text.len() <= HOSTNAME_MAX && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::NodeId;
    use netloom_model::facts::HostLink;

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
        for name in ["", "a b", "\"><svg onload=alert(1)>", "-x", "h\u{f6}st", &"x".repeat(65)] {
            let odd = check_hello(&Hello { hostname: name.to_owned(), ..hello(own, PROTOCOL) }, true);
            assert_eq!(odd.expect_err("no name").code, "request-invalid", "{name}");
        }
        let odd = check_hello(&Hello { hostname: "a\nb".to_owned(), ..hello(own, PROTOCOL) }, true);
        assert_eq!(odd.expect_err("no name").code, "request-invalid");
    }

    #[test]
    fn a_node_is_where_the_managers_network_is() {
        let link = |address: &str| HostLink {
            name: "a".to_owned(),
            index: 2,
            kind: None,
            mac: None,
            mtu: 1500,
            up: true,
            loopback: false,
            controller: None,
            addresses: vec![address.parse().expect("a net")],
        };
        let host = Facts { links: vec![link("10.91.0.11/24"), link("192.0.2.4/31")], ..Facts::default() };
        let at = |manager: &str| Vicinity { manager: manager.parse().expect("ip"), host: Some(Arc::new(host.clone())) };
        for (manager, address, good) in [
            ("10.91.0.11", "10.91.0.12", true),
            ("10.91.0.11", "::ffff:10.91.0.12", true),
            ("10.91.0.11", "172.16.4.255", true),
            ("10.91.0.11", "192.0.2.5", true),
            ("10.91.0.11", "10.91.0.255", false),
            ("10.91.0.11", "10.91.0.0", false),
            ("10.91.0.11", "fd00::5", false),
            ("fd00::1", "10.91.0.12", false),
            ("fd00::1", "fd00::5", true),
            ("10.91.0.11", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.2", true),
            ("10.91.0.11", "0.0.0.0", false),
            ("10.91.0.11", "224.0.0.1", false),
        ] {
            let hello = Hello {
                node: NodeId::from_random([1; 16]),
                hostname: "a".to_owned(),
                version: "0".to_owned(),
                protocol: PROTOCOL,
                address: Some(address.parse().expect("an address")),
            };
            let found = at(manager).address(&hello, "10.91.0.12".parse().expect("ip"));
            assert_eq!(found.is_ok(), good, "{address} of {manager}: {found:?}");
        }
    }
}
