//! Preconditions: a change of the spec by anybody stands in the way of who read it before, the state of an object in nobody's.

use netloom_control::command::*;
use netloom_control::{Error, ErrorKind, Precondition};
use netloom_model::report::Report;
use serde_json::{Value, json};

use crate::kit::{Act, Kit};

fn when(numbers: &[u64]) -> WriteOptions {
    WriteOptions { precondition: Precondition::SpecIs(numbers.to_vec()), ..WriteOptions::default() }
}

impl Kit {
    async fn patch_network_when(&self, options: WriteOptions, patch: Value) -> Result<(), Error> {
        let command = UpdateNetwork { network: "macvlan-net1".into(), patch };
        self.control.update_network(self.may(command), options).await.map(|_| ())
    }

    async fn patch_sandbox_when(&self, options: WriteOptions, patch: Value) -> Result<(), Error> {
        let command = UpdateSandbox { sandbox: "s".into(), patch };
        self.control.update_sandbox(self.may(command), options).await.map(|_| ())
    }

    async fn network_number(&self) -> u64 {
        self.network("macvlan-net1").await.expect("a network").spec_revision
    }

    async fn sandbox_number(&self) -> u64 {
        self.sandbox("s").await.expect("a sandbox").spec_revision
    }
}

fn unmet(result: Result<(), Error>, present: u64) {
    let error = result.expect_err("changed meanwhile");
    assert_eq!((error.kind, error.code), (ErrorKind::PreconditionFailed, "precondition-failed"));
    assert_eq!(error.facts["spec_revision"], present.to_string());
}

#[tokio::test]
async fn a_concurrent_edit_is_seen_by_every_write() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let (network, sandbox) = (kit.network_number().await, kit.sandbox_number().await);
    kit.patch_network("macvlan-net1", json!({"description": "theirs"})).await.expect("changed");
    kit.patch_sandbox("s", json!({"description": "theirs"})).await.expect("changed");
    let (network_now, sandbox_now) = (kit.network_number().await, kit.sandbox_number().await);
    let seq = kit.seq().await;
    for dry_run in [false, true] {
        let old = |number| WriteOptions { dry_run, ..when(&[number]) };
        unmet(kit.patch_network_when(old(network), json!({"description": "mine"})).await, network_now);
        unmet(kit.patch_network_when(old(network), json!({})).await, network_now);
        unmet(kit.patch_sandbox_when(old(sandbox), json!({"description": "mine"})).await, sandbox_now);
        let remove = kit.may(RemoveNetwork { network: "macvlan-net1".into(), cascade: true });
        unmet(kit.control.remove_network(remove, old(network)).await.map(|_| ()), network_now);
        let remove = kit.may(RemoveSandbox("s".into()));
        unmet(kit.control.remove_sandbox(remove, old(sandbox)).await.map(|_| ()), sandbox_now);
    }
    assert_eq!(kit.seq().await, seq, "nothing was changed");
    kit.patch_network_when(when(&[network, network_now]), json!({"description": "mine"})).await.expect("one of them");
    kit.patch_sandbox_when(when(&[sandbox_now]), json!({"description": "mine"})).await.expect("as it is");
    let remove = kit.may(RemoveSandbox("s".into()));
    kit.control.remove_sandbox(remove, when(&[kit.sandbox_number().await])).await.expect("as it is");
}

#[tokio::test]
async fn of_many_who_read_the_same_one_writes() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let number = kit.sandbox_number().await;
    let writes = (0..8).map(|n| kit.patch_sandbox_when(when(&[number]), json!({"description": n.to_string()})));
    let written = futures_util::future::join_all(writes).await;
    assert_eq!(written.iter().filter(|result| result.is_ok()).count(), 1);
    let refused: Vec<ErrorKind> = written.into_iter().filter_map(|result| Some(result.err()?.kind)).collect();
    assert_eq!(refused, [ErrorKind::PreconditionFailed; 7]);
}

#[tokio::test]
async fn what_the_system_notes_of_an_object_stands_in_nobodys_way() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let spec = json!({"name": "s", "netns": "/run/netns/s", "networks": {"macvlan-net1": {}}});
    let sandbox = kit.create_sandbox(spec).await.expect("adopted");
    let (network_number, number) = (kit.network_number().await, kit.sandbox_number().await);
    let seq = kit.seq().await;

    // An orphan, and found again; a neighbour that comes, stops, starts and goes; an address lost to a stranger; one of the host's.
    kit.control.report(Report::Orphaned { sandbox: sandbox.id, reason: "gone".into() }).await.expect("taken in");
    kit.on("t", "macvlan-net1").await.expect("a neighbour");
    kit.patch_sandbox("t", json!({"desired_state": "stopped"})).await.expect("stopped");
    kit.patch_sandbox("t", json!({"desired_state": "running"})).await.expect("started");
    kit.remove_sandbox("t").await.expect("removed");
    kit.node.next(Act::Strangers(1));
    kit.on("u", "macvlan-net1").await.expect("at the next address");
    let mut facts = crate::kit::host();
    facts.links[0].addresses.push("192.168.122.99/24".parse().unwrap());
    kit.control.report(Report::HostChanged(Box::new(facts))).await.expect("taken in");
    assert!(kit.seq().await > seq + 5);

    assert_eq!((kit.network_number().await, kit.sandbox_number().await), (network_number, number));
    kit.patch_network_when(when(&[network_number]), json!({"description": "mine"})).await.expect("nobody else did");
    kit.patch_sandbox_when(when(&[number]), json!({"description": "mine"})).await.expect("nobody else did");

    // On their way out they are the same still.
    let number = kit.sandbox_number().await;
    let at_once = WriteOptions { wait: std::time::Duration::ZERO, ..when(&[number]) };
    kit.node.next(Act::Silent);
    for _ in 0..2 {
        let remove = kit.may(RemoveSandbox("s".into()));
        match kit.control.remove_sandbox(remove, at_once.clone()).await {
            Ok(Written::Pending(leaving)) => assert_eq!(leaving.spec_revision, number),
            Ok(Written::Done(_)) => break,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_network_that_goes_with_its_endpoints_rewrites_its_sandboxes() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let number = kit.sandbox_number().await;
    kit.remove_network("macvlan-net1", true).await.expect("gone");
    let sandbox = kit.sandbox("s").await.expect("stays");
    assert!(sandbox.spec_revision > number && sandbox.spec.networks.is_some_and(|networks| networks.is_empty()));
    unmet(kit.patch_sandbox_when(when(&[number]), json!({"description": "mine"})).await, sandbox.spec_revision);
}

#[tokio::test]
async fn a_spec_that_is_taken_back_was_written_twice() {
    let kit = Kit::new().await;
    let made = kit.create_network(json!({"name": "web", "driver": "bridge"})).await.expect("a network");
    kit.node.next(Act::Refuse("kernel-refused"));
    kit.patch_network("web", json!({"bridge": {"inter_sandbox": false}})).await.expect_err("refused");
    let now = kit.network("web").await.expect("stays");
    assert_eq!((now.spec, now.spec_revision), (made.spec, made.spec_revision + 2));
}

#[tokio::test]
async fn a_reservation_is_guarded_too() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let at = |lease: &str| (String::from("macvlan-net1"), lease.to_owned());
    let (network, lease) = at("printer");
    let put = PutLease { network, lease, spec: netloom_model::document::parse(json!({"key": "printer"})).unwrap() };
    kit.control.put_lease(kit.may(put.clone()), WriteOptions::default()).await.expect("reserved");
    let number =
        kit.leases(ListLeases { owner: Some("printer".into()), ..ListLeases::default() }).await[0].spec_revision;
    let absent = WriteOptions { precondition: Precondition::Absent, ..WriteOptions::default() };
    unmet(kit.control.put_lease(kit.may(put.clone()), absent).await.map(|_| ()), number);
    let (network, lease) = at("printer");
    let patch = UpdateLease { network, lease, patch: json!({"description": "theirs"}) };
    kit.control.update_lease(kit.may(patch.clone()), when(&[number])).await.expect("as it was");
    unmet(kit.control.update_lease(kit.may(patch), when(&[number])).await.map(|_| ()), number + 1);
    unmet(kit.control.put_lease(kit.may(put), when(&[number])).await.map(|_| ()), number + 1);
    let (network, lease) = at("printer");
    let release = ReleaseLease { network, lease };
    unmet(kit.control.release_lease(kit.may(release.clone()), when(&[number])).await.map(|_| ()), number + 1);
    kit.control.release_lease(kit.may(release), when(&[number + 1])).await.expect("as it is");
}
