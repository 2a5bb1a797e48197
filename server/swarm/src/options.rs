//! Times and limits of the wire. Their defaults are the product's; tests make them short.

use std::net::IpAddr;
use std::time::Duration;

use netloom_model::swarm::HEARTBEAT_SECONDS;

/// What the wire is told at its start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The address that a manager listens on; all of them where this is absent. The port is the swarm's.
    pub listen: Option<IpAddr>,
    /// How long things may take, and how often they happen.
    pub waits: Waits,
    /// How much of something there may be on a manager.
    pub limits: Limits,
}

/// How long things may take, and how often they happen.
#[derive(Debug, Clone)]
pub struct Waits {
    /// Between two heartbeats; also the longest that a worker waits before it tries an absent manager again.
    pub heartbeat: Duration,
    /// Between two requests to be re-admitted.
    pub readmission: Duration,
    /// Between two attempts to renew a certificate.
    pub renewal: Duration,
    /// Until a connection is there, and again until its TLS is.
    pub connect: Duration,
    /// Until an answer has come. Letting a node in waits for the manager's disk.
    pub answer: Duration,
    /// Until the manager's API has answered what a worker handed on: longer than a caller may have it wait.
    pub forwarded: Duration,
    /// Until the head of the next request has come on a connection, or, after the head, its body.
    pub request: Duration,
    /// How long a connection without a certificate may last.
    pub stranger: Duration,
    /// Until a manager whose port is taken tries to listen again.
    pub listen: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(HEARTBEAT_SECONDS),
            readmission: Duration::from_secs(30),
            renewal: Duration::from_secs(60),
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(15),
            forwarded: Duration::from_secs(330),
            request: Duration::from_secs(20),
            stranger: Duration::from_secs(30),
            listen: Duration::from_secs(2),
        }
    }
}

/// How much of something there may be on a manager.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections without a certificate, or not yet with one, from one address (of IPv6, from one /64).
    pub strangers_of_one: u32,
    /// Such connections from anywhere.
    pub strangers: u32,
    /// Connections of one node.
    pub of_one_node: u32,
    /// Requests of one node's callers that it handed on and that are not answered yet.
    pub handed_on_by_one_node: u32,
    /// Failed attempts to join or to be re-admitted from one address, at once.
    pub attempts: u32,
    /// After those, one more each so often.
    pub attempt_every: Duration,
    /// Longest body of a request without a certificate, in bytes.
    pub stranger_body: usize,
    /// Longest body of a member's request, in bytes: the host's routes and its sandboxes are in it. A worker sends no longer report.
    pub member_body: usize,
    /// Above this length a member's body is a large one, in bytes.
    pub large_body: usize,
    /// How many large bodies may be read at once, of all members: so many times [`Self::member_body`] is what they take of memory, and what is made of them.
    pub large_bodies: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strangers_of_one: 16,
            strangers: 256,
            of_one_node: 16,
            handed_on_by_one_node: 8,
            attempts: 10,
            attempt_every: Duration::from_secs(6),
            stranger_body: 16 << 10,
            member_body: 32 << 20,
            large_body: 256 << 10,
            large_bodies: 4,
        }
    }
}
