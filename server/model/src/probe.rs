//! Probes: is something there, seen from inside a sandbox.

use serde::{Deserialize, Serialize};

use crate::mac::MacAddr;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    /// ARP requests (RFC 826), or neighbour solicitations (RFC 4861) for an IPv6 address.
    Arp,
    /// ICMP or ICMPv6 echo requests.
    Icmp,
    /// TCP connections.
    Tcp,
}

/// What a user asks of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeSpec {
    /// The sandbox to send from, by name or ID.
    #[schema(max_length = 63, example = "macvlan1")]
    pub from: String,
    /// What to send.
    pub kind: ProbeKind,
    /// The address to send to.
    #[schema(max_length = 45, example = "192.168.122.3")]
    pub to: String,
    /// TCP port, 1 to 65535; needed for `tcp`, refused otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u16>,
    /// How many, 1 to 20; 3 unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 20)]
    pub count: Option<u8>,
    /// How long to wait for each answer, in milliseconds, 10 to 5000; 1000 unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 10, maximum = 5000)]
    pub timeout_ms: Option<u32>,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProbeReport {
    /// What was asked.
    #[serde(flatten)]
    pub spec: ProbeSpec,
    /// How many were sent.
    pub sent: u8,
    /// How many were answered.
    pub received: u8,
    /// The interface they left through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The answers, in the order they came.
    pub replies: Vec<ProbeReply>,
    /// Why nothing came, when nothing did: the kernel's refusal, or the likely cause. Between two sandboxes also what keeps them apart, where that
    /// is known: a network's settings, or a firewall of the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProbeReply {
    /// Which request it answers, from 1.
    pub seq: u8,
    /// Who answered, at layer 2; with kind `arp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Who answered, at layer 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// From sending to receiving, in microseconds.
    pub rtt_us: u64,
}
