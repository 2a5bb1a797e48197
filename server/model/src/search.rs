//! What a search finds: objects and addresses by whatever a person has at hand. What must not live here: how a text is understood (control).

use serde::{Deserialize, Serialize};

/// What something found is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HitKind {
    /// An address, whether or not somebody has it.
    Address,
    /// A lease, named by its address.
    Lease,
    /// A pool, named by its subnet.
    Pool,
    /// A network.
    Network,
    /// A sandbox.
    Sandbox,
    /// A sandbox of another node, at the swarm's manager: one on a network of the swarm.
    Away,
    /// A node of the swarm.
    Node,
    /// An API token, of which only the name is told; to administrators.
    Token,
    /// A network or a sandbox that was removed, as long as events tell of it.
    Removed,
    /// What was asked for by this name and refused, so that it never came to be; to those who may read the audit, as long as that tells of it.
    Refused,
    /// A request, named by its ID: what came of it is in the events, and to those who may read it in the audit.
    Request,
}

impl HitKind {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Lease => "lease",
            Self::Pool => "pool",
            Self::Network => "network",
            Self::Sandbox => "sandbox",
            Self::Away => "away",
            Self::Node => "node",
            Self::Token => "token",
            Self::Removed => "removed",
            Self::Refused => "refused",
            Self::Request => "request",
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Hit {
    /// What it is called: a name, an address, a subnet, a host's name, a request's ID.
    #[schema(max_length = 128)]
    pub name: String,
    /// Its ID, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 31)]
    pub id: Option<String>,
    /// The network that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 63)]
    pub network: Option<String>,
    /// What there is to say of it, in a few words; names and values stand between backticks.
    pub about: String,
    /// Whether it is named exactly, rather than one of several that are like the text.
    pub exact: bool,
}

/// What was found of one kind: what is named exactly first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HitGroup {
    /// The kind.
    pub kind: HitKind,
    /// The first of them.
    #[schema(max_items = 25)]
    pub hits: Vec<Hit>,
    /// Whether there are more than these: the list of that kind, filtered, has them all.
    pub more: bool,
}

/// What was found for a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SearchReport {
    /// The text, without space around it.
    #[schema(max_length = 256)]
    pub query: String,
    /// What was found, by kind. Kinds of which there is nothing are absent.
    #[schema(max_items = 11)]
    pub groups: Vec<HitGroup>,
    /// Where the text looks like an address that different programs read differently: why it is not read as one, and what it may mean.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ambiguity: Option<Ambiguity>,
}

/// An address that is not read, since programs disagree on what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ambiguity {
    /// Why.
    pub message: String,
    /// What it may mean, the likeliest first: each can be searched for.
    #[schema(min_items = 1, max_items = 2)]
    pub readings: Vec<Reading>,
}

/// One way to read an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reading {
    /// How its numbers are read: `decimal` or `octal`.
    #[schema(max_length = 16)]
    pub numbers: String,
    /// The address, with the length of a prefix or the port that stood behind it.
    #[schema(max_length = 256)]
    pub address: String,
}
