//! The objects of the story.

mod swarm;

use serde_json::{Value, json};

pub(super) use swarm::{
    health, info, join_secret, join_token, join_token_write, made_join_token, made_swarm, node, swarm, swarm_endpoint,
    swarm_write,
};

const TIME: &str = "2026-01-31T12:00:00.000Z";

/// An ID of a type.
pub(super) fn id(prefix: &str) -> String {
    format!("{prefix}_aebagbafaydqqcikbmga2dqpca")
}

/// A reference to an object.
pub(super) fn object(kind: &str, prefix: &str, name: &str) -> Value {
    json!({"kind": kind, "id": id(prefix), "name": name})
}

/// The macvlan network, as written.
pub(super) fn network_write() -> Value {
    json!({
        "name": "macvlan-net1", "driver": "macvlan",
        "pools": {"v4": {"subnet": "192.168.122.0/24", "gateway": "192.168.122.1"}},
        "macvlan": {"parent": "parent0", "mode": "bridge"},
    })
}

/// The macvlan network, as answered.
pub(super) fn network() -> Value {
    with(
        network_write(),
        resource(
            "net",
            40,
            json!({
                "state": "ready", "reconciling": false, "conditions": [], "scope": "local", "node": id("nod"),
                "predefined": false, "endpoints": 2,
                "pools": {"v4": {
                    "family": 4, "subnet": "192.168.122.0/24", "range": "192.168.122.1-192.168.122.254",
                    "gateway": "192.168.122.1", "automatic": false,
                    "capacity": {
                        "total": "254", "free": "251", "free_in_range": "251", "dynamic": 2, "requested": 0, "reserved": 0,
                        "gateway": 1, "host": 0, "held": 0, "releasing": 0, "quarantined": 0, "orphaned": 0,
                    },
                }},
            }),
        ),
    )
}

/// A bridge network without anything on it, as answered.
pub(super) fn bridge_network() -> Value {
    let mut bridge = with(
        json!({"name": "web", "driver": "bridge", "bridge": {"interface_name": "br-web", "inter_sandbox": false}}),
        resource("net", 43, network()["status"].take()),
    );
    netloom_model::document::merge(
        &mut bridge["status"],
        json!({
            "endpoints": 0,
            "pools": {"v4": {
                "subnet": "10.200.0.0/24", "range": "10.200.0.1-10.200.0.254", "gateway": "10.200.0.1", "automatic": true,
                "capacity": {"free": "253", "free_in_range": "253", "dynamic": 0},
            }},
        }),
    );
    bridge
}

/// The first sandbox, as written.
pub(super) fn sandbox_write() -> Value {
    json!({"name": "macvlan1", "networks": {"macvlan-net1": {}}})
}

/// The first sandbox, as answered.
pub(super) fn sandbox() -> Value {
    with(
        sandbox_write(),
        resource(
            "sbx",
            41,
            json!({
                "state": "running", "reconciling": false, "conditions": [], "scope": "local", "node": id("nod"),
                "netns": format!("/run/netloom/netns/{}", id("sbx")),
                "endpoints": {"macvlan-net1": {
                    "state": "attached", "network_id": id("net"), "endpoint_id": id("ept"), "lease_ids": [id("lse")],
                    "interface": "eth0", "mac": "02:42:c0:a8:7a:02", "address": "192.168.122.2", "prefix_length": 24,
                    "gateway": "192.168.122.1", "conditions": [],
                }},
                "interfaces": [{
                    "name": "eth0", "mac": "02:42:c0:a8:7a:02", "mtu": 1500,
                    "flags": ["UP", "BROADCAST", "RUNNING", "MULTICAST", "LOWER_UP"],
                    "addresses": [{
                        "address": "192.168.122.2", "prefix_length": 24, "broadcast": "192.168.122.255",
                        "mask": "255.255.255.0", "managed": true,
                    }],
                    "rx_packets": 8, "rx_bytes": 648, "tx_packets": 5, "tx_bytes": 378,
                }],
            }),
        ),
    )
}

/// The lease of the second sandbox.
pub(super) fn lease() -> Value {
    resource(
        "lse",
        42,
        json!({
            "address": "192.168.122.3", "prefix_length": 24, "mac": "02:42:c0:a8:7a:03", "network_id": id("net"),
            "network": "macvlan-net1", "pool": "v4", "kind": "dynamic", "state": "bound", "scope": "local",
            "owner": {"kind": "sandbox", "id": id("sbx"), "name": "macvlan2", "node": id("nod")}, "endpoint_id": id("ept"),
        }),
    )
}

/// A lease whose holder is gone.
pub(super) fn orphan() -> Value {
    let mut orphan = lease();
    netloom_model::document::merge(
        &mut orphan["status"],
        json!({
            "address": "192.168.122.7", "mac": "02:42:c0:a8:7a:07", "state": "orphaned", "reason": "process 4711 has ended",
            "since": TIME, "until": "2026-02-01T12:00:00.000Z", "owner": {"name": "builder"},
        }),
    );
    orphan
}

/// The pool of the macvlan network.
pub(super) fn pool() -> Value {
    let pool = network()["status"]["pools"]["v4"].take();
    with(
        pool,
        json!({
            "network": "macvlan-net1", "network_id": id("net"), "pool": "v4", "conditions": [],
            "largest_free": {"block": "192.168.122.4-192.168.122.254", "size": "251"},
            "free_ranges": [{"block": "192.168.122.4-192.168.122.254", "size": "251"}],
        }),
    )
}

/// A change of a network, with what it changed.
pub(super) fn history_entry() -> Value {
    json!({"time": TIME, "actor": "ci", "request_id": "req-0f3a9c51d2e4b687", "event": 41, "kind": "network.updated",
        "message": "network `macvlan-net1` updated", "action": "network.update", "decision": "allowed", "role": "operator",
        "source": "127.0.0.1", "before": {"description": "old"}, "after": {"description": "new"}})
}

/// One sandbox on one network.
pub(super) fn topology() -> Value {
    json!({
        "sandboxes": [{"id": id("sbx"), "name": "macvlan1", "node": id("nod"), "running": true}],
        "networks": [{"id": id("net"), "name": "macvlan-net1", "driver": "macvlan", "scope": "local"}],
        "nodes": [{"id": id("nod"), "hostname": "machine1"}],
        "endpoints": [{"sandbox": id("sbx"), "network": id("net"), "addresses": ["192.168.122.2"]}],
        "left_out": [], "seq": 42,
    })
}

/// A block of the macvlan network's pool.
pub(super) fn pool_map() -> Value {
    json!({"network": "macvlan-net1", "network_id": id("net"), "pool": "v4", "subnet": "192.168.122.0/24",
        "block": "192.168.122.0/28", "above": ["192.168.122.0/24"], "cell_prefix_length": 32, "leased": 1, "cells": [],
        "leases": [lease()], "free": [{"block": "192.168.122.3-192.168.122.15", "size": "13"}], "more_free": false})
}

/// A lease without sandbox.
pub(super) fn reservation() -> Value {
    with(
        json!({"key": "printer", "address": "192.168.122.9"}),
        resource(
            "lse",
            42,
            json!({
                "address": "192.168.122.9", "prefix_length": 24, "network_id": id("net"), "network": "macvlan-net1",
                "pool": "v4", "kind": "reserved", "state": "bound", "scope": "local",
                "owner": {"kind": "reservation", "name": "printer", "node": id("nod")},
            }),
        ),
    )
}

/// All about the address of the second sandbox.
pub(super) fn address() -> Value {
    let lease = lease();
    let owner = lease["status"]["owner"].clone();
    json!({
        "address": "192.168.122.3", "state": "leased", "node": id("nod"), "network": "macvlan-net1", "network_id": id("net"),
        "pool": "v4", "subnet": "192.168.122.0/24", "lease": lease,
        "history": [{
            "lease_id": id("lse"), "network_id": id("net"), "network": "macvlan-net1", "pool": "v4", "kind": "dynamic",
            "mac": "02:42:c0:a8:7a:03", "owner": owner, "from": TIME,
        }],
    })
}

/// An event.
pub(super) fn event() -> Value {
    json!({
        "id": format!("{}:41", id("sto")), "seq": 41, "time": TIME, "kind": "sandbox.created",
        "object": object("sandbox", "sbx", "macvlan1"), "message": "sandbox macvlan1 was created on macvlan-net1",
        "actor": "admin", "request_id": "req-5f1c2a9be0d34c17",
    })
}

/// A probe that was answered.
pub(super) fn probe() -> Value {
    let reply = |seq: u8| json!({"seq": seq, "mac": "02:42:c0:a8:7a:03", "address": "192.168.122.3", "rtt_us": 21});
    json!({
        "from": "macvlan1", "kind": "arp", "to": "192.168.122.3", "count": 3, "sent": 3, "received": 3,
        "interface": "eth0", "replies": [reply(1), reply(2), reply(3)],
    })
}

/// A difference.
pub(super) fn drift() -> Value {
    json!({
        "belongs_to": object("sandbox", "sbx", "macvlan1"), "difference": "missing", "object": "address",
        "name": "192.168.122.2/24 on eth0", "place": "macvlan1", "wanted": "192.168.122.2/24 on eth0",
    })
}

/// What an operation would do. A macvlan network has nothing of its own in the kernel, and a reservation never has.
pub(super) fn plan(operation: &str) -> Value {
    let (kind, name) = match operation {
        of if of.starts_with("network_lease") => ("lease", "printer"),
        of if of.starts_with("sandbox") => ("sandbox", "macvlan1"),
        _ => ("network", "macvlan-net1"),
    };
    let prefix = match kind {
        "lease" => "lse",
        "sandbox" => "sbx",
        _ => "net",
    };
    let removes = operation.ends_with("_delete");
    let verb = if removes { "Remove" } else { "Create" };
    let mut plan = plan_head(&format!("{verb} {kind} `{name}`."), object(kind, prefix, name));
    let (action, summary) = match removes {
        true => ("delete", "Remove link eth0 in sandbox macvlan1."),
        false => (
            "create",
            "Make link eth0 in sandbox macvlan1: macvlan on parent0, mode bridge, MAC 02:42:c0:a8:7a:02, up.",
        ),
    };
    let of_sandbox = kind == "sandbox";
    let operation = json!({
        "node": id("nod"), "action": action, "object": "link", "name": "eth0", "place": "macvlan1", "summary": summary,
        "interrupts": removes,
    });
    let interruption = json!({
        "sandbox": object("sandbox", "sbx", "macvlan1"), "networks": ["macvlan-net1"], "reasons": [summary],
    });
    plan["operations"] = if of_sandbox { json!([operation]) } else { json!([]) };
    plan["interruptions"] = if of_sandbox && removes { json!([interruption]) } else { json!([]) };
    plan["reads"] = json!([{"object": object("network", "net", "macvlan-net1"), "spec_revision": 41}]);
    plan
}

/// What a plan is about.
pub(super) fn plan_head(summary: &str, about: Value) -> Value {
    json!({
        "id": id("pln"), "summary": summary, "object": about, "created_at": TIME, "created_by": "admin",
        "expires_at": "2026-01-31T13:00:00.000Z",
    })
}

/// What came of a plan.
pub(super) fn plan_outcome() -> Value {
    let mut plan = plan_head("Create sandbox `macvlan1`.", object("sandbox", "sbx", "macvlan1"));
    plan["applied"] = json!({"at": TIME, "by": "admin"});
    json!({"plan": plan, "effect": "created", "sandbox": sandbox()})
}

/// A link of the host.
pub(super) fn host_link() -> Value {
    json!({
        "name": "parent0", "index": 7, "kind": "veth", "mac": "52:54:00:12:34:56", "mtu": 1500, "up": true,
        "loopback": false, "addresses": ["192.168.122.185/24"],
    })
}

/// What the service can do.
pub(super) fn capabilities() -> Value {
    json!({
        "drivers": [
            {"driver": "bridge", "create": true, "attach": true},
            {"driver": "host", "create": false, "attach": true},
            {"driver": "macvlan", "create": true, "attach": true, "modes": ["bridge", "private", "vepa"]},
            {"driver": "none", "create": false, "attach": true},
        ],
        "probes": ["arp", "icmp", "tcp"],
        "limits": {
            "body_bytes": 1_048_576, "page_items": 1000, "wait_seconds": 300, "name_characters": 63,
            "description_bytes": 1024, "labels": 64, "networks_per_sandbox": 64,
            "endpoints_per_bridge": 1023,
        },
    })
}

fn resource(prefix: &str, revision: u64, status: Value) -> Value {
    json!({"id": id(prefix), "revision": revision, "spec_revision": revision, "created_at": TIME, "updated_at": TIME, "status": status})
}

fn with(mut written: Value, decided: Value) -> Value {
    netloom_model::document::merge(&mut written, decided);
    written
}

/// A token, as it is listed.
pub(super) fn token() -> Value {
    json!({
        "name": "ci", "role": "operator", "expires_at": "2027-01-31T12:00:00Z", "id": id("tok"), "revision": 44, "created_at": TIME,
        "created_by": "socket:root", "status": {"state": "active", "last_used_at": TIME},
    })
}

/// A token that was just made.
pub(super) fn made_token() -> Value {
    let mut made = token();
    made["status"] = json!({"state": "active"});
    // Of zeros, and with a checksum that does not fit: no scanner takes it for a token that somebody lost.
    made["secret"] = format!("nlm_{}_{}", &id("tok")[4..], "a".repeat(59)).into();
    made
}

/// An audit entry of a change.
pub(super) fn audit_entry() -> Value {
    json!({
        "seq": 7, "time": TIME, "actor": "ci", "role": "operator", "token_id": id("tok"), "source": "127.0.0.1",
        "request_id": "req-5f1c2a9be0d34c17", "method": "PATCH", "path": "/api/v1/networks/macvlan-net1", "action": "network.update",
        "object": object("network", "net", "macvlan-net1"), "decision": "allowed", "event": 45,
        "before": {"description": "the lab"}, "after": {"description": "the lab, third floor"},
    })
}
