//! Lists, addresses, events: pages, filters, history.

use futures_util::StreamExt;
use std::time::Duration;

use netloom_control::command::*;
use netloom_control::{Config, ErrorKind};
use netloom_model::Since;
use netloom_model::assignment::Key;
use netloom_model::lease::AddressState;
use netloom_model::order::EventOrder;
use netloom_model::report::Report;
use netloom_model::sandbox::SandboxState;
use netloom_store::EventQuery;
use serde_json::json;

use crate::kit::{Act, Kit, done, macvlan, made};

#[tokio::test]
async fn pages_go_on_where_they_ended_and_know_their_filters() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    for n in 0..5 {
        kit.on(&format!("s{n}"), "macvlan-net1").await.expect("a sandbox");
    }
    let mut names = Vec::new();
    let mut page = PageRequest { limit: Some(2), token: None };
    loop {
        let list = ListSandboxes { page: page.clone(), ..ListSandboxes::default() };
        let got = kit.control.list_sandboxes(kit.may(list)).await.expect("a page");
        names.extend(got.items.into_iter().map(|sandbox| sandbox.spec.name));
        page.token = got.next_page_token;
        if page.token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["s0", "s1", "s2", "s3", "s4"]);
    let mut addresses = Vec::new();
    let mut list = ListLeases { page: PageRequest { limit: Some(3), token: None }, ..ListLeases::default() };
    loop {
        let got = kit.control.list_leases(kit.may(list.clone())).await.expect("a page");
        addresses.extend(got.items.into_iter().map(|lease| lease.status.address));
        list.page.token = got.next_page_token;
        if list.page.token.is_none() {
            break;
        }
    }
    assert_eq!(addresses.len(), 7);
    let first = ListLeases { page: PageRequest { limit: Some(1), token: None }, ..ListLeases::default() };
    let token = kit.control.list_leases(kit.may(first)).await.expect("a page").next_page_token;
    let other =
        ListLeases { owner: Some("s1".into()), page: PageRequest { limit: Some(1), token }, ..ListLeases::default() };
    let error = kit.control.list_leases(kit.may(other)).await.expect_err("other filters");
    assert_eq!((error.kind, error.code), (ErrorKind::Malformed, "invalid-page-token"));
}

#[tokio::test]
async fn addresses_tell_their_holder_their_pool_and_their_history() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let ask = |text: &str, at| kit.control.get_address(kit.may(GetAddress { address: text.parse().unwrap(), at }));
    let made = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let report = ask("192.168.122.2", None).await.expect("a report").remove(0);
    assert_eq!((report.state, report.pool.as_deref()), (AddressState::Leased, Some("v4")));
    assert_eq!(report.lease.expect("a lease").status.owner.name, "s");
    kit.remove_sandbox("s").await.expect("removed");
    let report = ask("192.168.122.2", None).await.expect("a report").remove(0);
    assert_eq!((report.state, report.network.as_deref()), (AddressState::Free, Some("macvlan-net1")));
    assert_eq!(report.history[0].owner.name, "s");
    let report = ask("192.168.122.2", Some(made.created_at)).await.expect("a report").remove(0);
    assert_eq!(report.held_at.expect("a holder").owner.name, "s");
    let report = ask("9.9.9.9", None).await.expect("a report").remove(0);
    assert_eq!((report.state, report.network), (AddressState::Unmanaged, None));
    for (address, reason) in [("192.168.122.0", "network address"), ("192.168.122.255", "broadcast address")] {
        let report = ask(address, None).await.expect("a report").remove(0);
        let said = report.reason.expect("a reason");
        assert!(report.state == AddressState::Unusable && said.contains(reason), "{said}");
    }
    let report = ask("::ffff:192.168.122.0", None).await.expect("a report").remove(0);
    assert_eq!((report.address.as_str(), report.state), ("192.168.122.0", AddressState::Unusable));
    for subnet in ["10.1.0.0/31", "fd00::/127"] {
        let network = subnet.replace([':', '.', '/'], "-");
        kit.create_network(macvlan(&format!("n{network}"), json!({"p": {"subnet": subnet, "gateway": null}})))
            .await
            .expect("a network");
        let report = ask(subnet.split_once('/').expect("a prefix").0, None).await.expect("a report").remove(0);
        assert!(report.state != AddressState::Unusable && report.reason.is_none(), "{subnet}");
    }
}

#[tokio::test]
async fn an_address_at_a_time_is_as_it_was_then() {
    let kit = Kit::new().await;
    let pause = || tokio::time::sleep(std::time::Duration::from_millis(5));
    let before = kit.exercise_network().await.created_at.plus_millis(-1);
    let ask = |at| {
        let address = "192.168.122.2".parse().expect("an address");
        kit.control.get_address(kit.may(GetAddress { address, at: Some(at) }))
    };
    pause().await;
    let made = kit.on("s", "macvlan-net1").await.expect("a sandbox").created_at;
    pause().await;
    kit.remove_sandbox("s").await.expect("removed");
    pause().await;
    let later = kit.on("t", "macvlan-net1").await.expect("a sandbox").created_at;
    let mut said = Vec::new();
    for at in [before, made.plus_millis(-1), made, later.plus_millis(-1), later] {
        let report = ask(at).await.expect("a report").remove(0);
        assert!(report.lease.is_none() && report.history.len() == 1, "the history is whole: {report:?}");
        let holder = report.held_at.map(|holding| holding.owner.name);
        said.push((report.state, holder, report.network.is_some()));
    }
    let held = |name: &str| (AddressState::Leased, Some(name.to_owned()), true);
    let free = || (AddressState::Free, None, true);
    assert_eq!(said, [(AddressState::Unmanaged, None, false), free(), held("s"), free(), held("t")]);
}

#[tokio::test]
async fn a_name_of_the_reserved_map_is_no_lease_and_the_problem_says_where_it_is() {
    let kit = Kit::new().await;
    let pools = json!({"v4": {"subnet": "10.1.0.0/24", "reserved": {"printer": "10.1.0.9"}}});
    kit.create_network(macvlan("n", pools)).await.expect("a network");
    let get = GetLease { network: Some("n".into()), lease: "printer".into() };
    let error = kit.control.get_lease(kit.may(get)).await.expect_err("no lease of that key");
    assert_eq!(error.code, "resource-not-found");
    let hint = error.hint.expect("a hint");
    assert!(hint.contains("`reserved`") && hint.contains("`v4`") && hint.contains("10.1.0.9"), "{hint}");
}

#[tokio::test]
async fn old_events_and_holdings_go_however_many_there_are() {
    let config = Config { event_retention: 10, history_retention: Duration::ZERO, ..Config::default() };
    let kit = Kit::with(config).await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.remove_sandbox("s").await.expect("removed");
    // More than one transaction removes.
    let fill = kit.store.write(|tx| {
        Box::pin(async move {
            let first =
                netloom_store::events::list(tx, &EventQuery { limit: 1, ..EventQuery::default() }).await?.remove(0);
            for _ in 0..21_000 {
                let event = netloom_store::NewEvent {
                    kind: first.kind.clone(),
                    object: first.object.clone(),
                    message: first.message.clone(),
                    data: first.data.clone(),
                    actor: first.actor.clone(),
                    request_id: None,
                    time: first.time,
                };
                netloom_store::events::append(tx, &event).await?;
            }
            Ok::<_, netloom_store::Error>(())
        })
    });
    fill.await.expect("filled");
    tokio::time::sleep(Duration::from_millis(5)).await;
    kit.control.tidy().await.expect("tidied");
    let bounds = kit.store.read(|tx| Box::pin(async move { netloom_store::events::bounds(tx).await })).await;
    let (oldest, latest) = bounds.expect("readable");
    assert_eq!(latest - oldest + 1, 10, "{oldest} to {latest}");
    let ask = GetAddress { address: "192.168.122.2".parse().unwrap(), at: None };
    assert_eq!(kit.control.get_address(kit.may(ask)).await.expect("a report")[0].history, []);
}

#[tokio::test]
async fn reservations_hold_an_address_without_a_sandbox() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let reserve = |spec: serde_json::Value| {
        let spec = netloom_model::document::parse(spec).expect("a spec");
        let command = ReserveLease { network: "macvlan-net1".into(), spec };
        kit.control.reserve_lease(kit.may(command), WriteOptions::default())
    };
    let lease = done(made(reserve(json!({"key": "printer"})).await)).expect("reserved");
    assert_eq!(lease.status.address, "192.168.122.2");
    assert_eq!(reserve(json!({"key": "printer"})).await.expect_err("twice").code, "name-taken");
    let error = reserve(json!({"key": "x", "address": "192.168.122.2"})).await.expect_err("held");
    assert_eq!((error.code, error.facts["holder"].as_str()), ("address-taken", "printer"));
    let error = reserve(json!({"key": "x", "pool": "nope", "mac": "zz"})).await.expect_err("bad");
    assert_eq!(error.errors[0].pointer, "/mac");
    let got = GetLease { network: Some("macvlan-net1".into()), lease: "printer".into() };
    assert_eq!(kit.control.get_lease(kit.may(got)).await.expect("by key").id, lease.id);
    let release = |lease: &str| {
        let command = ReleaseLease { network: "macvlan-net1".into(), lease: lease.into() };
        kit.control.release_lease(kit.may(command), WriteOptions::default())
    };
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    for address in ["192.168.122.1", "192.168.122.3", "192.168.122.185"] {
        assert_eq!(release(address).await.expect_err("in use").code, "lease-in-use");
    }
    release("printer").await.expect("released");
    assert_eq!(release("printer").await.expect_err("gone").kind, ErrorKind::NotFound);
    kit.check_store().await;
}

#[tokio::test]
async fn events_are_followed_without_gaps() {
    let kit = Kit::new().await;
    let watch = WatchEvents { since: Some("0".into()), kinds: vec!["network".into()], object: None };
    let mut stream = kit.control.watch_events(kit.may(watch)).await.expect("a stream");
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}}))).await.expect("a network");
    kit.on("s", "n").await.expect("a sandbox");
    kit.remove_sandbox("s").await.expect("removed");
    kit.remove_network("n", false).await.expect("removed");
    let mut kinds = Vec::new();
    for _ in 0..6 {
        kinds.push(stream.next().await.expect("open").expect("an event").kind);
    }
    assert_eq!(kinds[3..], ["network.created", "network.deleting", "network.deleted"]);
    let ahead = WatchEvents { since: Some("99999".into()), ..WatchEvents::default() };
    assert_eq!(kit.control.watch_events(kit.may(ahead)).await.err().expect("ahead").code, "cursor-expired");
}

#[tokio::test]
async fn the_front_page_adds_up() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    kit.create_sandbox(json!({"name": "t", "desired_state": "stopped"})).await.expect("a sandbox");
    let overview = kit.control.overview(kit.may(GetOverview)).await.expect("an overview");
    assert_eq!(overview.sandboxes, [(SandboxState::Running, 1), (SandboxState::Stopped, 1)]);
    assert_eq!((overview.hostname.as_str(), overview.pools[0].1.as_str()), ("machine1", "v4"));
    assert_eq!(overview.leases[0], ("bound".to_owned(), 3));
    let metrics = kit.control.metrics(kit.may(GetOverview)).await.expect("metrics");
    assert_eq!(metrics.event_seq, kit.seq().await);
    assert_eq!(kit.control.readiness().await, Vec::<String>::new());
}

#[tokio::test]
async fn sandboxes_that_failed_or_lost_their_namespace_do_not_count_as_running() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("runs", "macvlan-net1").await.expect("a sandbox");
    kit.node.next(Act::Refuse("kernel-refused"));
    let kept = WriteOptions { keep_on_failure: true, ..WriteOptions::default() };
    kit.try_sandbox(json!({"name": "fails", "networks": {"macvlan-net1": {}}}), kept).await.expect("kept");
    let adopted = kit.create_sandbox(json!({"name": "lost", "netns": "/run/netns/blue"})).await.expect("adopted");
    let orphaned = Report::Orphaned { sandbox: adopted.id, reason: "the path is gone".into() };
    kit.control.report(orphaned).await.expect("taken in");
    let overview = kit.control.overview(kit.may(GetOverview)).await.expect("an overview");
    let one = |state| (state, 1);
    let wanted = [one(SandboxState::Running), (SandboxState::Stopped, 0), one(SandboxState::Failed)];
    assert_eq!(overview.sandboxes, [&wanted[..], &[one(SandboxState::Orphaned)]].concat());
    for (state, names) in [
        (SandboxState::Running, vec!["runs"]),
        (SandboxState::Failed, vec!["fails"]),
        (SandboxState::Orphaned, vec!["lost"]),
        (SandboxState::Stopped, vec![]),
    ] {
        let command = ListSandboxes { state: Some(state), ..ListSandboxes::default() };
        let found = kit.control.list_sandboxes(kit.may(command)).await.expect("a list").items;
        assert_eq!(found.iter().map(|one| one.spec.name.as_str()).collect::<Vec<_>>(), names, "{state:?}");
    }
}

#[tokio::test]
async fn the_latest_events_of_a_kind_come_latest_first() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let sandbox = kit.on("s", "macvlan-net1").await.expect("a sandbox");
    for link in ["eth0", "eth1", "eth2"] {
        let found = format!("link {link} was missing");
        let repaired = Report::Repaired { key: Some(Key::Sandbox(sandbox.id)), found, operations: vec![] };
        kit.control.report(repaired).await.expect("taken in");
    }
    let order = EventOrder::Latest;
    let command = ListEvents { kinds: vec!["drift".into()], limit: Some(2), order, ..ListEvents::default() };
    let page = kit.control.list_events(kit.may(command.clone())).await.expect("events");
    let links: Vec<&str> = page.items.iter().map(|event| event.data["found"].as_str()).collect();
    assert_eq!(links, ["link eth2 was missing", "link eth1 was missing"]);
    assert_eq!(page.seq, kit.seq().await);
    let next = kit.control.list_events(kit.may(ListEvents { before: page.next_page_token, ..command })).await;
    let next = next.expect("the page after it");
    assert_eq!(
        next.items.iter().map(|event| event.data["found"].as_str()).collect::<Vec<_>>(),
        ["link eth0 was missing"]
    );
    assert_eq!(next.next_page_token, None);
    let since = |ago| ListEvents { from: Some(Since::Ago(ago)), ..ListEvents::default() };
    let lately = kit.control.list_events(kit.may(since(60_000))).await.expect("events").items;
    assert!(lately.iter().any(|event| event.kind == "drift.repaired"));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let none = kit.control.list_events(kit.may(since(10))).await.expect("events").items;
    assert!(none.is_empty(), "{none:?}");
}
