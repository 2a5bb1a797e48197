//! Places on networks of the swarm that nodes ask for: what they may say, what others may not take, and who is told when.

use std::time::Duration;

use netloom_control::Config;
use netloom_control::command::{UpdateSandbox, WriteOptions};
use netloom_control::members::Manager;
use netloom_model::member::{Answered, AttachRequest};
use netloom_model::report::Report;
use netloom_model::sandbox::AttachmentSpec;
use netloom_model::{EndpointId, MacAddr, SandboxId};
use serde_json::json;

use crate::kit::host;
use crate::kit::pair::{Pair, follow};
use crate::kit::wire::peer;

#[tokio::test]
async fn an_endpoint_of_one_node_is_not_anothers_to_name() {
    let pair = Pair::new().await;
    let network = json!({"name": "far", "driver": "overlay", "internal": true});
    let network = pair.manager.create_network(network).await.expect("a network").id;
    let here = pair.manager.on("here", "far").await.expect("a sandbox");
    let own = pair.worker.control.membership().borrow().clone().expect("a member");
    let ask = async |endpoint, sandbox_name: &str, aliases: &[&str]| {
        let wanted = AttachmentSpec {
            aliases: Some(aliases.iter().map(|alias| (*alias).to_owned()).collect()),
            ..AttachmentSpec::default()
        };
        let (sandbox, sandbox_name) = (SandboxId::from_random([9; 16]), sandbox_name.to_owned());
        let request = AttachRequest {
            sandbox,
            sandbox_name,
            running: true,
            network,
            endpoint,
            wanted,
            instead_of: None,
            dry_run: false,
        };
        Manager::attach(&pair.manager.control, peer(&own), request).await
    };
    let words = pair.manager.lease_words().await;
    let free = EndpointId::from_random([5; 16]);
    for (endpoint, name, aliases, wanted) in [
        (here.status.endpoints["far"].endpoint_id, "there", [].as_slice(), "request-invalid"),
        (free, "not a name!", &[], "invalid-value"),
        (free, "there", &["no alias!"], "invalid-value"),
    ] {
        let Err(refused) = ask(endpoint, name, aliases).await else { panic!("{name} {aliases:?} was taken") };
        assert_eq!(refused.code, wanted, "{name} {aliases:?}");
    }
    assert_eq!(pair.manager.lease_words().await, words, "nothing was given");
    assert!(ask(free, "there", &["alias"]).await.is_ok());
    // On an overlay network there is nobody but nodes who could answer for an address.
    let answered = Answered { address: "10.0.0.2".parse().unwrap(), mac: MacAddr([2, 0, 0, 0, 0, 1]) };
    let request = AttachRequest {
        sandbox: SandboxId::from_random([9; 16]),
        sandbox_name: "there".to_owned(),
        running: true,
        network,
        endpoint: free,
        wanted: AttachmentSpec::default(),
        instead_of: Some(answered),
        dry_run: false,
    };
    let Err(refused) = Manager::attach(&pair.manager.control, peer(&own), request).await else {
        panic!("a stranger was believed in")
    };
    assert_eq!(refused.code, "request-invalid");
    // Asked again for what it has, a node is believed no more.
    let Err(refused) = ask(free, "there", &["no alias!"]).await else { panic!("it was taken") };
    assert_eq!(refused.code, "invalid-value");
    pair.manager.check_store().await;
}

#[tokio::test]
async fn an_ethernet_address_is_one_hosts_on_a_network_and_one_networks_on_a_host() {
    let pair = Pair::new().await;
    for name in ["far", "wide"] {
        let network = json!({"name": name, "driver": "overlay", "internal": true});
        pair.manager.create_network(network).await.expect("a network");
    }
    pair.until(async |pair: &Pair| pair.worker.network("wide").await.is_ok()).await;
    let with = |name: &str, network: &str| json!({"name": name, "networks": {network: {"mac": "02:00:00:00:00:07"}}});
    pair.worker.create_sandbox(with("there", "far")).await.expect("a sandbox");
    let refused = pair.manager.create_sandbox(with("here", "far")).await.expect_err("a worker's sandbox has it");
    assert_eq!((refused.code, refused.detail.contains("there")), ("mac-taken", true), "{refused:?}");
    let refused = pair.worker.create_sandbox(with("second", "wide")).await.expect_err("the host has it");
    assert_eq!((refused.code, refused.detail.contains("there")), ("mac-taken", true), "{refused:?}");
    pair.heartbeat().await;
    pair.heartbeat().await;
    assert!(!pair.manager.lease_words().await.iter().any(|word| word.contains("second")), "its place was given back");
    pair.manager.create_sandbox(with("here", "wide")).await.expect("another host, another network");
}

#[tokio::test]
async fn a_sandbox_that_is_started_is_told_of_before_its_start_is_answered() {
    let pair = Pair::new().await;
    let network = json!({"name": "far", "driver": "overlay", "internal": true});
    pair.manager.create_network(network).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    let there = pair.worker.on("there", "far").await.expect("a sandbox");
    let endpoint = there.status.endpoints["far"].endpoint_id;
    let known = async || pair.manager.control.assignment(None).await.expect("one").peers.contains_key(&endpoint);
    pair.manager.on("here", "far").await.expect("a sandbox");
    assert!(known().await);
    pair.worker.patch_sandbox("there", json!({"desired_state": "stopped"})).await.expect("stopped");
    pair.heartbeat().await;
    assert!(!known().await);
    pair.worker.patch_sandbox("there", json!({"desired_state": "running"})).await.expect("started");
    assert!(known().await, "no heartbeat was needed");
    // A manager that can't be asked keeps nobody from starting.
    pair.worker.patch_sandbox("there", json!({"desired_state": "stopped"})).await.expect("stopped");
    *pair.worker.wire.manager.lock().unwrap() = None;
    let command = UpdateSandbox { sandbox: "there".into(), patch: json!({"desired_state": "running"}) };
    pair.worker.control.update_sandbox(pair.worker.may(command), WriteOptions::default()).await.expect("started");
}

#[tokio::test]
async fn a_number_that_comes_again_is_another_network() {
    let pair = Pair::new().await;
    let network = |name: &str| json!({"name": name, "driver": "overlay", "internal": true});
    pair.manager.create_network(network("far")).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok()).await;
    pair.feed.abort();
    // Away, the worker hears of both at once: one is gone, and the other has its number and its name.
    pair.manager.remove_network("far", false).await.expect("removed");
    let again = pair.manager.create_network(network("far")).await.expect("a network");
    let feed = follow(&pair.manager.control, &pair.worker.control);
    pair.until(async |pair: &Pair| pair.worker.network("far").await.is_ok_and(|seen| seen.id == again.id)).await;
    pair.worker.on("there", "far").await.expect("a sandbox");
    feed.abort();
}

#[tokio::test]
async fn the_mtu_is_the_least_that_any_node_has_room_for_and_no_word_makes_it_useless() {
    let heartbeat = Duration::from_millis(50);
    let pair = Pair::with(|| Config { heartbeat, ..Config::default() }).await;
    let network = json!({"name": "far", "driver": "overlay", "internal": true});
    pair.manager.create_network(network).await.expect("a network");
    let says = async |mtu: u32| {
        let mut facts = host();
        (facts.links[0].mtu, facts.links[0].addresses) = (mtu, vec!["192.168.122.186/24".parse().unwrap()]);
        pair.worker.node.set_facts(facts.clone());
        pair.worker.control.report(Report::HostChanged(Box::new(facts))).await.expect("taken");
        pair.heartbeat().await;
        pair.manager.network("far").await.expect("there").status.mtu
    };
    assert_eq!(says(1400).await, Some(1350));
    // Links of all nodes would follow.
    for useless in [100, 60, 0, 1329] {
        assert_eq!(says(useless).await, Some(1350), "{useless}");
    }
    assert_eq!(says(1330).await, Some(1280));
    // More counts when it was said for twelve heartbeats.
    assert_eq!(says(1500).await, Some(1280));
    tokio::time::sleep(heartbeat * 13).await;
    assert_eq!(says(1500).await, Some(1450));
}
