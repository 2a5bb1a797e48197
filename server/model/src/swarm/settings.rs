//! The settings of a swarm: as they are asked for, and with defaults filled in.

use serde::{Deserialize, Serialize};

use super::DATA_PATH_PORT;

/// Default of [`SwarmSpec::default_address_pools`] (Docker's).
pub const DEFAULT_ADDRESS_POOL: &str = "10.0.0.0/8";
/// Default of [`SwarmSpec::subnet_size`] (Docker's).
pub const SUBNET_SIZE: u8 = 24;
/// Default of [`SwarmSpec::task_history_limit`] (Docker's).
pub const TASK_HISTORY_LIMIT: u32 = 5;
/// Default of [`SwarmSpec::certificate_validity_hours`]: 90 days (Docker's).
pub const CERTIFICATE_VALIDITY_HOURS: u32 = 2160;
/// Most that [`SwarmSpec::segment_fence_seconds`] may be.
pub const SEGMENT_FENCE_MAX: u32 = 3600;
/// Default of [`SwarmSpec::segment_fence_seconds`].
pub const SEGMENT_FENCE_SECONDS: u32 = 60;

/// The settings of a swarm, as they are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwarmSpec {
    /// Name, for people; `default` unless said. 1 to 63 characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 63, example = "default")]
    pub name: Option<String>,
    /// Subnets that overlay networks without one of their own are cut from; 10.0.0.0/8 unless said. A change counts for new networks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_items = 16, example = json!(["10.0.0.0/8"]))]
    pub default_address_pools: Option<Vec<String>>,
    /// Prefix length of what is cut; 24 unless said. A change counts for new networks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 8, maximum = 29, example = 24)]
    pub subnet_size: Option<u8>,
    /// UDP port of the overlays' packets, 1024 to 49151; 4789 unless said. It changes only while there is no overlay network with an endpoint.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1024, maximum = 49151, example = 4789)]
    pub data_path_port: Option<u16>,
    /// How many ended tasks of each replica are remembered; 5 unless said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(maximum = 1000, example = 5)]
    pub task_history_limit: Option<u32>,
    /// How long a node's certificate is good for, in hours, from 1 hour; 2160 (90 days) unless said. Renewed by itself after two thirds of that; a change counts from
    /// the next renewal on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1, maximum = 87600, example = 2160)]
    pub certificate_validity_hours: Option<u32>,
    /// After how many seconds without an answer of the manager a worker takes the links of its sandboxes on macvlan and bridge networks of the swarm down; 60 unless said. At
    /// least three heartbeats (15), at most 3600; 0 is never. Addresses there of a node that was removed come free after twice that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(maximum = 3600, example = 60)]
    pub segment_fence_seconds: Option<u32>,
    /// Where the manager listens for nodes: an address of its host, and a port, 2377 unless said. The host's only address of global scope where this is absent. Immutable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 64, example = "192.168.122.185:2377")]
    pub advertise_address: Option<String>,
}

/// The settings of a swarm with all defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SwarmSettings {
    /// Name.
    #[schema(max_length = 63)]
    pub name: String,
    /// Subnets that overlay networks are cut from.
    #[schema(max_items = 16)]
    pub default_address_pools: Vec<String>,
    /// Prefix length of what is cut.
    pub subnet_size: u8,
    /// UDP port of the overlays' packets.
    pub data_path_port: u16,
    /// Ended tasks that are remembered for each replica.
    pub task_history_limit: u32,
    /// How long a certificate is good for, in hours.
    pub certificate_validity_hours: u32,
    /// After how many seconds without the manager's answer links on segments are taken down; 0 is never.
    #[serde(default = "segment_fence")]
    pub segment_fence_seconds: u32,
}

/// What holds where nobody said it: of a manager that does not know of it.
const fn segment_fence() -> u32 {
    SEGMENT_FENCE_SECONDS
}

impl SwarmSpec {
    /// The settings that hold.
    pub fn settings(&self) -> SwarmSettings {
        SwarmSettings {
            name: self.name.clone().unwrap_or_else(|| "default".to_owned()),
            default_address_pools: self
                .default_address_pools
                .clone()
                .unwrap_or_else(|| vec![DEFAULT_ADDRESS_POOL.to_owned()]),
            subnet_size: self.subnet_size.unwrap_or(SUBNET_SIZE),
            data_path_port: self.data_path_port.unwrap_or(DATA_PATH_PORT),
            task_history_limit: self.task_history_limit.unwrap_or(TASK_HISTORY_LIMIT),
            certificate_validity_hours: self.certificate_validity_hours.unwrap_or(CERTIFICATE_VALIDITY_HOURS),
            segment_fence_seconds: self.segment_fence_seconds.unwrap_or(SEGMENT_FENCE_SECONDS),
        }
    }
}
