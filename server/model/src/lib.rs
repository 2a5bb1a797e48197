//! The nouns of Netloom, in one vocabulary for every layer (`docs/GLOSSARY.md`).
//!
//! What lives here: values, their checked text forms, what a user writes (`*Spec`), what Netloom answers
//! (`Network`, `Sandbox`, `Lease`, ... with their `*Status`), what a node is told (`Assignment`) and what it
//! says back (`Report`). What must not: I/O, clocks, randomness, SQL, netlink, HTTP. Time and random bytes come in as arguments.
//!
//! | module | holds |
//! |---|---|
//! | [`id`], [`name`], [`mac`], [`net`], [`timestamp`] | values with one text form each |
//! | [`host_link`] | names of the links on the host |
//! | [`network`], [`sandbox`], [`port`], [`lease`], [`probe`] | the resources: spec and status |
//! | [`ipam`], [`map`] | the pools of all networks, with their use; one of them block by block |
//! | [`token`], [`audit`], [`history`] | who may ask, who asked for what, and what became of one object |
//! | [`swarm`], [`member`], [`replica`] | hosts that agreed to share: the swarm, its nodes, and what they say to one another |
//! | [`health`] | how its nodes reach each other |
//! | [`assignment`], [`report`], [`facts`] | what passes between control and a node |
//! | [`topology`] | which sandbox is on which network, on which node |
//! | [`plan`], [`drift`], [`event`], [`condition`] | what happens, what would, what differs |
//! | [`document`], [`invalid`] | JSON in, with the field named when it is wrong |

pub mod assignment;
pub mod audit;
pub mod condition;
pub mod document;
pub mod drift;
pub mod event;
pub mod facts;
pub mod health;
pub mod history;
pub mod host_link;
pub mod id;
pub mod invalid;
pub mod ipam;
pub mod lease;
pub mod mac;
pub mod map;
pub mod member;
pub mod name;
pub mod net;
pub mod network;
pub mod order;
pub mod plan;
pub mod port;
pub mod probe;
pub mod replica;
pub mod report;
pub mod sandbox;
pub mod search;
pub mod swarm;
pub mod swarm_endpoint;
pub mod timestamp;
pub mod token;
pub mod topology;
pub mod traffic;

pub use id::{EndpointId, JoinTokenId, LeaseId, NetworkId, NodeId, PlanId, SandboxId, StoreId, SwarmId, TokenId};
pub use invalid::Invalid;
pub use mac::MacAddr;
pub use timestamp::{Since, Timestamp};
