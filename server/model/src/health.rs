//! What nodes of a swarm find of the way between them, by probes that go as packets of overlay networks do.
//!
//! A way is proven there and back: what is sent to a node comes back from it, by kernels alone.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{NetworkId, NodeId};
use crate::timestamp::Timestamp;

/// Most ways that a node tells its manager of, those with trouble first.
pub const WAYS_TOLD: usize = 1024;
/// Most characters of a sentence about one.
const WORDS_MOST: usize = 512;
/// Most pairs that one answer has, those with trouble first.
pub const PAIRS_SHOWN: usize = 10_000;

/// What came of probing the way to another node just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sounding {
    /// The other node's address on the underlay.
    pub to: IpAddr,
    /// The greatest packet of an overlay network that passes both ways, in bytes; absent where none does.
    pub usable_mtu: Option<u32>,
    /// From sending a small one until it is back, in microseconds.
    pub rtt_us: Option<u64>,
    /// What is wrong.
    pub trouble: Option<Trouble>,
}

/// What is known of the way to another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// What came of the last probes.
    #[serde(flatten)]
    pub last: Sounding,
    /// When probes came back last.
    pub proven_at: Option<Timestamp>,
    /// When something was wrong last.
    pub failed_at: Option<Timestamp>,
}

impl Way {
    /// What is known after further probes.
    pub fn after(last: Sounding, former: Option<&Self>, now: Timestamp) -> Self {
        let proven_at = last.usable_mtu.map(|_| now).or_else(|| former?.proven_at);
        let failed_at = last.trouble.as_ref().map(|_| now).or_else(|| former?.failed_at);
        Self { last, proven_at, failed_at }
    }
}

/// As much of what a node says of ways as is taken: those with trouble first, and no sentence longer than is said of one.
pub fn bounded(mut ways: Vec<Way>) -> Vec<Way> {
    ways.sort_by_key(|way| way.last.trouble.is_none());
    ways.truncate(WAYS_TOLD);
    for trouble in ways.iter_mut().filter_map(|way| way.last.trouble.as_mut()) {
        if let Some((end, _)) = trouble.message.char_indices().nth(WORDS_MOST) {
            trouble.message.truncate(end);
        }
    }
    ways
}

/// What is wrong with a way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Trouble {
    /// Stable word for the cause.
    pub code: TroubleCode,
    /// A sentence for people, with what would help.
    #[schema(max_length = 512)]
    pub message: String,
}

/// The causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleCode {
    /// Nothing came back.
    NoAnswer,
    /// Small packets pass, and those of the size that the node's own link takes do not.
    OnlySmall,
    /// The host has no route to the other.
    NoRoute,
    /// The kernel refused to send.
    Refused,
}

/// Whether packets of overlay networks pass from one node to another, and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reachable {
    /// The last probes say that they don't.
    No,
    /// Nobody knows now: nothing was probed yet, or the node that would say so is silent.
    Unknown,
    /// They do.
    Yes,
}

impl Reachable {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::Yes => "yes",
        }
    }
}

/// How the nodes on an overlay network reach each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NetworkHealth {
    /// The network.
    pub network: NetworkId,
    /// Its MTU, in bytes: what its sandboxes' links have. Absent where the underlay's is not known yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = 1450)]
    pub mtu: Option<u32>,
    /// The nodes that have running sandboxes on it.
    #[schema(max_items = 10_000)]
    pub nodes: Vec<HealthNode>,
    /// How each reaches each other, as the first of the two finds it; those with trouble first. On a worker: as this node finds it.
    #[schema(max_items = 10_000)]
    pub pairs: Vec<HealthPair>,
    /// How many pairs there are beside these; the first of an answer are those with trouble.
    pub pairs_left_out: u64,
}

/// A node on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HealthNode {
    /// ID.
    pub id: NodeId,
    /// Its host's name, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64, example = "machine2")]
    pub hostname: Option<String>,
    /// Its address on the underlay.
    #[schema(max_length = 45, example = "192.168.122.186")]
    pub address: String,
}

/// The way from one node to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HealthPair {
    /// The node that probes.
    pub from: NodeId,
    /// The node that it probes.
    pub to: NodeId,
    /// Whether packets of overlay networks pass, there and back.
    pub reachable: Reachable,
    /// The greatest that passes, in bytes, as the MTU of a network has to be: what a VXLAN packet carries, without the Ethernet header. Packets are not taken apart on the
    /// way. Absent where none passes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = 1450)]
    pub usable_mtu: Option<u32>,
    /// From sending a small one until it is back, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rtt_us: Option<u64>,
    /// When probes came back last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proven_at: Option<Timestamp>,
    /// When something was wrong last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed_at: Option<Timestamp>,
    /// What is wrong now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<Trouble>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_remembers_when_it_was_proven_and_when_it_failed() {
        let sounding = |usable_mtu, wrong: bool| Sounding {
            to: [192, 0, 2, 1].into(),
            usable_mtu,
            rtt_us: None,
            trouble: wrong.then(|| Trouble { code: TroubleCode::NoAnswer, message: String::new() }),
        };
        let at = Timestamp::from_millis;
        let cases = [
            (sounding(Some(1450), false), 1, (Some(1), None)),
            (sounding(None, true), 2, (Some(1), Some(2))),
            (sounding(Some(1000), true), 3, (Some(3), Some(3))),
            (sounding(Some(1450), false), 4, (Some(4), Some(3))),
        ];
        let mut way = None;
        for (last, now, (proven, failed)) in cases {
            let next = Way::after(last, way.as_ref(), at(now));
            assert_eq!((next.proven_at, next.failed_at), (proven.map(at), failed.map(at)));
            way = Some(next);
        }
    }
}
