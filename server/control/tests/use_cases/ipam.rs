//! Pools side by side, orphans with reason and age, and reclaiming what they hold: by one call, by itself after the grace.

use std::time::Duration;

use netloom_control::Config;
use netloom_control::command::*;
use netloom_model::ipam::PoolReport;
use netloom_model::lease::{Lease, LeaseState};
use netloom_model::net::Family;
use netloom_model::report::Report;
use netloom_model::sandbox::Sandbox;
use serde_json::json;

use crate::kit::{Act, Kit, macvlan};

async fn pools(kit: &Kit, query: ListPools) -> Page<PoolReport> {
    kit.control.list_pools(kit.may(query)).await.expect("a list")
}

/// A sandbox in an adopted namespace, on a network, that is gone by now.
async fn orphan(kit: &Kit, name: &str, network: &str) -> Sandbox {
    let spec = json!({"name": name, "netns": format!("/run/netns/{name}"), "networks": {network: {}}});
    let sandbox = kit.create_sandbox(spec).await.expect("adopted");
    let gone = Report::Orphaned { sandbox: sandbox.id, reason: format!("the path of {name} is gone") };
    kit.control.report(gone).await.expect("taken in");
    sandbox
}

async fn orphans(kit: &Kit) -> Vec<Lease> {
    kit.leases(ListLeases { state: Some(LeaseState::Orphaned), ..ListLeases::default() }).await
}

async fn reclaim(kit: &Kit, options: WriteOptions) -> Written<Reclaimed> {
    kit.control.reclaim(kit.may(Reclaim), options).await.expect("an answer")
}

fn names(reclaimed: &Reclaimed) -> (Vec<&str>, Vec<&str>) {
    let sandboxes = reclaimed.sandboxes.iter().map(|object| object.name.as_str()).collect();
    (sandboxes, reclaimed.leases.iter().map(|lease| lease.status.address.as_str()).collect())
}

#[tokio::test]
async fn every_pool_is_there_with_its_use_and_what_is_left() {
    let kit = Kit::new().await;
    let pools_of = json!({"four": {"subnet": "10.1.0.0/29"}, "six": {"subnet": "fd00:1::/64"}});
    kit.create_network(macvlan("n", pools_of)).await.expect("a network");
    kit.create_network(macvlan("m", json!({"v4": {"subnet": "10.0.0.0/24", "range": "10.0.0.128/25"}})))
        .await
        .expect("m");
    for name in ["a", "b"] {
        kit.on(name, "n").await.expect("a sandbox");
    }
    kit.patch_sandbox("b", json!({"desired_state": "stopped"})).await.expect("stopped");
    orphan(&kit, "c", "n").await;
    kit.node.next(Act::Strangers(1));
    kit.on("d", "m").await.expect("a sandbox, at the next address");

    let all = pools(&kit, ListPools::default()).await;
    let words = |pool: &PoolReport| format!("{} {} {}", pool.network, pool.pool, pool.subnet);
    let wanted = ["m v4 10.0.0.0/24", "n four 10.1.0.0/29", "n six fd00:1::/64"];
    assert_eq!(all.items.iter().map(words).collect::<Vec<_>>(), wanted);
    assert_eq!(all.seq, kit.seq().await);
    for pool in &all.items {
        let status = kit.network(&pool.network).await.expect("a network").status.pools.remove(&pool.pool).expect("it");
        assert_eq!(pool.capacity, status.capacity, "as the network has it");
        assert_eq!((&pool.range, &pool.gateway, pool.family), (&status.range, &status.gateway, status.family));
    }
    let (m, four, six) = (&all.items[0], &all.items[1], &all.items[2]);
    let block = |pool: &PoolReport| pool.largest_free.clone().map(|free| (free.block, free.size));
    let used = |pool: &PoolReport| {
        let c = &pool.capacity;
        (c.total.clone(), c.free.clone().unwrap_or_default(), c.dynamic, c.held, c.gateway, c.orphaned, c.quarantined)
    };
    assert_eq!(used(four), ("6".into(), "2".into(), 1, 1, 1, 1, 0));
    assert_eq!(block(four), Some(("10.1.0.5-10.1.0.6".into(), "2".into())));
    assert_eq!(used(m), ("254".into(), "251".into(), 1, 0, 1, 0, 1));
    assert_eq!(block(m), Some(("10.0.0.2-10.0.0.127".into(), "126".into())), "anywhere in the subnet");
    assert_eq!(block(six).expect("plenty").1, "18446744073709551611");
    assert!(all.items.iter().all(|pool| pool.conditions.is_empty()));
}

#[tokio::test]
async fn a_pool_says_so_before_it_runs_dry() {
    let kit = Kit::new().await;
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.1.0.0/29"}}))).await.expect("a network");
    let mut said = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        kit.on(name, "n").await.expect("a sandbox");
        let pool = pools(&kit, ListPools::default()).await.items.remove(0);
        let condition = pool.conditions.first().map(|condition| condition.reason.clone()).unwrap_or_default();
        said.push(format!("{} {condition}", pool.capacity.free_in_range.clone().unwrap_or_default()));
        assert_eq!(pool.conditions, kit.network("n").await.expect("a network").status.conditions);
        assert_eq!(pool.largest_free.is_none(), pool.capacity.free.as_deref() == Some("0"));
    }
    assert_eq!(said, ["4 ", "3 ", "2 ", "1 OneLeft", "0 Full"]);
}

#[tokio::test]
async fn pools_are_paged_and_filtered() {
    let kit = Kit::new().await;
    for n in 0..5 {
        let both = json!({"v4": {"subnet": format!("10.1.{n}.0/24")}, "v6": {"subnet": format!("fd00:{n}::/64")}});
        kit.create_network(macvlan(&format!("n{n}"), both)).await.expect("a network");
    }
    let mut query = ListPools { page: PageRequest { limit: Some(3), token: None }, ..ListPools::default() };
    let mut found = Vec::new();
    loop {
        let page = pools(&kit, query.clone()).await;
        assert!(page.items.len() <= 3);
        found.extend(page.items.into_iter().map(|pool| pool.subnet));
        query.page.token = page.next_page_token;
        if query.page.token.is_none() {
            break;
        }
    }
    let four = (0..5).map(|n| format!("10.1.{n}.0/24"));
    let six: Vec<String> = (0..5).map(|n| format!("fd00:{n}::/64").replace("fd00:0::", "fd00::")).collect();
    assert_eq!(found, four.chain(six.clone()).collect::<Vec<_>>());
    let of = |page: Page<PoolReport>| page.items.into_iter().map(|pool| pool.subnet).collect::<Vec<_>>();
    assert_eq!(of(pools(&kit, ListPools { family: Some(Family::V6), ..ListPools::default() }).await), six);
    let one = ListPools { network: Some("n3".into()), ..ListPools::default() };
    assert_eq!(of(pools(&kit, one.clone()).await), ["10.1.3.0/24", "fd00:3::/64"]);
    let token =
        pools(&kit, ListPools { page: PageRequest { limit: Some(1), token: None }, ..ListPools::default() }).await;
    let other = ListPools { page: PageRequest { limit: None, token: token.next_page_token }, ..one };
    assert_eq!(kit.control.list_pools(kit.may(other)).await.expect_err("other filters").code, "invalid-page-token");
    let none = ListPools { network: Some("none-such".into()), ..ListPools::default() };
    assert_eq!(kit.control.list_pools(kit.may(none)).await.expect_err("no network").code, "resource-not-found");
}

#[tokio::test]
async fn orphaned_leases_say_why_since_when_and_until_when() {
    let kit = Kit::with(Config { orphan_grace: Duration::from_secs(60), ..Config::default() }).await;
    kit.exercise_network().await;
    kit.on("sound", "macvlan-net1").await.expect("a sandbox");
    let sandbox = orphan(&kit, "s", "macvlan-net1").await;
    let found = orphans(&kit).await;
    assert_eq!(found.len(), 1);
    let status = &found[0].status;
    assert_eq!(status.reason.as_deref(), Some("the path of s is gone"));
    let since = status.since.expect("a time");
    assert_eq!(status.until, Some(since.plus_millis(60_000)));
    assert_eq!(kit.sandbox("s").await.expect("stays").status.conditions[0].since, Some(since));
    kit.patch_sandbox("s", json!({"labels": {"a": "b"}})).await.expect("changed");
    assert_eq!(orphans(&kit).await[0].status.since, Some(since), "a change of the sandbox changes nothing");
    kit.control.report(Report::Found { sandbox: sandbox.id }).await.expect("taken in");
    let all = kit.leases(ListLeases::default()).await;
    assert!(all.iter().all(|lease| lease.status.reason.is_none() && lease.status.since.is_none()));
}

#[tokio::test]
async fn one_call_reclaims_what_orphans_hold_and_nothing_else() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    for name in ["one", "three"] {
        orphan(&kit, name, "macvlan-net1").await;
        kit.on(&format!("after-{name}"), "macvlan-net1").await.expect("a sandbox");
    }
    let (before, seq) = (kit.lease_words().await, kit.seq().await);
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let Written::Planned(planned, _) = reclaim(&kit, dry).await else { panic!("a dry run plans") };
    let wanted = (vec!["one", "three"], vec!["192.168.122.2", "192.168.122.4"]);
    assert_eq!(names(&planned), wanted);
    assert!(planned.leases.iter().all(|lease| lease.status.reason.is_some() && lease.status.since.is_some()));
    assert_eq!((kit.lease_words().await, kit.seq().await), (before, seq), "nothing was changed");

    let Written::Done(done) = reclaim(&kit, WriteOptions::default()).await else { panic!("verified") };
    assert_eq!(done, planned);
    assert_eq!(
        kit.lease_words().await,
        [
            "192.168.122.1 gateway bound macvlan-net1",
            "192.168.122.3 dynamic bound after-one",
            "192.168.122.5 dynamic bound after-three",
        ]
        .into_iter()
        .chain(["192.168.122.185 host bound parent0"])
        .collect::<Vec<_>>()
    );
    let events = kit.events_since(seq).await;
    assert_eq!(events.iter().filter(|kind| *kind == "sandbox.reclaimed").count(), 2, "{events:?}");
    assert_eq!(events.iter().filter(|kind| *kind == "sandbox.deleted").count(), 2, "{events:?}");
    assert!(kit.sandbox("one").await.is_err());
    let next = kit.on("next", "macvlan-net1").await.expect("a sandbox");
    assert_eq!(next.status.endpoints["macvlan-net1"].address.as_deref(), Some("192.168.122.2"), "free again");
    let Written::Done(again) = reclaim(&kit, WriteOptions::default()).await else { panic!("nothing to wait for") };
    assert_eq!(again, Reclaimed::default());
    kit.check_store().await;
}

#[tokio::test]
async fn an_address_is_not_free_before_the_kernel_is_proven_clean() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    orphan(&kit, "s", "macvlan-net1").await;
    let at_once = WriteOptions { wait: Duration::ZERO, ..WriteOptions::default() };
    let Written::Pending(pending) = reclaim(&kit, at_once).await else { panic!("the node has not answered") };
    assert_eq!(names(&pending), (vec!["s"], vec!["192.168.122.2"]));
    assert!(kit.lease_words().await.contains(&"192.168.122.2 dynamic releasing s".to_owned()));
    kit.check_store().await;
}

#[tokio::test]
async fn orphans_go_by_themselves_once_their_grace_is_over() {
    let kit = Kit::with(Config { orphan_grace: Duration::from_millis(300), ..Config::default() }).await;
    kit.exercise_network().await;
    let sandbox = orphan(&kit, "s", "macvlan-net1").await;
    kit.control.end_graces().await.expect("looked");
    assert_eq!(orphans(&kit).await.len(), 1, "within the grace");
    tokio::time::sleep(Duration::from_millis(350)).await;
    kit.control.report(Report::Found { sandbox: sandbox.id }).await.expect("taken in");
    let seq = kit.seq().await;
    kit.control.end_graces().await.expect("looked");
    assert_eq!(kit.seq().await, seq, "what is there again is no orphan");
    kit.control.report(Report::Orphaned { sandbox: sandbox.id, reason: "again".into() }).await.expect("taken in");
    kit.control.end_graces().await.expect("looked");
    assert_eq!(orphans(&kit).await.len(), 1, "the grace begins anew");
    tokio::time::sleep(Duration::from_millis(350)).await;
    kit.control.end_graces().await.expect("ended");
    assert!(orphans(&kit).await.is_empty());
    let page =
        ListEvents { since: Some(seq.to_string()), kinds: vec!["sandbox.reclaimed".into()], ..ListEvents::default() };
    let event = kit.control.list_events(kit.may(page)).await.expect("events").items.remove(0);
    assert_eq!((event.actor.as_str(), event.data["reason"].as_str()), ("netloom", "again"));
    kit.check_store().await;
}
