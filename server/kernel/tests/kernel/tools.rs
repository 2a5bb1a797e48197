//! What `netloom doctor` and `netloom purge` stand on.

use netloom_kernel::check::{self, Verdict};
use netloom_kernel::{Config, purge};
use netloom_plan::object::{Object, Place};

use crate::host::{creations, macvlan, on_a_host, output, route, run};

#[test]
fn purge_finds_and_removes_all_of_ours_and_nothing_else() {
    on_a_host(async |host| {
        let config = Config { run_dir: host.run_dir.clone() };
        assert_eq!(purge::find(&config).expect("a look"), []);
        host.make(2).await;
        host.make(3).await;
        let shim = Object::Link(macvlan(Place::Host, "nl-shim", 200));
        host.apply(creations(&[shim, route(Place::Host, "192.168.122.2/32", None, "nl-shim")])).await;
        std::fs::write(host.kernel.netns_path(crate::host::id(7)), "").expect("a stale file");
        let found = purge::find(&config).expect("a look");
        let kinds: Vec<&str> = found.iter().map(|found| found.what.as_str()).collect();
        assert_eq!(kinds, ["route", "link", "link", "link", "namespace", "namespace", "file", "mount"], "{found:?}");
        assert!(output("ip link show nl-shim").status.success());
        assert_eq!(purge::remove(&config).expect("a removal"), []);
        assert_eq!(purge::find(&config).expect("a look"), []);
        assert!(run("ip -o link").lines().count() == 3);
    });
}

#[test]
fn purge_finds_our_links_in_namespaces_of_others() {
    on_a_host(async |host| {
        let config = Config { run_dir: host.run_dir.clone() };
        let mut process = crate::host::start("unshare --net sleep 60");
        let inside = format!("nsenter --net=/proc/{}/ns/net", process.pid());
        while crate::host::json(&format!("{inside} ip -j link")).as_array().unwrap().len() != 1 {}
        let adoption = host.kernel.identify("/pid", None, Some(process.pid())).await.expect("it may be adopted");
        let place = Place::Sandbox(crate::host::id(5));
        let namespace = netloom_plan::Namespace {
            sandbox: crate::host::id(5),
            name: "adopted".to_owned(),
            source: netloom_model::assignment::NamespaceSource::Adopted(adoption),
        };
        host.apply(creations(&[Object::Namespace(namespace), Object::Link(macvlan(place, "net0", 5))])).await;
        let found = purge::find(&config).expect("a look");
        assert_eq!(found.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["net0"]);
        assert_eq!(purge::remove(&config).expect("a removal"), []);
        assert_eq!(crate::host::json(&format!("{inside} ip -j link")).as_array().unwrap().len(), 1);
        process.end();
    });
}

#[test]
fn purge_finds_our_links_in_a_namespace_that_no_path_is_known_of() {
    on_a_host(async |host| {
        let config = Config { run_dir: host.run_dir.clone() };
        let path = host.run_dir.parent().expect("a directory").join("elsewhere");
        std::fs::write(&path, "").expect("a file");
        run(&format!("unshare --net={} true", path.display()));
        let adoption =
            host.kernel.identify("/netns", Some(&path.to_string_lossy()), None).await.expect("it may be adopted");
        let sandbox = crate::host::id(5);
        let source = netloom_model::assignment::NamespaceSource::Adopted(adoption);
        let namespace = netloom_plan::Namespace { sandbox, name: "adopted".to_owned(), source };
        let link = macvlan(Place::Sandbox(sandbox), "net0", 5);
        host.apply(creations(&[Object::Namespace(namespace), Object::Link(link)])).await;
        let found = purge::find(&config).expect("a look");
        assert!(found.len() == 1 && found[0].name == "net0" && found[0].place.contains("ID"), "{found:?}");
        assert_eq!(purge::remove(&config).expect("a removal"), []);
        let left = run(&format!("nsenter --net={} ip -o link", path.display()));
        assert_eq!(left.lines().count(), 1, "{left}");
        run(&format!("umount {}", path.display()));
    });
}

#[test]
fn the_checks_say_what_this_host_has() {
    on_a_host(async |host| {
        run("nft add table ip strict");
        run("nft add chain ip strict gate { type filter hook forward priority 0 ; policy drop ; }");
        let checks = check::run(&Config { run_dir: host.run_dir.clone() });
        let of = |name: &str| checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name}"));
        for name in ["privileges", "kernel", "network namespaces", "kernel feature macvlan", "shared mount"] {
            assert_eq!(of(name).verdict, Verdict::Good, "{:?}", of(name));
        }
        let chains = of("foreign firewall chains");
        assert_eq!(chains.verdict, Verdict::Warning);
        assert!(chains.found.contains("chain gate of table ip strict"), "{chains:?}");
        // The tests run in a mount namespace of their own.
        assert_eq!(of("mount namespace").verdict, Verdict::Warning);
        assert!(checks.iter().all(|check| (check.verdict == Verdict::Good) == check.remedy.is_none()));
        assert!(!host.run_dir.exists(), "nothing is made by looking");
    });
}
