//! An example of what each operation takes and answers: the story of two sandboxes on a macvlan network. A test holds them
//! against their schemas.

use serde_json::{Value, json};

use crate::answer::DRY_RUN;

mod objects;

use objects::{event, host_link, lease, network, network_write, object, plan, reservation, sandbox, sandbox_write};

/// Adds them.
pub(super) fn add(document: &mut Value) {
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            let taken = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
            for (_, media) in taken.into_iter().flatten() {
                if let Some(example) = request(&id) {
                    media["example"] = example;
                }
            }
            for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { continue };
                for (kind, media) in content {
                    if let Some(example) = answer(&id, status, kind) {
                        media["example"] = example;
                    }
                }
            }
        }
    }
}

fn request(id: &str) -> Option<Value> {
    Some(match id {
        "network_create" | "network_put" => network_write(),
        "network_patch" => json!({"description": "the lab", "labels": {"team": "lab", "old": null}}),
        "sandbox_create" | "sandbox_put" => sandbox_write(),
        "sandbox_patch" => json!({"networks": {"macvlan-net2": {}, "macvlan-net1": null}}),
        "network_lease_create" => json!({"key": "printer", "address": "192.168.122.9"}),
        "network_lease_put" => json!({"address": "192.168.122.9", "description": "third floor"}),
        "network_lease_patch" => json!({"description": "third floor", "mac": null}),
        "swarm_put" => objects::swarm_write(),
        "swarm_patch" => json!({"task_history_limit": 10, "name": null}),
        "swarm_membership_put" => json!({"token": objects::join_secret(), "manager": "192.168.122.185:2377"}),
        "join_token_create" => objects::join_token_write(),
        "node_patch" => json!({"availability": "drain", "labels": {"rack": "7", "old": null}}),
        "token_create" => json!({"name": "ci", "role": "operator", "expires_at": "2027-01-31T12:00:00Z"}),
        "probe_create" => json!({"from": "macvlan1", "kind": "arp", "to": "192.168.122.3", "count": 3}),
        _ => return None,
    })
}

fn answer(id: &str, status: &str, kind: &str) -> Option<Value> {
    if kind == DRY_RUN {
        return Some(json!({"dry_run": true, "object": answer(id, "200", "application/json")?, "plan": plan(id)}));
    }
    let resource = match id {
        "network_create" | "network_get" | "network_put" | "network_patch" | "network_delete" => Some(network()),
        "sandbox_create" | "sandbox_get" | "sandbox_put" | "sandbox_patch" | "sandbox_delete" => Some(sandbox()),
        "network_lease_create"
        | "network_lease_get"
        | "network_lease_put"
        | "network_lease_patch"
        | "network_lease_delete" => Some(reservation()),
        "lease_get" => Some(lease()),
        _ => None,
    };
    match resource {
        Some(mut resource) if status == "202" && resource["status"].get("reconciling").is_some() => {
            let state = if id.ends_with("_delete") { "deleting" } else { "pending" };
            resource["status"]["state"] = state.into();
            resource["status"]["reconciling"] = true.into();
            return Some(resource);
        }
        Some(resource) => return Some(resource),
        None => {}
    }
    Some(match (id, kind) {
        ("network_health_get", _) => objects::health(),
        ("sandbox_resolv_conf_get", _) => json!("nameserver 127.0.0.11\noptions ndots:0\n"),
        ("network_list", _) => json!({"items": [network(), objects::bridge_network()], "seq": 43}),
        ("sandbox_list", _) => page(sandbox()),
        ("sandbox_traffic_list", _) => json!({"items": [{"interface": "eth0", "samples": [
            {"time": "2026-01-31T12:00:00.000Z", "rx_packets": 210, "rx_bytes": 98123, "tx_packets": 199, "tx_bytes": 45120},
        ]}]}),
        ("lease_list", _) => page(lease()),
        ("network_lease_list", _) => page(reservation()),
        ("event_list", "application/json") => page(event()),
        ("event_list", "text/event-stream") => format!("id: {}\ndata: {}\n\n", event()["id"].as_str()?, event()).into(),
        ("event_list", _) => format!("{}\n", event()).into(),
        ("address_get", _) => json!({"items": [objects::address()]}),
        ("prune_create", _) => {
            json!({"sandboxes": [object("sandbox", "sbx", "macvlan1")], "networks": [], "addresses": 1})
        }
        ("ipam_list", _) => page(objects::pool()),
        ("free_subnet_list", _) => json!({"items": [
            {"subnet": "10.200.0.0/24", "family": 4, "within": "10.200.0.0/13", "size": "254"},
        ]}),
        ("free_range_list", _) => page(json!({"pool": "v4", "first": "192.168.122.4", "last": "192.168.122.254",
            "block": "192.168.122.4-192.168.122.254", "size": "251"})),
        ("search_get", _) => json!({"query": "macvlan1", "groups": [{"kind": "sandbox", "more": false, "hits": [
            {"name": "macvlan1", "id": objects::id("sbx"), "about": "on `macvlan-net1`", "exact": true},
        ]}]}),
        ("reclaim_create", _) => {
            json!({"sandboxes": [object("sandbox", "sbx", "builder")], "leases": [objects::orphan()]})
        }
        ("plan_list", _) => {
            page(objects::plan_head("Create sandbox `macvlan1`.", object("sandbox", "sbx", "macvlan1")))
        }
        ("plan_get", _) => plan("sandbox_create"),
        ("plan_apply_create", _) => objects::plan_outcome(),
        ("login_link_create", _) => json!({"path": "/ui/login?link=kq3v5m7w2y4a6c8e",
            "url": "http://127.0.0.1:8080/ui/login?link=kq3v5m7w2y4a6c8e"}),
        ("probe_create", _) => objects::probe(),
        ("drift_list", _) => json!({"items": [objects::drift()]}),
        ("host_interface_list", _) => json!({"items": [host_link()]}),
        ("host_route_list", _) => json!({"items": [
            {"destination": "192.168.122.0/24", "interface": "parent0", "table": 254},
            {"destination": "0.0.0.0/0", "gateway": "192.168.122.1", "interface": "parent0", "table": 254},
        ]}),
        ("token_list", _) => page(objects::token()),
        ("token_get", _) => objects::token(),
        ("token_create", _) => objects::made_token(),
        ("swarm_put", "application/json") if status == "201" => objects::made_swarm(),
        ("swarm_get" | "swarm_put" | "swarm_patch", _) => objects::swarm("manager"),
        ("swarm_membership_put", _) => objects::swarm("worker"),
        ("join_token_list", _) => page(objects::join_token()),
        ("join_token_get", _) => objects::join_token(),
        ("join_token_create" | "join_token_rotate_create", _) => objects::made_join_token(),
        ("node_list", _) => page(objects::node()),
        ("swarm_endpoint_list", _) => page(objects::swarm_endpoint()),
        ("node_get" | "node_patch" | "node_readmit_create", _) => objects::node(),
        ("info_get", _) => objects::info(),
        ("audit_list", _) => page(objects::audit_entry()),
        ("whoami_get", _) => json!({"name": "ci", "role": "operator", "token_id": objects::id("tok"),
            "expires_at": "2027-01-31T12:00:00.000Z", "permissions": ["read", "write"]}),
        ("capabilities_get", _) => objects::capabilities(),
        ("version_get", _) => {
            json!({"version": "0.1.0", "api_versions": ["v1"], "node": objects::id("nod"), "store": objects::id("sto")})
        }
        ("health_get", _) => json!({"status": "ok"}),
        ("readiness_get", _) => json!({"status": "ready"}),
        ("metrics_get", _) => "# TYPE netloom_networks gauge\nnetloom_networks{driver=\"macvlan\"} 1\n".into(),
        ("openapi_get", _) => openapi("3.1.0"),
        ("openapi_3_0_get", _) => openapi("3.0.3"),
        ("problem_list", _) => json!({"items": [{"code": "in-use", "status": 409, "title": "In use",
            "meaning": "Other objects need this one. `blockers` lists them.", "remedy": "Detach or remove those first."}]}),
        ("problem_get", _) => json!({"code": "in-use", "status": 409, "title": "In use",
            "meaning": "Other objects need this one. `blockers` lists them.", "remedy": "Detach or remove those first."}),
        _ => return drawn(id),
    })
}

/// What maps, histories and the topology answer.
fn drawn(id: &str) -> Option<Value> {
    Some(match id {
        "topology_get" => objects::topology(),
        "network_map_get" => objects::pool_map(),
        "network_history_list" | "sandbox_history_list" | "lease_history_list" | "node_history_list" => {
            page(objects::history_entry())
        }
        _ => return None,
    })
}

/// The head of a document.
fn openapi(version: &str) -> Value {
    json!({"openapi": version, "info": {"title": "Netloom", "version": "v1"}, "paths": {}})
}

fn page(item: Value) -> Value {
    json!({"items": [item], "seq": 42})
}
