//! Traffic: counters of interfaces as they were at some moments, so that rates can be told. What must not live here: who looks, and when.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// The counters of an interface at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrafficSample {
    /// When they were read.
    pub time: Timestamp,
    /// Packets received since the interface is there.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
}

/// What is remembered of one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InterfaceTraffic {
    /// The interface's name inside the sandbox.
    #[schema(max_length = 15, example = "eth0")]
    pub interface: String,
    /// Its counters, the oldest first; all from one and the same interface.
    #[schema(max_items = 300)]
    pub samples: Vec<TrafficSample>,
}
