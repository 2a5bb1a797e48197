//! Who is on which network, on which node: the sandboxes of a list with their endpoints, or what is around one object.
//!
//! What must not live here: how it is drawn (web), and how it is found (store).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::ObjectRef;
use crate::id::{NetworkId, NodeId, SandboxId};
use crate::network::{Driver, Scope};
use crate::sandbox::SandboxState;
use crate::timestamp::Timestamp;

/// Most sandboxes that are told one by one of what is around one object; others are counted by their node.
pub const NEIGHBOURS_MOST: u32 = 36;

/// Sandboxes with their endpoints, and the networks and nodes that these are on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Topology {
    /// The object that this is around; absent of a list.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<ObjectRef>,
    /// The sandboxes, by name; those on no network, too.
    #[schema(max_items = 1000)]
    pub sandboxes: Vec<TopologySandbox>,
    /// The networks that they are on, by name; with the one that was asked for.
    pub networks: Vec<TopologyNetwork>,
    /// The nodes that they are on, by host name; with the one that was asked for.
    pub nodes: Vec<TopologyNode>,
    /// Which sandbox is on which network.
    pub endpoints: Vec<TopologyEndpoint>,
    /// Of what is around one object: further sandboxes, counted by their node.
    pub left_out: Vec<TopologyRest>,
    /// Where the list goes on; absent on the last page, and of what is around one object.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_page_token: Option<String>,
    /// Number of the last event that this shows.
    pub seq: u64,
}

impl Topology {
    /// Since when a node is silent, if it is.
    pub fn silent_since(&self, node: NodeId) -> Option<Timestamp> {
        self.nodes.iter().find(|one| one.id == node)?.silent_since
    }

    /// The word for the state that a sandbox is in, unless it runs; `unknown` where its node is silent.
    pub fn unless_running(&self, sandbox: &TopologySandbox) -> Option<&'static str> {
        match self.silent_since(sandbox.node) {
            Some(_) => Some(UNKNOWN),
            None => sandbox.unless_running(),
        }
    }
}

/// The word for the state of a sandbox whose node is silent.
pub const UNKNOWN: &str = "unknown";

/// A sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopologySandbox {
    /// ID, in its node's store.
    pub id: SandboxId,
    /// Its name, there.
    pub name: String,
    /// The node that it is on.
    pub node: NodeId,
    /// Whether it should run.
    pub running: bool,
    /// The state that it is in; absent of one on another node, of which this host knows only whether it should run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<SandboxState>,
}

impl TopologySandbox {
    /// The word for the state that it is in, unless it runs.
    const fn unless_running(&self) -> Option<&'static str> {
        match self.state {
            Some(SandboxState::Running) => None,
            Some(state) => Some(state.as_str()),
            None if self.running => None,
            None => Some(SandboxState::Stopped.as_str()),
        }
    }
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopologyNetwork {
    /// ID.
    pub id: NetworkId,
    /// Name.
    pub name: String,
    /// Driver.
    pub driver: Driver,
    /// Whether it is this host's alone.
    pub scope: Scope,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopologyNode {
    /// ID.
    pub id: NodeId,
    /// Its host's name, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64, example = "machine2")]
    pub hostname: Option<String>,
    /// When it reported last, where it is silent since: of its sandboxes is told what it said last. At the swarm's manager.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub silent_since: Option<Timestamp>,
}

/// A sandbox's endpoint on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopologyEndpoint {
    /// The sandbox.
    pub sandbox: SandboxId,
    /// The network.
    pub network: NetworkId,
    /// Its addresses there, IPv4 first.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
}

/// Sandboxes of a node that are not told one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopologyRest {
    /// The node.
    pub node: NodeId,
    /// How many.
    pub sandboxes: u64,
}
