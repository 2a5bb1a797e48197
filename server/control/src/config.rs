//! What the operator can set of the use cases. Values only; the daemon reads them from its flags.

use std::time::Duration;

use ipnet::IpNet;
use netloom_ipam::defaults;
use netloom_model::net::Family;

/// Settings of the use cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where automatic IPv4 subnets are cut from, in order.
    pub default_pools4: Vec<IpNet>,
    /// Where automatic IPv6 subnets are cut from, in order.
    pub default_pools6: Vec<IpNet>,
    /// How many events are kept.
    pub event_retention: u64,
    /// How long it is remembered who had an address, after the holder let go of it; 90 days by default. At most 10,000 holdings
    /// are removed in one transaction, as many transactions as it takes, every five minutes.
    pub history_retention: Duration,
    /// How long an address that a stranger answered for is kept out of use.
    pub quarantine: Duration,
    /// How long a sandbox whose adopted namespace is gone keeps its addresses; then it is removed and they come free. A day unless said.
    pub orphan_grace: Duration,
    /// How many addresses an attach tries before it is refused because strangers answer for all of them.
    pub conflict_candidates: u32,
    /// How long an unused session lasts.
    pub session_idle: Duration,
    /// How long a session lasts at most.
    pub session_max: Duration,
    /// How long a login link is good.
    pub link_life: Duration,
    /// How often a node of a swarm reports: after three that are missed it is down.
    pub heartbeat: Duration,
}

impl Default for Config {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            default_pools4: defaults::POOLS4.to_vec(),
            default_pools6: defaults::POOLS6.to_vec(),
            event_retention: 100_000,
            history_retention: Duration::from_secs(90 * 24 * HOUR),
            quarantine: Duration::from_secs(600),
            orphan_grace: Duration::from_secs(24 * HOUR),
            conflict_candidates: 8,
            session_idle: Duration::from_secs(12 * HOUR),
            session_max: Duration::from_secs(7 * 24 * HOUR),
            link_life: Duration::from_secs(HOUR),
            heartbeat: Duration::from_secs(netloom_model::swarm::HEARTBEAT_SECONDS),
        }
    }
}

impl Config {
    /// The default pools of a family.
    pub(crate) fn default_pools(&self, family: Family) -> &[IpNet] {
        match family {
            Family::V4 => &self.default_pools4,
            Family::V6 => &self.default_pools6,
        }
    }
}
