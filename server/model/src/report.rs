//! What a node says back: outcomes to those who wait, findings to whoever keeps the store, live facts to whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::assignment::Key;
use crate::condition::Condition;
use crate::facts::Facts;
use crate::health::Sounding;
use crate::id::{EndpointId, NetworkId, SandboxId};
use crate::mac::MacAddr;
use crate::plan::{PlannedOperation, Refusal};
use crate::sandbox::InterfaceStatus;

/// How far one key got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The kernel holds what the assignment at this revision (or a later one) says; a deleting object is gone, and was reported so.
    Converged {
        /// The revision that was verified.
        revision: u64,
    },
    /// The kernel or the host refused; it is tried again with back-off.
    Refused(Refusal),
    /// The deadline came first; the work goes on.
    Pending,
}

/// Something a node found, which changes rows or is worth an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// Nothing of these is in the kernel any more, proven.
    Gone {
        /// Deleting networks.
        networks: Vec<NetworkId>,
        /// Deleting sandboxes, with all their endpoints.
        sandboxes: Vec<SandboxId>,
        /// Deleting endpoints of sandboxes that stay, with those.
        endpoints: Vec<(SandboxId, EndpointId)>,
    },
    /// A stranger answered for an address that an endpoint was about to take.
    AddressConflict {
        /// The endpoint.
        endpoint: EndpointId,
        /// The address.
        address: IpAddr,
        /// The stranger.
        mac: MacAddr,
    },
    /// Something of ours differed and was put right.
    Repaired {
        /// The object it belongs to; absent for leftovers that no object claims.
        key: Option<Key>,
        /// What was found, in words.
        found: String,
        /// What was done.
        operations: Vec<PlannedOperation>,
    },
    /// An object can't be brought to what is wanted; said once per cause, not once per try.
    Failed {
        /// The object.
        key: Key,
        /// Why.
        refusal: Refusal,
    },
    /// The adopted namespace of a sandbox is gone.
    Orphaned {
        /// The sandbox.
        sandbox: SandboxId,
        /// What was found instead.
        reason: String,
    },
    /// The adopted namespace of an orphaned sandbox is there again, the very same.
    Found {
        /// The sandbox.
        sandbox: SandboxId,
    },
    /// Conditions came or went.
    Conditions {
        /// Whether these are all conditions there are, so that objects that are not here have none.
        everything: bool,
        /// What holds now, by object.
        conditions: BTreeMap<Key, Vec<Condition>>,
        /// Networks of these that are not in use: whether a condition of [`crate::condition::ONLY_IN_USE`] holds of one nobody knows, and what
        /// was told stands.
        idle: BTreeSet<NetworkId>,
    },
    /// The host's links, routes or nameservers changed.
    HostChanged(Box<Facts>),
    /// The ways to all other nodes on overlay networks that are in use here were probed. One that never answered and was just begun with is not
    /// among them.
    Sounded(Vec<Sounding>),
}

/// What a node knows of its objects now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// By key; an object the node has not looked at yet is absent.
    pub objects: BTreeMap<Key, LiveObject>,
}

/// What a node says without being asked of any object in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The objects with a refusal that stands, or with conditions.
    pub remarkable: Live,
    /// The revision that each sandbox was last verified at.
    pub verified: BTreeMap<SandboxId, u64>,
}

/// What a node knows of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveObject {
    /// The revision the kernel was last verified to hold; absent before the first time.
    pub verified: Option<u64>,
    /// The last refusal, while it stands.
    pub refusal: Option<Refusal>,
    /// Remarkable things.
    pub conditions: Vec<Condition>,
    /// Path of a sandbox's namespace, while there is one.
    pub netns: Option<String>,
    /// A sandbox's interfaces, looked at for this answer; only when asked for.
    pub interfaces: Option<Vec<InterfaceStatus>>,
}

/// What a node counted since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Passes made, of any scope.
    pub passes: u64,
    /// Passes over everything.
    pub full_passes: u64,
    /// Operations the kernel took.
    pub operations_applied: u64,
    /// Operations the kernel refused.
    pub operations_refused: u64,
    /// Repairs of drift.
    pub repairs: u64,
    /// Kernel notifications heard.
    pub notifications: u64,
    /// Times the notifications overran, so that everything was looked at again.
    pub overruns: u64,
    /// How long the last full pass took, in microseconds.
    pub last_full_pass_us: u64,
}
