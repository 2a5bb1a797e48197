//! What can be taken along from a page: objects as other tools take them, tables as files, and what happened to an object. What must not live here: what
//! the files hold, which takes a running service.

use crate::fixture::{PLAIN, every_page};

fn page(wanted: &str) -> String {
    every_page(&PLAIN).into_iter().find(|(name, _)| *name == wanted).expect("there").1
}

/// What a page offers to be copied of its object.
fn copies(wanted: &str) -> String {
    let page = page(wanted);
    let (_, rest) = page.split_once("<div class=\"copies\">").unwrap_or_else(|| panic!("{wanted} offers nothing"));
    rest.split_once("</details>").expect("its end").0.to_owned()
}

#[test]
fn every_page_of_an_object_offers_it_to_be_copied() {
    for name in [
        "network",
        "network-map",
        "network-leases",
        "network-endpoints",
        "network-swarm-endpoints",
        "network-health",
        "network-config",
        "network-history",
        "network-json",
        "sandbox",
        "sandbox-history",
        "sandbox-json",
        "address",
        "address-free",
        "node",
        "node-read",
        "swarm",
        "swarm-worker",
    ] {
        assert!(copies(name).contains("curl that reads it"), "{name}");
    }
    for (name, kind) in [("network-leases", "netloom_network"), ("sandbox-history", "netloom_sandbox")] {
        let copies = copies(name);
        assert!(copies.contains(kind) && copies.contains("-X PUT"), "{name}: {copies}");
    }
    assert!(!copies("network-predefined").contains("netloom_network"), "nobody makes it");
}

#[test]
fn a_reservation_is_a_resource_and_what_a_sandbox_holds_is_only_read() {
    let reserved = copies("address-reserved");
    for fact in
        ["/networks/macvlan-net1/leases/printer", "-X PUT", "netloom_reservation.printer", "macvlan-net1/printer"]
    {
        assert!(reserved.contains(fact), "`{fact}` is not in {reserved}");
    }
    let held = copies("address");
    assert!(held.contains("/api/v1/leases/lse_") && !held.contains("-X "), "{held}");
    assert!(copies("address-free").contains("/api/v1/addresses/192.168.122.11"));
}

#[test]
fn what_may_not_be_changed_is_not_offered_to_be_changed() {
    let node = copies("node");
    assert!(node.contains("-X PATCH") && node.contains("availability") && node.contains("labels"), "{node}");
    let swarm = copies("swarm");
    assert!(swarm.contains("/api/v1/swarm -X PUT") || swarm.contains("/api/v1/swarm -d"), "{swarm}");
    for name in ["node-read", "swarm-read", "swarm-worker"] {
        assert!(!copies(name).contains("-X "), "{name}");
    }
}

#[test]
fn a_token_is_copied_without_its_secret_and_one_that_is_over_is_not() {
    let tokens = page("tokens");
    assert_eq!(tokens.matches("<summary>Copy as curl").count(), 1, "one of the two has ended");
    let (_, copy) = tokens.split_once("<summary>Copy as curl").expect("a copy");
    let copy = copy.split_once("</details>").expect("its end").0;
    assert!(copy.contains("/api/v1/tokens ") && copy.contains("&#34;role&#34;:&#34;admin&#34;"), "{copy}");
    assert!(!copy.contains("secret") && !copy.contains("tok_"), "{copy}");
    let join = page("join");
    assert_eq!(join.matches("<summary>Copy as curl").count(), 3, "one of the four has ended: {join}");
    assert!(join.contains("/api/v1/swarm/join-tokens ") && !page("join-read").contains("Copy as curl"));
}

#[test]
fn every_table_is_a_file_too() {
    let reference = |name: &str| name.starts_with("api");
    for (name, page) in every_page(&PLAIN).into_iter().filter(|(name, _)| !reference(name)) {
        let tables = page.matches("<div class=\"table").count();
        assert!(tables == 0 || page.contains(" download>"), "{name} has {tables} tables and no file");
    }
    for (name, file) in [
        ("network-map-table", "/ui/networks/macvlan-net1/map.csv?pool=v4\""),
        ("network-map-heat-table", "/ui/networks/empty-net/map.csv?block=10.7.0.0/16\""),
        ("network-health", "/ui/networks/"),
        ("network-config", "/ui/networks/macvlan-net1/config.csv\""),
        ("network-history", "/ui/networks/macvlan-net1/history.csv\""),
        ("sandbox", "/ui/sandboxes/macvlan1/endpoints.csv\""),
        ("sandbox", "/ui/leases.csv?owner=sbx_"),
        ("sandbox-history", "/ui/sandboxes/macvlan1/history.csv\""),
        ("node-history", "/ui/nodes/nod_"),
        ("lease-history", "/ui/leases/lse_"),
        ("ipam", "/ui/leases.csv?state=orphaned\""),
        ("join", "/ui/swarm/join.csv\""),
        ("drift", "/ui/activity.csv?kind=drift\""),
    ] {
        assert!(page(name).contains(&format!("<p class=\"csv\"><a href=\"{file}")), "{name}: {file}");
    }
}

#[test]
fn objects_have_a_history_with_what_changed() {
    for name in ["sandbox-history", "node-history"] {
        let page = page(name);
        assert!(
            page.contains("forbidden") && page.contains("<ins>") && page.contains("page_token=more"),
            "{name}: {page}"
        );
    }
    assert!(page("sandbox").contains("/history\">History</a>") && page("node").contains("/history\">"));
    let address = page("address-reserved");
    assert_eq!(address.matches("/ui/leases/lse_").count(), 2, "beside its facts, and in its row: {address}");
    let held = page("address");
    assert_eq!(held.matches("/ui/leases/lse_").count(), 0, "what a sandbox holds is told in its own history");
    assert!(held.contains("/history\">What happened to sandbox "), "{held}");
    let over = page("lease-history-over");
    assert!(over.contains("it takes role admin") || over.contains("which takes role admin to read"), "{over}");
    assert!(page("lease-history").contains("href=\"/ui/addresses/192.168.122.9\""));
}

#[test]
fn a_sandbox_of_another_node_is_shown_with_its_node() {
    let topology = page("topology");
    let away = topology.split_once(">away</a>").expect("a row").1.split_once("</tr>").expect("its end").0;
    assert!(away.contains("on <a href=\"/ui/nodes/nod_"), "{away}");
    assert_eq!(topology.matches(">on <a href=\"/ui/nodes/").count(), 1, "{topology}");
}
