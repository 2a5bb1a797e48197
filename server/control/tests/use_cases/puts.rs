//! PUT by name and by ID: made, changed, found equal; what a whole spec may say, and what it may not.

use netloom_control::command::*;
use netloom_control::{Error, ErrorKind, Precondition};
use netloom_model::lease::Lease;
use netloom_model::network::Network;
use netloom_model::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::kit::{Act, Kit, done, macvlan};

/// Whether it was made, and the object.
type Came<T> = Result<(bool, T), Error>;

fn came<T>(put: Result<Put<T>, Error>) -> Came<T> {
    match put? {
        Put::Made(written) => Ok((true, done(Ok(written))?)),
        Put::Changed(written) => Ok((false, done(Ok(written))?)),
    }
}

/// A spec with the name from the path, where it says none.
fn named<T: serde::Serialize + serde::de::DeserializeOwned>(field: &str, reference: &str, mut spec: Value) -> T {
    if spec.get(field).is_none() {
        spec[field] = reference.into();
    }
    netloom_model::document::parse(spec).expect("a readable spec")
}

impl Kit {
    async fn put_network(&self, reference: &str, spec: Value) -> Came<Network> {
        let command = PutNetwork { network: reference.into(), spec: named("name", reference, spec) };
        came(self.control.put_network(self.may(command), WriteOptions::default()).await)
    }

    async fn put_sandbox(&self, reference: &str, spec: Value) -> Came<Sandbox> {
        came(self.try_put_sandbox(reference, spec, WriteOptions::default()).await)
    }

    async fn try_put_sandbox(
        &self,
        reference: &str,
        spec: Value,
        options: WriteOptions,
    ) -> Result<Put<Sandbox>, Error> {
        let command = PutSandbox { sandbox: reference.into(), spec: named("name", reference, spec) };
        self.control.put_sandbox(self.may(command), options).await
    }

    async fn put_lease(&self, reference: &str, spec: Value) -> Came<Lease> {
        let spec = named("key", reference, spec);
        let command = PutLease { network: "macvlan-net1".into(), lease: reference.into(), spec };
        came(self.control.put_lease(self.may(command), WriteOptions::default()).await)
    }

    async fn patch_lease(&self, reference: &str, patch: Value) -> Result<Lease, Error> {
        let command = UpdateLease { network: "macvlan-net1".into(), lease: reference.into(), patch };
        done(self.control.update_lease(self.may(command), WriteOptions::default()).await)
    }
}

fn pointers(error: &Error) -> Vec<&str> {
    error.errors.iter().map(|invalid| invalid.pointer.as_str()).collect()
}

#[tokio::test]
async fn a_second_put_changes_nothing_and_a_third_with_less_unsets() {
    let kit = Kit::new().await;
    let mut body =
        macvlan("n", json!({"v4": {"subnet": "192.168.122.0/24", "reserved": {"printer": "192.168.122.9"}}}));
    body["labels"] = json!({"a": "1"});
    let (made, first) = kit.put_network("n", body.clone()).await.expect("made");
    assert!(made && first.spec_revision == first.revision);
    let seq = kit.seq().await;
    let (made, second) = kit.put_network("n", body.clone()).await.expect("equal");
    assert!(!made && second == first);
    assert_eq!(kit.put_network(&first.id.to_string(), body.clone()).await.expect("by ID"), (false, first.clone()));
    assert_eq!(kit.seq().await, seq, "no event");
    let (_, third) =
        kit.put_network("n", macvlan("n", json!({"v4": {"subnet": "192.168.122.0/24"}}))).await.expect("less");
    assert_eq!((third.spec.labels.is_none(), third.status.pools["v4"].capacity.reserved), (true, 0));
    assert_eq!(
        third.status.pools["v4"].capacity.free.as_deref(),
        Some("252"),
        "the host's own address is kept out all the same"
    );
    assert_eq!((third.spec_revision, kit.events_since(seq).await), (seq + 1, vec!["network.updated".to_owned()]));

    let spec = json!({"networks": {"n": {}}, "description": "d"});
    let (made, first) = kit.put_sandbox("s", spec.clone()).await.expect("made");
    assert!(made);
    let seq = kit.seq().await;
    assert_eq!(kit.put_sandbox("s", spec.clone()).await.expect("equal"), (false, first.clone()));
    assert_eq!(kit.put_sandbox(&first.id.to_string(), spec).await.expect("by ID, without a name"), (false, first));
    assert_eq!(kit.seq().await, seq);
    let (_, bare) = kit.put_sandbox("s", json!({})).await.expect("detached");
    assert!(bare.spec.description.is_none() && bare.status.endpoints.is_empty());
    kit.check_store().await;
}

#[tokio::test]
async fn an_id_makes_nothing_and_a_name_is_the_paths() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let pools = json!({"v4": {"subnet": "192.168.122.0/24", "gateway": "192.168.122.1"}});
    let seq = kit.seq().await;
    for (id, gone) in [("net_aebagbafaydqqcikbmga2dqpca", "network"), ("sbx_aebagbafaydqqcikbmga2dqpca", "sandbox")] {
        let error = match gone {
            "network" => kit.put_network(id, macvlan("x", json!({}))).await.map(|_| ()),
            _ => kit.put_sandbox(id, json!({"name": "x"})).await.map(|_| ()),
        };
        assert_eq!(error.expect_err("no such").code, "resource-not-found");
    }
    for lease in ["lse_aebagbafaydqqcikbmga2dqpca", "192.168.122.77"] {
        assert_eq!(kit.put_lease(lease, json!({})).await.expect_err("no such").code, "resource-not-found", "{lease}");
    }
    let error = kit.put_network("m", macvlan("n", json!({}))).await.expect_err("another name");
    assert_eq!((error.code, pointers(&error)), ("invalid-value", vec!["/name"]));
    let error = kit.put_sandbox("s", json!({"name": "t"})).await.expect_err("another name");
    assert_eq!(pointers(&error), ["/name"]);
    let error = kit.put_lease("printer", json!({"key": "other"})).await.expect_err("another key");
    assert_eq!(pointers(&error), ["/key"]);
    let id = kit.network("macvlan-net1").await.expect("a network").id.to_string();
    let error = kit.put_network(&id, macvlan("other", pools.clone())).await.expect_err("names stay");
    assert_eq!((error.code, pointers(&error)), ("immutable-field", vec!["/name"]));
    let error = kit.put_sandbox("no good", json!({})).await.expect_err("no name");
    assert_eq!((error.code, pointers(&error)), ("invalid-value", vec!["/name"]));
    assert_eq!(kit.seq().await, seq);
}

#[tokio::test]
async fn what_cant_change_says_so_as_to_a_patch() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let table = [
        (json!({"driver": "none"}), "/driver"),
        (
            json!({"driver": "macvlan", "macvlan": {"parent": "parent1"}, "pools": {"v4": {"subnet": "192.168.122.0/24"}}}),
            "/macvlan/parent",
        ),
        (
            json!({"driver": "macvlan", "macvlan": {"parent": "parent0"}, "pools": {"v4": {"subnet": "192.168.123.0/24"}}}),
            "/pools/v4/subnet",
        ),
        (json!({"driver": "macvlan", "macvlan": {"parent": "parent0"}}), "/pools/v4"),
        (
            json!({"driver": "macvlan", "macvlan": {"parent": "parent0"}, "mtu": 1400, "pools": {"v4": {"subnet": "192.168.122.0/24"}}}),
            "/mtu",
        ),
    ];
    let before = kit.network("macvlan-net1").await.expect("a network");
    for (spec, pointer) in table {
        let error = kit.put_network("macvlan-net1", spec.clone()).await.expect_err("refused");
        assert!(pointers(&error).contains(&pointer), "{spec}: {error:?}");
    }
    assert_eq!(kit.network("macvlan-net1").await.expect("a network"), before);
    for name in ["bridge", "host", "none"] {
        let as_it_is = serde_json::to_value(kit.network(name).await.expect("there").spec).expect("a document");
        assert!(!kit.put_network(name, as_it_is).await.expect("nothing to do").0);
        let error = kit.put_network(name, json!({"driver": name})).await.expect_err("stays");
        assert_eq!(error.code, "predefined");
    }
    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    let error = kit.put_sandbox("s", json!({"netns": "/run/netns/x"})).await.expect_err("refused");
    assert_eq!((error.code, pointers(&error)), ("immutable-field", vec!["/netns"]));
}

#[tokio::test]
async fn a_reservation_changes_in_place_but_for_its_address() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let (made, first) = kit.put_lease("printer", json!({"description": "third floor"})).await.expect("reserved");
    assert!(made && first.status.address == "192.168.122.2");
    let seq = kit.seq().await;
    for reference in ["printer", "192.168.122.2", &first.id.to_string()] {
        let again = kit.put_lease(reference, json!({"description": "third floor"})).await.expect("equal");
        assert_eq!(again, (false, first.clone()), "{reference}");
    }
    assert_eq!(kit.patch_lease("printer", json!({})).await.expect("equal"), first);
    assert_eq!(kit.seq().await, seq);

    let pinned = json!({"address": "192.168.122.2", "pool": "v4", "mac": "00-11-22-33-44-55"});
    let (_, lease) = kit.put_lease("printer", pinned).await.expect("pinned to what it has");
    let spec = lease.spec.as_ref().expect("a spec");
    assert_eq!((spec.address.as_deref(), spec.pool.as_deref()), (Some("192.168.122.2"), Some("v4")));
    assert_eq!(
        (spec.mac.as_deref(), lease.status.mac.map(|mac| mac.to_string()).as_deref()),
        (Some("00-11-22-33-44-55"), Some("00:11:22:33:44:55"))
    );
    assert_eq!((spec.description.as_deref(), lease.spec_revision), (None, seq + 1), "absent is unset");
    assert_eq!((lease.id, lease.created_at), (first.id, first.created_at));
    assert_eq!(kit.events_since(seq).await, ["lease.updated"]);
    for (spec, wanted) in [
        (json!({"address": "192.168.122.3"}), vec!["/address"]),
        (json!({"pool": "other"}), vec!["/pool"]),
        (json!({"address": "192.168.122.3", "pool": "v6"}), vec!["/address", "/pool"]),
        (json!({"mac": "nonsense"}), vec!["/mac"]),
    ] {
        let put = kit.put_lease("printer", spec.clone()).await.expect_err("refused");
        let patched = kit.patch_lease("printer", spec).await.expect_err("refused");
        assert_eq!((pointers(&put), pointers(&patched)), (wanted.clone(), wanted));
    }
    assert_eq!(kit.patch_lease("printer", json!({"key": "other"})).await.expect_err("stays").code, "immutable-field");
    let lease = kit.patch_lease("printer", json!({"mac": null, "description": "cellar"})).await.expect("changed");
    assert_eq!((lease.status.mac, lease.spec.expect("a spec").description.as_deref()), (None, Some("cellar")));

    kit.on("s", "macvlan-net1").await.expect("a sandbox");
    for held in ["192.168.122.1", "192.168.122.3", "192.168.122.185"] {
        assert_eq!(kit.patch_lease(held, json!({"description": "x"})).await.expect_err("held").code, "lease-in-use");
    }
    assert_eq!(kit.patch_lease("nobody", json!({})).await.expect_err("none").code, "resource-not-found");
    kit.check_store().await;
}

#[tokio::test]
async fn of_many_who_put_one_name_at_once_one_makes_it() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let body = || macvlan("n", json!({"v4": {"subnet": "10.1.0.0/24"}}));
    let networks = futures_join(8, || kit.put_network("n", body())).await;
    assert_eq!(networks.iter().filter(|(made, _)| *made).count(), 1, "one was made");
    let spec = || json!({"networks": {"macvlan-net1": {"address4": "192.168.122.77"}}});
    let sandboxes = futures_join(8, || kit.put_sandbox("s", spec())).await;
    assert_eq!(sandboxes.iter().filter(|(made, _)| *made).count(), 1);
    let leases = futures_join(8, || kit.put_lease("printer", json!({}))).await;
    assert_eq!(leases.iter().filter(|(made, _)| *made).count(), 1);
    // Different bodies: whoever comes later changes it.
    let numbers = std::sync::atomic::AtomicU32::new(0);
    let different = || {
        let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        kit.put_sandbox("t", json!({"description": number.to_string(), "networks": {"macvlan-net1": {}}}))
    };
    let sandboxes = futures_join(8, different).await;
    assert_eq!(sandboxes.iter().filter(|(made, _)| *made).count(), 1);
    kit.check_store().await;
}

async fn futures_join<T, F>(count: usize, begin: impl Fn() -> F) -> Vec<(bool, T)>
where
    F: Future<Output = Came<T>>,
{
    let all: Vec<_> = (0..count).map(|_| begin()).collect();
    futures_util::future::join_all(all).await.into_iter().map(|one| one.expect("neither taken nor failed")).collect()
}

#[tokio::test]
async fn a_dry_run_of_a_put_leaves_nothing_and_a_refused_one_is_undone() {
    let kit = Kit::new().await;
    kit.exercise_network().await;
    let seq = kit.seq().await;
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let spec = json!({"networks": {"macvlan-net1": {}}});
    let planned = kit.try_put_sandbox("s", spec.clone(), dry.clone()).await.expect("planned");
    assert!(matches!(planned, Put::Made(Written::Planned(..))));
    assert_eq!((kit.seq().await, kit.sandbox("s").await.expect_err("none").kind), (seq, ErrorKind::NotFound));
    kit.node.next(Act::Refuse("kernel-refused"));
    assert_eq!(kit.put_sandbox("s", spec.clone()).await.expect_err("refused").code, "kernel-refused");
    assert_eq!(kit.sandbox("s").await.expect_err("undone").kind, ErrorKind::NotFound);
    let (_, before) = kit.put_sandbox("s", spec.clone()).await.expect("made");
    kit.node.next(Act::Refuse("kernel-refused"));
    assert_eq!(kit.put_sandbox("s", json!({})).await.expect_err("refused").code, "kernel-refused");
    let after = kit.sandbox("s").await.expect("there");
    assert_eq!(after.spec, before.spec, "the former spec stands again");
    assert!(after.spec_revision > before.spec_revision, "it was written twice");
    let planned = kit.try_put_sandbox("s", json!({}), dry).await.expect("planned");
    assert!(matches!(planned, Put::Changed(Written::Planned(..))));
    assert_eq!(kit.sandbox("s").await.expect("there"), after);
    let at_once = WriteOptions { wait: std::time::Duration::ZERO, ..WriteOptions::default() };
    let pending = kit.try_put_sandbox("t", spec, at_once).await.expect("taken");
    assert!(matches!(pending, Put::Made(Written::Pending(_))));
}

#[tokio::test]
async fn to_make_only_or_to_change_only() {
    let kit = Kit::new().await;
    let only = |precondition| WriteOptions { precondition, ..WriteOptions::default() };
    for precondition in [Precondition::Exists, Precondition::SpecIs(vec![1])] {
        let error = kit.try_put_sandbox("s", json!({}), only(precondition)).await.expect_err("none to change");
        assert_eq!(error.kind, ErrorKind::PreconditionFailed);
    }
    assert!(matches!(kit.try_put_sandbox("s", json!({}), only(Precondition::Absent)).await, Ok(Put::Made(_))));
    let error = kit.try_put_sandbox("s", json!({}), only(Precondition::Absent)).await.expect_err("there");
    let number = kit.sandbox("s").await.expect("there").spec_revision;
    assert_eq!((error.kind, error.facts["spec_revision"].clone()), (ErrorKind::PreconditionFailed, number.to_string()));
    for precondition in [Precondition::Exists, Precondition::SpecIs(vec![number])] {
        assert!(kit.try_put_sandbox("s", json!({}), only(precondition)).await.is_ok());
    }
}
