//! Adopted namespaces: what may be adopted, and that it is known again.

use std::collections::BTreeMap;

use netloom_model::assignment::{Adoption, NamespaceSource};
use netloom_model::invalid::Code;
use netloom_plan::object::{Key, Link, Namespace, Object, Operation, Place, Scope};

use crate::host::{Host, address, creations, id, json, macvlan, on_a_host, output, scope, start};

fn scope_of(adoption: &Adoption) -> Scope {
    Scope { sandboxes: BTreeMap::from([(id(5), NamespaceSource::Adopted(adoption.clone()))]), ..scope(&[]) }
}

fn objects(adoption: &Adoption) -> Vec<Object> {
    let place = Place::Sandbox(id(5));
    vec![
        Object::Namespace(Namespace {
            sandbox: id(5),
            name: "adopted".to_owned(),
            source: NamespaceSource::Adopted(adoption.clone()),
        }),
        Object::Link(macvlan(place, "net0", 5)),
        address(place, "net0", "192.168.122.5", 24),
    ]
}

async fn refusal(host: &Host, path: Option<&str>, pid: Option<i32>) -> (Code, String) {
    let invalid = host.kernel.identify("/netns", path, pid).await.expect_err("it is refused");
    assert_eq!(invalid.pointer, "/netns");
    (invalid.code, invalid.message)
}

#[test]
fn what_is_no_namespace_or_not_to_be_touched_is_refused() {
    on_a_host(async |host| {
        let own = format!("/proc/{}/task/{}/ns/net", std::process::id(), nix::unistd::gettid());
        assert_eq!(refusal(&host, Some(&own), None).await.0, Code::NotAvailable);
        // The machine's own: process 1's, by whatever path; where the first can't even be opened, the second can.
        assert_eq!(refusal(&host, Some("/proc/1/ns/net"), None).await.0, Code::NotAvailable);
        let machines = format!("/proc/{}/ns/net", std::process::id());
        let (code, message) = refusal(&host, Some(&machines), None).await;
        assert_eq!((code, message.contains("process 1")), (Code::NotAvailable, true), "{message}");
        assert_eq!(refusal(&host, None, Some(1)).await.0, Code::NotAvailable);
        assert_eq!(refusal(&host, Some("/etc/hostname"), None).await.0, Code::Format);
        assert_eq!(refusal(&host, Some("/proc/self/ns/mnt"), None).await.0, Code::Format);
        assert_eq!(refusal(&host, Some("/no/such/file"), None).await.0, Code::NotFound);
        assert_eq!(refusal(&host, Some("relative"), None).await.0, Code::Format);
        assert_eq!(refusal(&host, None, Some(i32::MAX)).await.0, Code::NotFound);
        host.make(2).await;
        let ours = host.kernel.netns_path(id(2)).display().to_string();
        assert_eq!(refusal(&host, Some(&ours), None).await.0, Code::NotAvailable);
        let mut inside = start(&format!("{} sleep 60", host.inside(2)));
        while !output(&format!("nsenter --net=/proc/{}/ns/net ip link show eth0", inside.pid())).status.success() {}
        assert_eq!(refusal(&host, None, Some(inside.pid())).await.0, Code::NotAvailable);
        inside.end();
        host.remove(2).await;
    });
}

#[test]
fn an_adopted_namespace_gets_its_link_and_keeps_the_rest() {
    on_a_host(async |host| {
        let mut process = start("unshare --net sleep 60");
        let inside = format!("nsenter --net=/proc/{}/ns/net", process.pid());
        while json(&format!("{inside} ip -j link")).as_array().unwrap().len() != 1 {}
        let adoption = host.kernel.identify("/pid", None, Some(process.pid())).await.expect("it may be adopted");
        assert_eq!(adoption.path, format!("/proc/{}/ns/net", process.pid()));
        assert!(adoption.start_time.is_some());
        host.apply(creations(&objects(&adoption))).await;
        let link = &json(&format!("{inside} ip -j link show net0"))[0];
        assert_eq!(link["address"], "02:42:c0:a8:7a:05");
        let observed = host.observe(scope_of(&adoption)).await;
        let expected: BTreeMap<_, _> = objects(&adoption).into_iter().map(|object| (object.key(), object)).collect();
        assert_eq!(observed.ours, expected);
        assert_eq!(observed.foreign.keys().collect::<Vec<_>>(), [&Key::Link(Place::Sandbox(id(5)), "lo".to_owned())]);
        let list = objects(&adoption);
        host.apply(vec![Operation::Delete(list[1].clone()), Operation::Delete(list[0].clone())]).await;
        assert_eq!(json(&format!("{inside} ip -j link")).as_array().unwrap().len(), 1);
        process.end();
    });
}

#[test]
fn a_namespace_that_is_gone_or_another_is_not_taken_for_it() {
    on_a_host(async |host| {
        let mut process = start("unshare --net sleep 60");
        let inside = format!("nsenter --net=/proc/{}/ns/net", process.pid());
        while json(&format!("{inside} ip -j link")).as_array().unwrap().len() != 1 {}
        let adoption = host.kernel.identify("/pid", None, Some(process.pid())).await.expect("it may be adopted");
        for (changed, word) in [
            (Adoption { cookie: adoption.cookie + 1, ..adoption.clone() }, "another namespace"),
            (Adoption { boot_id: "another".to_owned(), ..adoption.clone() }, "started anew"),
            (Adoption { start_time: Some(1), ..adoption.clone() }, "ended"),
            (Adoption { path: "/no/such".to_owned(), start_time: None, ..adoption.clone() }, "no network namespace"),
        ] {
            let observed = host.observe(scope_of(&changed)).await;
            assert!(observed.ours.is_empty());
            assert!(observed.gone[&id(5)].contains(word), "{:?}", observed.gone);
            let codes = host.codes(creations(&objects(&changed))).await;
            assert_eq!(codes, ["namespace-gone", "skipped", "skipped"]);
        }
        host.apply(creations(&objects(&adoption))).await;
        process.end();
        let observed = host.observe(scope_of(&adoption)).await;
        assert!(observed.gone.contains_key(&id(5)));
        let Object::Link(link) = objects(&adoption)[1].clone() else { unreachable!("the list above") };
        host.apply(vec![
            Operation::Delete(Object::Link(Link { ..link })),
            Operation::Delete(objects(&adoption)[0].clone()),
        ])
        .await;
    });
}
