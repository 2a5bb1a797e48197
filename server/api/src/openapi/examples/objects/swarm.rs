//! The objects of the story's second part: two hosts in a swarm.

use serde_json::{Value, json};

use super::{TIME, id, with};

/// The swarm, as written.
pub(crate) fn swarm_write() -> Value {
    json!({"name": "default", "advertise_address": "192.168.122.185:2377"})
}

/// The swarm, as a node of this role knows it.
pub(crate) fn swarm(role: &str) -> Value {
    let mut status = json!({
        "role": role, "node": id("nod"), "manager": "192.168.122.185:2377", "connected": true, "managers": 1, "nodes": 2,
        "ca_digest": "0".repeat(50), "certificate_expires_at": "2026-05-01T12:00:00.000Z",
        "settings": {
            "name": "default", "default_address_pools": ["10.0.0.0/8"], "subnet_size": 24, "data_path_port": 4789,
            "task_history_limit": 5, "certificate_validity_hours": 2160,
        },
    });
    if role == "worker" {
        status["last_contact"] = TIME.into();
    }
    with(
        swarm_write(),
        json!({"id": id("swm"), "revision": 40, "created_at": TIME, "updated_at": TIME, "status": status}),
    )
}

/// A swarm that was just made.
pub(crate) fn made_swarm() -> Value {
    let mut made = swarm("manager");
    made["status"]["nodes"] = 1.into();
    let mut token = made_join_token();
    for member in ["max_uses", "node_labels"] {
        token.as_object_mut().and_then(|members| members.remove(member));
    }
    token["name"] = "worker".into();
    made["join_token"] = token;
    made
}

/// A join token, as written.
pub(crate) fn join_token_write() -> Value {
    json!({"name": "rack-7", "role": "worker", "max_uses": 3, "node_labels": {"rack": "7"}})
}

/// A join token, as it is listed.
pub(crate) fn join_token() -> Value {
    with(
        join_token_write(),
        json!({
            "id": id("jtk"), "revision": 41, "created_at": TIME, "created_by": "socket:root",
            "status": {"state": "active", "uses": 1, "last_used_at": TIME},
        }),
    )
}

/// The text of a join token, of zeros: nobody joins by it.
pub(crate) fn join_secret() -> String {
    format!("SWMTKN-1-{}-{}", "0".repeat(50), "0".repeat(25))
}

/// A join token that was just made.
pub(crate) fn made_join_token() -> Value {
    let mut made = join_token();
    made["status"] = json!({"state": "active", "uses": 0});
    made["secret"] = join_secret().into();
    made["command"] = format!("netloom swarm join --token {} 192.168.122.185:2377", join_secret()).into();
    made
}

/// A node.
pub(crate) fn node() -> Value {
    json!({
        "availability": "active", "labels": {"rack": "7"}, "id": id("nod"), "revision": 42, "spec_revision": 42,
        "created_at": TIME, "updated_at": TIME,
        "status": {
            "state": "ready", "role": "worker", "hostname": "machine2", "address": "192.168.122.186", "version": "0.1.0",
            "last_seen": TIME, "certificate_expires_at": "2026-05-01T12:00:00.000Z", "conditions": [],
        },
    })
}

/// What a host is.
pub(crate) fn info() -> Value {
    json!({
        "version": "0.1.0", "hostname": "machine1", "kernel": "6.1.0-31-amd64", "node": id("nod"), "networks": 4, "sandboxes": 2,
        "swarm_state": "active", "swarm": swarm("manager"),
    })
}

/// How two nodes reach each other on an overlay network.
pub(crate) fn health() -> Value {
    let node =
        |name: &str, last: u8| json!({"id": id("nod"), "hostname": name, "address": format!("192.168.122.{last}")});
    json!({
        "network": id("net"), "mtu": 1450, "nodes": [node("machine1", 185), node("machine2", 186)],
        "pairs": [{
            "from": id("nod"), "to": id("nod"), "reachable": "yes", "usable_mtu": 1450, "rtt_us": 310, "proven_at": TIME,
        }],
        "pairs_left_out": 0,
    })
}

/// An endpoint of another node, on a network of the swarm.
pub(crate) fn swarm_endpoint() -> Value {
    json!({
        "id": id("ept"), "network_id": id("net"), "network": "far", "sandbox_id": id("sbx"), "sandbox": "web1", "node": id("nod"),
        "hostname": "machine2", "state": "running", "running": true, "mac": "02:42:0a:63:00:03", "addresses": ["10.99.0.3"], "aliases": [],
        "created_at": TIME, "updated_at": TIME,
    })
}
