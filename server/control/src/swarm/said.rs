//! How much of a node's word is taken in: what it may say of its host, and how often it may change what everybody has. A node is in the swarm because somebody let
//! it in, and may be somebody else's by now: it changes its own, and no more of it than a host does.
//!
//! What must not live here: what is made of it (`heartbeat`, `overlay::remote`).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use netloom_model::NodeId;
use netloom_model::facts::Facts;

use super::denied;
use crate::error::{Error, ErrorKind};
use crate::rate::Rate;

/// Most links of a host.
const LINKS_MAX: usize = 10_000;
/// Most routes of a host: what is more than all of the Internet's by IPv4 prefixes of a provider is no host's.
const ROUTES_MAX: usize = 100_000;
/// Most nameservers of a host.
const NAMESERVERS_MAX: usize = 64;
/// Most subnets of local networks.
const SUBNETS_MAX: usize = 10_000;
/// Longest name of anything on a host, in bytes: links have at most 15 (IFNAMSIZ), kinds of them not many more.
const NAME_MAX: usize = 64;

/// What one node may change of what everybody has.
#[derive(Debug)]
pub(crate) struct Allowances {
    /// Nodes whose word is being taken in.
    speaking: Arc<Mutex<HashSet<NodeId>>>,
    moves: Rate<NodeId>,
    changes: Rate<NodeId>,
    quarantines: Rate<NodeId>,
}

impl Default for Allowances {
    fn default() -> Self {
        Self {
            speaking: Arc::default(),
            moves: Rate::new(8, Duration::from_secs(10)),
            changes: Rate::new(1000, Duration::from_millis(500)),
            quarantines: Rate::new(32, Duration::from_secs(60)),
        }
    }
}

/// A node's word is being taken in, until this is dropped.
pub(super) struct Speaking {
    all: Arc<Mutex<HashSet<NodeId>>>,
    node: NodeId,
}

fn lock(all: &Mutex<HashSet<NodeId>>) -> MutexGuard<'_, HashSet<NodeId>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Speaking {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.node);
    }
}

impl Allowances {
    /// One word of a node at a time: nothing where another is being taken in.
    pub(super) fn speaks(&self, node: NodeId) -> Option<Speaking> {
        let all = Arc::clone(&self.speaking);
        let is_first = lock(&all).insert(node);
        is_first.then(|| Speaking { all, node })
    }

    /// Whether a node may be called otherwise or be elsewhere once more: 8 times at once, then every 10 s.
    pub(super) fn may_move(&self, node: NodeId) -> bool {
        self.moves.take(node, Instant::now()).is_ok()
    }

    /// Whether one more of a node's attachments may be said to be otherwise: 1,000 at once, then two a second.
    pub(crate) fn may_change(&self, node: NodeId) -> bool {
        self.changes.take(node, Instant::now()).is_ok()
    }

    /// Lets a node have one more address put into quarantine: 32 at once, then one a minute.
    ///
    /// # Errors
    /// `too-many`.
    pub(crate) fn may_quarantine(&self, node: NodeId) -> Result<(), Error> {
        self.quarantines.take(node, Instant::now()).map_err(|often| {
            let detail = "strangers are said to answer for too many addresses of that node's sandboxes";
            Error::new(ErrorKind::TooOften, "too-many", detail).retryable(true).retry_after(often.wait)
        })
    }
}

/// What a node is told that speaks while its former word is being taken in.
pub(super) fn not_answered_yet() -> Error {
    let detail = "what the node said before is still being taken in";
    Error::new(ErrorKind::TooOften, "too-many", detail).retryable(true).retry_after(Duration::from_secs(1))
}

/// Refuses what no host has.
///
/// # Errors
/// `request-invalid`, with what is too much.
pub(super) fn check_host(facts: Option<&Facts>, subnets: Option<&[IpNet]>) -> Result<(), Error> {
    let few = |what: &str, count: usize, most: usize| match count > most {
        true => Err(denied::request_invalid(format!(
            "a host with {count} {what} can't be a node: at most {most} are taken in"
        ))),
        false => Ok(()),
    };
    few("subnets of local networks", subnets.map_or(0, <[_]>::len), SUBNETS_MAX)?;
    let Some(facts) = facts else { return Ok(()) };
    few("links", facts.links.len(), LINKS_MAX)?;
    few("addresses", facts.links.iter().map(|link| link.addresses.len()).sum(), LINKS_MAX)?;
    few("routes", facts.routes.len(), ROUTES_MAX)?;
    few("nameservers", facts.nameservers.len(), NAMESERVERS_MAX)?;
    let of_links = facts
        .links
        .iter()
        .flat_map(|link| [Some(&link.name), link.kind.as_ref(), link.controller.as_ref()].into_iter().flatten());
    let of_routes = facts.routes.iter().filter_map(|route| route.interface.as_ref());
    let mut names = of_links.chain(of_routes).chain([&facts.hostname, &facts.boot_id]);
    match names.find(|name| name.len() > NAME_MAX) {
        Some(long) => Err(denied::request_invalid(format!("a host's name of {} bytes is none", long.len()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_speaks_one_word_at_a_time() {
        let allowances = Allowances::default();
        let (one, two) = (NodeId::from_random([1; 16]), NodeId::from_random([2; 16]));
        let speaking = allowances.speaks(one);
        assert!(speaking.is_some() && allowances.speaks(one).is_none() && allowances.speaks(two).is_some());
        drop(speaking);
        assert!(allowances.speaks(one).is_some());
    }

    #[test]
    fn what_no_host_has_is_refused() {
        let subnet: IpNet = "10.0.0.0/24".parse().expect("a subnet");
        assert!(check_host(Some(&Facts::default()), Some(&[subnet])).is_ok());
        let many = check_host(None, Some(&vec![subnet; SUBNETS_MAX + 1])).expect_err("too many");
        assert!(many.detail.contains("10001 subnets"), "{}", many.detail);
        let servers = Facts { nameservers: vec!["192.0.2.1".parse().expect("ip"); 65], ..Facts::default() };
        assert!(check_host(Some(&servers), None).is_err());
        assert!(check_host(Some(&Facts { boot_id: "x".repeat(65), ..Facts::default() }), None).is_err());
    }
}
