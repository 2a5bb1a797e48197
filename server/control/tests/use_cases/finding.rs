//! Finding things: by whatever names them, and what is free.

use netloom_control::command::*;
use netloom_control::principal::Role;
use netloom_control::{Error, ErrorKind};
use netloom_model::ipam::{FreeRange, FreeSubnet};
use netloom_model::net::Family;
use netloom_model::search::{HitKind, SearchReport};
use serde_json::json;

use crate::kit::{Act, Kit, macvlan};

async fn subnets(kit: &Kit, length: u8, within: Option<&str>) -> Result<Vec<String>, Error> {
    let within = within.map(|block| block.parse().unwrap());
    let command = FindFreeSubnets { family: Family::V4, prefix_length: Some(length), within, limit: Some(3) };
    let found: Vec<FreeSubnet> = kit.control.find_free_subnets(kit.may(command)).await?;
    Ok(found.into_iter().map(|free| free.subnet).collect())
}

#[tokio::test]
async fn the_first_free_subnet_is_the_one_that_an_automatic_pool_gets() {
    let kit = Kit::new().await;
    kit.create_network(macvlan("taken", json!({"v4": {"subnet": "10.200.1.0/24"}}))).await.expect("a network");
    let found = subnets(&kit, 24, None).await.expect("subnets");
    assert_eq!(found, ["10.200.0.0/24", "10.200.2.0/24", "10.200.3.0/24"]);
    let bridge = json!({"name": "web", "driver": "bridge", "pools": {"v4": {"prefix_length": 24}}});
    let made = kit.create_network(bridge).await.expect("a network");
    assert_eq!(made.status.pools["v4"].subnet, found[0]);
    assert_eq!(subnets(&kit, 24, None).await.expect("subnets")[0], "10.200.2.0/24");
}

#[tokio::test]
async fn a_block_may_be_named_and_the_hosts_routes_stay_clear() {
    let kit = Kit::new().await;
    // The host has a route to 10.64.0.0/10.
    let found = subnets(&kit, 10, Some("10.0.0.0/8")).await.expect("subnets");
    assert_eq!(found, ["10.0.0.0/10", "10.128.0.0/10", "10.192.0.0/10"]);
    assert!(subnets(&kit, 10, Some("10.64.0.0/10")).await.expect("none").is_empty());
    for (length, within, pointer) in [
        (24, Some("127.0.0.0/8"), "?within"),
        (24, Some("fd00::/8"), "?within"),
        (8, Some("10.0.0.0/16"), "?prefix_length"),
        (33, None, "?prefix_length"),
    ] {
        let refused = subnets(&kit, length, within).await.expect_err("refused");
        assert_eq!(
            (refused.kind, refused.errors[0].pointer.as_str()),
            (ErrorKind::Invalid, pointer),
            "{length} {within:?}"
        );
    }
}

async fn ranges(kit: &Kit, command: ListFreeRanges) -> Page<FreeRange> {
    kit.control.list_free_ranges(kit.may(command)).await.expect("ranges")
}

fn blocks(page: &Page<FreeRange>) -> Vec<String> {
    page.items.iter().map(|free| format!("{}-{} {}", free.first, free.last, free.size)).collect()
}

#[tokio::test]
async fn what_is_free_in_a_pool_comes_as_ranges_page_by_page() {
    let kit = Kit::new().await;
    let reserved = json!({"a": "10.1.0.4", "b": "10.1.0.6", "c": "10.1.0.9"});
    let pools = json!({"v4": {"subnet": "10.1.0.0/28", "reserved": reserved}, "v6": {"subnet": "fd00:1::/64"}});
    kit.create_network(macvlan("n", pools)).await.expect("a network");
    let all = ListFreeRanges { network: "n".into(), ..ListFreeRanges::default() };
    let whole = ranges(&kit, all.clone()).await;
    let wanted = ["10.1.0.2-10.1.0.3 2", "10.1.0.5-10.1.0.5 1", "10.1.0.7-10.1.0.8 2", "10.1.0.10-10.1.0.14 5"];
    assert_eq!((blocks(&whole), whole.next_page_token.is_none()), (wanted.map(str::to_owned).to_vec(), true));
    let mut told = Vec::new();
    let mut page = ListFreeRanges { page: PageRequest { limit: Some(1), token: None }, ..all.clone() };
    loop {
        let part = ranges(&kit, page.clone()).await;
        told.extend(blocks(&part));
        page.page.token = part.next_page_token;
        if page.page.token.is_none() {
            break;
        }
    }
    assert_eq!(told, wanted);
    let three = ranges(&kit, ListFreeRanges { at_least: Some(3), ..all.clone() }).await;
    assert_eq!(blocks(&three), [wanted[3]]);
    let six = ranges(&kit, ListFreeRanges { pool: Some("v6".into()), ..all.clone() }).await;
    assert_eq!(six.items[0].size, "18446744073709551614");
    let pools = kit.control.list_pools(kit.may(ListPools::default())).await.expect("pools").items;
    let first: Vec<&str> = pools[0].free_ranges.iter().map(|free| free.block.as_str()).collect();
    assert_eq!(first, ["10.1.0.2/31", "10.1.0.5", "10.1.0.7-10.1.0.8", "10.1.0.10-10.1.0.14"]);
    let other = ListFreeRanges { pool: Some("v5".into()), ..all };
    let refused = kit.control.list_free_ranges(kit.may(other)).await.expect_err("no such pool");
    assert_eq!(refused.errors[0].pointer, "?pool");
}

#[tokio::test]
async fn an_address_tells_who_is_next_to_it_in_its_pool() {
    let kit = Kit::new().await;
    let reserved = json!({"low": "10.1.0.4", "high": "10.1.0.9", "many": "10.1.0.32-10.1.0.63"});
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24", "reserved": reserved}}))).await.expect("n");
    kit.create_network(macvlan("m", json!({"v4": {"subnet": "10.1.1.0/24", "gateway": "10.1.1.1"}}))).await.expect("m");
    let near = async |address: &str| {
        let command = GetAddress { address: address.parse().unwrap(), at: None };
        let report = kit.control.get_address(kit.may(command)).await.expect("known").remove(0);
        report.neighbours.into_iter().map(|lease| lease.status.address).collect::<Vec<_>>()
    };
    let found = near("10.1.0.7").await;
    assert_eq!(found[..3], ["10.1.0.1", "10.1.0.4", "10.1.0.9"], "the gateway, and what is kept aside");
    assert_eq!(found.len(), 10, "two below, eight above");
    assert_eq!(near("10.1.0.255").await.len(), 8, "none of the pool that comes after it");
    assert!(near("10.9.0.1").await.is_empty(), "in no pool");
}

async fn search(kit: &Kit, text: &str) -> SearchReport {
    kit.control.search(kit.may(Search(text.to_owned()))).await.expect("found")
}

/// `kind: name!`, with a sign on what is named exactly.
fn told(report: &SearchReport) -> Vec<String> {
    let sign = |exact| if exact { "!" } else { "" };
    let line = |kind: HitKind, name: &str, exact| format!("{}: {name}{}", kind.as_str(), sign(exact));
    let hits = report.groups.iter().flat_map(|group| group.hits.iter().map(move |hit| (group.kind, hit)));
    hits.map(|(kind, hit)| line(kind, &hit.name, hit.exact)).collect()
}

#[tokio::test]
async fn whatever_is_at_hand_finds_what_it_belongs_to() {
    let kit = Kit::new().await;
    let network = kit.exercise_network().await;
    kit.patch_network("macvlan-net1", json!({"labels": {"rack": "7"}})).await.expect("labelled");
    let sandbox = kit.on("macvlan1", "macvlan-net1").await.expect("a sandbox");
    let spec = netloom_model::document::parse(json!({"key": "printer", "address": "192.168.122.9"})).unwrap();
    let reserve = ReserveLease { network: "macvlan-net1".into(), spec };
    kit.control.reserve_lease(kit.may(reserve), WriteOptions::default()).await.expect("reserved");
    let endpoint = &sandbox.status.endpoints["macvlan-net1"];
    let (address, mac) = (endpoint.address.clone().unwrap(), endpoint.mac.unwrap().to_string());
    let bare = mac.replace(':', "");
    let cisco = format!("{}.{}.{}", &bare[..4], &bare[4..8], &bare[8..]);
    let (id, lease_id) = (sandbox.id.to_string(), endpoint.lease_ids[0].to_string());
    for (text, wanted) in [
        (address.as_str(), vec![format!("address: {address}!")]),
        ("192.168.122.77", vec!["address: 192.168.122.77!".into()]),
        ("8.8.8.8", vec!["address: 8.8.8.8!".into()]),
        (mac.as_str(), vec![format!("lease: {address}!")]),
        (cisco.as_str(), vec![format!("lease: {address}!")]),
        (&mac.replace(':', "-").to_uppercase(), vec![format!("lease: {address}!")]),
        (bare.as_str(), vec![format!("lease: {address}!")]),
        (lease_id.as_str(), vec![format!("lease: {address}!")]),
        ("printer", vec!["lease: 192.168.122.9!".into()]),
        ("PRINTER", vec!["lease: 192.168.122.9!".into()]),
        ("192.168.122.9:9100", vec!["address: 192.168.122.9!".into()]),
        (id.as_str(), vec!["sandbox: macvlan1!".into()]),
        (&network.id.to_string(), vec!["network: macvlan-net1!".into()]),
        ("rack=7", vec!["network: macvlan-net1".into()]),
        ("rack=", vec!["network: macvlan-net1".into()]),
        ("rack=8", vec![]),
        ("net:macvlan", vec!["network: macvlan-net1".into()]),
        ("sandbox: macvlan1", vec!["sandbox: macvlan1!".into()]),
        ("lease:192.168.122.9", vec!["lease: 192.168.122.9!".into()]),
        ("pool:192.168.122.9", vec!["pool: 192.168.122.0/24!".into()]),
        ("macvlan1", vec![format!("lease: {address}"), "sandbox: macvlan1!".into()]),
        ("macvlan", vec!["network: macvlan-net1".into(), "sandbox: macvlan1".into()]),
        ("nothing-like-that", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(told(&search(&kit, text).await), wanted, "{text}");
    }
    let subnet = told(&search(&kit, "192.168.122.0/24").await);
    assert!(subnet.contains(&"pool: 192.168.122.0/24!".to_owned()), "{subnet:?}");
    assert!(subnet.contains(&"lease: 192.168.122.9".to_owned()), "{subnet:?}");
    let free = search(&kit, "192.168.122.77").await;
    assert!(free.groups[0].hits[0].about.starts_with("free, in pool `v4` (192.168.122.0/24) of `macvlan-net1`"));
    let long = kit.control.search(kit.may(Search("x".repeat(300)))).await.expect_err("too long");
    assert_eq!(long.errors[0].pointer, "?q");
}

#[tokio::test]
async fn a_beginning_a_port_and_what_was_removed_are_found() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let sandbox = kit.on("macvlan1", "macvlan-net1").await.expect("a sandbox");
    let mac = sandbox.status.endpoints["macvlan-net1"].mac.unwrap().to_string();
    let address = sandbox.status.endpoints["macvlan-net1"].address.clone().unwrap();
    for text in ["192.168.122.", &mac[..8], &mac[..14].replace(':', "-").to_uppercase()] {
        let found = told(&search(&kit, text).await);
        assert!(found.contains(&format!("lease: {address}")), "{text}: {found:?}");
    }
    kit.create_network(json!({"name": "web", "driver": "bridge"})).await.expect("a network");
    let ports =
        json!({"http": {"target": 80, "published": 8088}, "many": {"target": 9000, "published": 9000, "count": 10}});
    kit.create_sandbox(json!({"name": "front", "networks": {"web": {"ports": ports}}})).await.expect("a sandbox");
    assert_eq!(told(&search(&kit, "8088").await), ["sandbox: front"]);
    assert_eq!(told(&search(&kit, "9009").await), ["sandbox: front"]);
    assert!(told(&search(&kit, "9010").await).is_empty());
    let about = async |text: &str| search(&kit, text).await.groups[0].hits[0].about.clone();
    assert_eq!(about("8088").await, "publishes 8088/tcp, on `web`");
    assert_eq!(about("9009").await, "publishes 9000-9009/tcp, on `web`");
    kit.remove_sandbox("macvlan1").await.expect("removed");
    kit.remove_network("macvlan-net1", false).await.expect("removed");
    let ends = ListEvents { kinds: vec!["sandbox.deleted".into()], ..ListEvents::default() };
    let ends = kit.control.list_events(kit.may(ends)).await.expect("events").items;
    assert_eq!(ends[0].data["addresses"], address, "what it had is told with its end");
    assert_eq!(told(&search(&kit, "macvlan1").await), ["removed: macvlan1"]);
    assert_eq!(told(&search(&kit, &sandbox.id.to_string()).await), ["removed: macvlan1!"]);
    assert_eq!(told(&search(&kit, "net:macvlan-net1").await), ["removed: macvlan-net1"]);
    assert!(told(&search(&kit, "net:macvlan1").await).is_empty());
}

#[tokio::test]
async fn what_was_refused_is_found_by_the_name_that_it_was_to_have() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let asks = kit.somebody("ci", Role::Admin);
    let spec = || netloom_model::document::parse(json!({"name": "late", "networks": {"nowhere": {}}})).unwrap();
    for _ in 0..2 {
        let command = asks.authorize(CreateSandbox(spec())).expect("may");
        let error = kit.control.create_sandbox(command, WriteOptions::default()).await.expect_err("no such network");
        kit.control.note_failure(&asks, (&error).into(), false).await;
    }
    let found = search(&kit, "late").await;
    assert_eq!(told(&found), ["refused: late"]);
    let about = &found.groups[0].hits[0].about;
    assert!(about.starts_with("sandbox, refused 2 times, last ") && about.contains("nowhere"), "{about}");
    assert!(told(&search(&kit, "net:late").await).is_empty());
    let viewer = kit.somebody("v", Role::Viewer).authorize(Search("late".into())).expect("may search");
    assert!(kit.control.search(viewer).await.expect("an answer").groups.is_empty(), "the audit is not theirs");
    // What the node refused was there for a moment.
    kit.node.next(Act::Refuse("kernel-refused"));
    kit.on("brief", "macvlan-net1").await.expect_err("refused");
    let found = search(&kit, "brief").await;
    assert_eq!(told(&found), ["removed: brief"]);
    assert!(found.groups[0].hits[0].about.starts_with("sandbox, could not be made "), "{found:?}");
}

#[tokio::test]
async fn links_of_the_host_numbers_of_packets_and_urls_are_found() {
    let kit = Kit::new().await;
    let network = kit.exercise_network().await;
    kit.on("macvlan1", "macvlan-net1").await.expect("a sandbox");
    let bridge = json!({"name": "front", "driver": "bridge", "bridge": {"interface_name": "br-front"}});
    kit.create_network(bridge).await.expect("a network");
    let web = kit.create_network(json!({"name": "web", "driver": "bridge"})).await.expect("a network");
    let sandbox = kit.on("w0", "web").await.expect("a sandbox");
    let port = netloom_model::host_link::port(sandbox.status.endpoints["web"].endpoint_id);
    let parent = network.spec.parent().expect("it has one");
    for (text, wanted) in [
        ("br-front", vec!["network: front!"]),
        (&netloom_model::host_link::of_network(web.id), vec!["network: web!"]),
        (&port, vec!["sandbox: w0!"]),
        ("http://127.0.0.1:8080/ui/networks/web/leases?page_token=x", vec!["network: web!"]),
        ("/api/v1/sandboxes/w0", vec!["sandbox: w0!"]),
        ("(192.168.122.77:8080),", vec!["address: 192.168.122.77!"]),
        ("nl-aaaaaaaa", vec![]),
        ("nl-", vec![]),
    ] {
        assert_eq!(told(&search(&kit, text).await), wanted, "{text}");
    }
    // Several networks may be on one parent, which is no network's own name.
    let on_parent = search(&kit, parent).await;
    assert!(told(&on_parent).contains(&"network: macvlan-net1".to_owned()), "{on_parent:?}");
    let about = on_parent.groups.iter().flat_map(|group| &group.hits).find(|hit| hit.name == "macvlan-net1");
    assert!(about.expect("found").about.contains(&format!("on `{parent}`")), "it says why it is found");
}

#[tokio::test]
async fn an_address_that_may_be_two_is_explained_and_not_guessed() {
    let kit = Kit::new().await;
    let report = search(&kit, "192.168.122.010:80").await;
    assert!(report.groups.is_empty());
    let ambiguity = report.ambiguity.expect("it says why");
    let readings: Vec<(&str, &str)> =
        ambiguity.readings.iter().map(|one| (one.numbers.as_str(), one.address.as_str())).collect();
    assert_eq!(readings, [("decimal", "192.168.122.10:80"), ("octal", "192.168.122.8:80")]);
    assert!(ambiguity.message.contains("RFC 6943"), "{}", ambiguity.message);
    assert!(search(&kit, "192.168.122.10").await.ambiguity.is_none());
}

#[tokio::test]
async fn a_request_is_found_by_its_id_with_what_was_refused_for_who_may_read_the_audit() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let made = kit.audit(ListAudit::default()).await.into_iter().find_map(|entry| entry.request_id).expect("an ID");
    let found = told(&search(&kit, &made).await);
    assert_eq!(found, [format!("request: {made}!")]);
    let of_request = ListAudit { request_id: Some(made.clone()), ..ListAudit::default() };
    let entries = kit.audit(of_request).await;
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry.request_id.as_ref() == Some(&made)));
    let events = ListEvents { request_id: Some(made.clone()), ..ListEvents::default() };
    let events = kit.control.list_events(kit.may(events)).await.expect("read").items;
    assert!(!events.is_empty() && events.iter().all(|event| event.request_id.as_ref() == Some(&made)));
    // What is only in the audit is found by who may read it.
    let denied = kit.somebody("v", Role::Viewer);
    let failure =
        denied.authorize(CreateToken(netloom_model::document::parse(json!({"name": "x", "role": "viewer"})).unwrap()));
    let failure = failure.expect_err("not theirs to make");
    kit.control.note_failure(&denied, (&failure).into(), false).await;
    let id = denied.request_id.clone();
    assert_eq!(told(&search(&kit, &id).await), [format!("request: {id}!")]);
    let viewer = denied.authorize(Search(id)).expect("may search");
    assert!(kit.control.search(viewer).await.expect("an answer").groups.is_empty());
}

#[tokio::test]
async fn tokens_are_told_of_to_administrators_alone() {
    let kit = Kit::new().await;
    let spec = netloom_model::document::parse(json!({"name": "ci-runner", "role": "viewer"})).unwrap();
    kit.control.create_token(kit.may(CreateToken(spec))).await.expect("made");
    assert_eq!(told(&search(&kit, "ci").await), ["token: ci-runner"]);
    let viewer = kit.somebody("v", Role::Viewer).authorize(Search("ci".into())).expect("may search");
    assert!(kit.control.search(viewer).await.expect("an answer").groups.is_empty());
}
