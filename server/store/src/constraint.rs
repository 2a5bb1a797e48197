//! The names of the rules that the database keeps, as [`crate::Error::Duplicate`] carries them.
//! Each is made of the table and the columns of its unique index, `_id` left off.

/// Two networks of one name.
pub const NETWORK_NAME: &str = "network_name";
/// Two networks with one number in VXLAN packets.
pub const NETWORK_VNI: &str = "network_vni";
/// Two pools of one network with one key.
pub const POOL_KEY: &str = "pool_network_key";
/// Two leases of one address.
pub const LEASE_ADDRESS: &str = "lease_address";
/// Two leases of one network with one key.
pub const LEASE_KEY: &str = "lease_network_key";
/// Two sandboxes of one name.
pub const SANDBOX_NAME: &str = "sandbox_name";
/// Two endpoints with one Ethernet address.
pub const ENDPOINT_MAC: &str = "endpoint_mac";
/// Two endpoints of one sandbox on one network, neither of them on its way out.
pub const ENDPOINT_NETWORK: &str = "endpoint_sandbox_network";
/// Two endpoints of one sandbox with one interface name, neither of them on its way out.
pub const ENDPOINT_INTERFACE: &str = "endpoint_sandbox_interface";
/// Two endpoints of one sandbox at one position.
pub const ENDPOINT_POSITION: &str = "endpoint_sandbox_position";
/// Two attachments of a node's sandbox to one network.
pub const ATTACHMENT: &str = "attachment_node_sandbox_network";
/// Two tokens of one name.
pub const TOKEN_NAME: &str = "token_name";
/// Two join tokens of one name.
pub const JOIN_TOKEN_NAME: &str = "join_token_name";
/// Two requests of one principal by one route under one key.
pub const IDEMPOTENCY_KEY: &str = "idempotency_key_principal_route_key";
