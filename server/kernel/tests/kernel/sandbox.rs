//! Making sandboxes, looking at them, changing them.

use netloom_kernel::Notification;
use netloom_plan::object::{ALIAS_PREFIX, Key, LINK_GROUP, Link, LinkKind, Object, Operation, Place, Scope};

use crate::host::{
    ROUTER, Running, address, creations, everything, id, ip, json, loopback, mac, macvlan, namespace, on_a_host, route,
    run, scope, start, sysctl, text, wanted,
};

#[test]
fn a_sandbox_is_made_as_wanted_and_leaves_nothing() {
    on_a_host(async |host| {
        host.make(2).await;
        let links = host.json_in(2, "ip -j -d link");
        let eth0 = links.as_array().unwrap().iter().find(|link| link["ifname"] == "eth0").expect("eth0");
        assert_eq!(eth0["address"], "02:42:c0:a8:7a:02");
        assert_eq!(eth0["mtu"], 1500);
        assert_eq!(eth0["ifalias"], format!("{ALIAS_PREFIX}ept_2"));
        assert_eq!(eth0["group"], LINK_GROUP.to_string());
        assert_eq!(eth0["linkinfo"]["info_kind"], "macvlan");
        assert_eq!(eth0["linkinfo"]["info_data"]["mode"], "bridge");
        let flags: Vec<String> = eth0["flags"].as_array().unwrap().iter().map(text).collect();
        assert!(["UP", "LOWER_UP", "BROADCAST", "MULTICAST"].iter().all(|flag| flags.iter().any(|f| f == flag)));
        let addresses = host.json_in(2, "ip -j -4 address show dev eth0");
        let inet = &addresses[0]["addr_info"][0];
        assert_eq!(inet["local"], "192.168.122.2");
        assert_eq!(inet["prefixlen"], 24);
        assert_eq!(inet["broadcast"], "192.168.122.255");
        let default = host.json_in(2, "ip -j route show default");
        assert_eq!(default[0]["gateway"], ROUTER);
        assert_eq!(default[0]["protocol"], "110");
        assert_eq!(host.json_in(2, "ip -j -6 route show default")[0]["gateway"], "2001:db8:122::1");
        assert_eq!(host.run_in(2, "cat /proc/sys/net/ipv4/conf/all/rp_filter").trim(), "2");
        assert!(text(&host.json_in(2, "ip -j link show lo")[0]["flags"][1]).contains("UP"));
        let _ = host.run_in(2, &format!("ping -c 1 -W 2 {ROUTER}"));
        host.remove(2).await;
    });
}

#[test]
fn what_was_made_is_observed_as_it_was_wanted() {
    on_a_host(async |host| {
        host.make(2).await;
        let mut asked = scope(&[2]);
        let place = Place::Sandbox(id(2));
        let paths =
            ["net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter", "net/ipv6/conf/default/accept_ra", "no/such"];
        asked.sysctls.insert(place, paths.map(str::to_owned).into());
        asked.sysctls.insert(Place::Sandbox(id(9)), ["net/ipv4/ip_forward".to_owned()].into());
        let observed = host.observe(asked).await;
        let expected: std::collections::BTreeMap<_, _> =
            wanted(2).into_iter().map(|object| (object.key(), object)).collect();
        assert_eq!(observed.ours, expected);
        assert!(observed.foreign.is_empty() && observed.gone.is_empty(), "{observed:?}");
        assert!(host.observe(everything()).await.ours.contains_key(&Key::Namespace(id(2))));
        assert!(host.observe(scope(&[9])).await.ours.is_empty());
        host.remove(2).await;
    });
}

#[test]
fn making_again_what_is_there_succeeds() {
    on_a_host(async |host| {
        host.make(2).await;
        host.make(2).await;
        let place = Place::Sandbox(id(2));
        assert_eq!(host.json_in(2, "ip -j link").as_array().unwrap().len(), 2);
        let absent = [
            Object::Link(macvlan(place, "eth9", 9)),
            address(place, "eth0", "192.168.122.99", 24),
            route(place, "198.51.100.0/24", Some(ROUTER), "eth0"),
        ];
        host.apply(absent.into_iter().map(Operation::Delete).collect()).await;
        host.remove(2).await;
        host.remove(2).await;
    });
}

#[test]
fn links_addresses_and_routes_change_in_place() {
    on_a_host(async |host| {
        host.make(2).await;
        let place = Place::Sandbox(id(2));
        let before = host.json_in(2, "ip -j link show eth0")[0]["ifindex"].clone();
        let from = macvlan(place, "eth0", 2);
        let to = Link { mtu: Some(1400), ..from.clone() };
        let change = |from: Object, to: Object| Operation::Change { from, to };
        host.apply(vec![
            change(Object::Link(from), Object::Link(to)),
            change(address(place, "eth0", "192.168.122.2", 24), address(place, "eth0", "192.168.122.2", 25)),
            Operation::Create(route(place, "0.0.0.0/0", Some(ROUTER), "eth0")),
            change(
                route(place, "0.0.0.0/0", Some(ROUTER), "eth0"),
                route(place, "0.0.0.0/0", Some("192.168.122.9"), "eth0"),
            ),
            change(
                sysctl(place, "net/ipv4/conf/all/rp_filter", "2"),
                sysctl(place, "net/ipv4/conf/all/rp_filter", "1"),
            ),
            change(Object::Link(loopback(id(2), true)), Object::Link(loopback(id(2), false))),
        ])
        .await;
        let eth0 = &host.json_in(2, "ip -j address show eth0")[0];
        assert_eq!((&eth0["mtu"], &eth0["ifindex"]), (&1400.into(), &before));
        assert_eq!(eth0["addr_info"][0]["prefixlen"], 25);
        assert_eq!(host.json_in(2, "ip -j route show default")[0]["gateway"], "192.168.122.9");
        assert_eq!(host.run_in(2, "cat /proc/sys/net/ipv4/conf/all/rp_filter").trim(), "1");
        assert!(!host.json_in(2, "ip -j link show lo")[0]["flags"].as_array().unwrap().contains(&"UP".into()));
        host.remove(2).await;
    });
}

#[test]
fn a_second_link_joins_a_sandbox_that_runs() {
    on_a_host(async |host| {
        host.make(2).await;
        let place = Place::Sandbox(id(2));
        let objects = [Object::Link(macvlan(place, "eth1", 7)), address(place, "eth1", "192.168.122.7", 24)];
        host.apply(creations(&objects)).await;
        assert_eq!(host.json_in(2, "ip -j -d link show eth1")[0]["group"], LINK_GROUP.to_string());
        host.apply(vec![Operation::Delete(objects[0].clone())]).await;
        assert_eq!(host.json_in(2, "ip -j link").as_array().unwrap().len(), 2);
        host.remove(2).await;
    });
}

#[test]
fn many_sandboxes_are_made_and_removed_side_by_side() {
    on_a_host(async |host| {
        let numbers: Vec<u8> = (2..34).collect();
        host.apply(numbers.iter().flat_map(|number| creations(&wanted(*number))).collect()).await;
        let observed = host.observe(everything()).await;
        assert_eq!(observed.ours.keys().filter(|key| matches!(key, Key::Namespace(_))).count(), numbers.len());
        for number in [2, 33] {
            assert_eq!(host.json_in(number, "ip -j link show eth0")[0]["address"], mac(number).to_string());
        }
        let removals = numbers.iter().flat_map(|number| {
            let link = macvlan(Place::Sandbox(id(*number)), "eth0", *number);
            [Operation::Delete(Object::Link(link)), Operation::Delete(namespace(id(*number)))]
        });
        host.apply(removals.collect()).await;
        assert!(host.observe(everything()).await.ours.is_empty());
    });
}

#[test]
fn what_hangs_from_a_refused_link_is_skipped_and_the_rest_is_done() {
    on_a_host(async |host| {
        let mut objects = wanted(2);
        for object in &mut objects {
            if let Object::Link(Link { kind: LinkKind::Macvlan { parent, .. }, .. }) = object {
                "nowhere0".clone_into(parent);
            }
        }
        objects.extend(wanted(3));
        let outcomes = host.kernel.apply(creations(&objects)).await;
        let codes: Vec<&str> =
            outcomes.iter().map(|outcome| outcome.as_ref().map_or_else(|r| r.code.as_str(), |()| "ok")).collect();
        assert_eq!(codes[..5], ["ok"; 5]);
        assert_eq!(codes[5..10], ["parent-missing", "skipped", "skipped", "skipped", "skipped"]);
        assert_eq!(codes[10..], ["ok"; 10]);
        let refusal = outcomes[5].clone().expect_err("refused");
        assert_eq!(refusal.object, "link eth0 in sandbox box");
        assert!(refusal.message.contains("the host has no link nowhere0"), "{}", refusal.message);
        host.remove(2).await;
        host.remove(3).await;
    });
}

#[test]
fn the_kernels_refusal_names_object_operation_and_errno() {
    on_a_host(async |host| {
        host.make(2).await;
        let place = Place::Sandbox(id(2));
        let too_big = Link { mtu: Some(9000), ..macvlan(place, "eth1", 8) };
        let refusal = host.refused(Operation::Create(Object::Link(too_big))).await;
        assert_eq!(
            (refusal.code.as_str(), refusal.errno.as_deref(), refusal.operation.as_str()),
            ("kernel-refused", Some("EINVAL"), "create"),
            "{refusal:?}"
        );
        let astray = route(place, "198.51.100.0/24", Some("203.0.113.1"), "eth0");
        let refusal = host.refused(Operation::Create(astray)).await;
        assert_eq!(refusal.errno.as_deref(), Some("ENETUNREACH"), "{refusal:?}");
        assert!(refusal.message.contains("Nexthop has invalid gateway"), "{}", refusal.message);
        let same_mac = macvlan(place, "eth2", 2);
        let refusal = host.refused(Operation::Create(Object::Link(same_mac))).await;
        assert_eq!(refusal.errno.as_deref(), Some("EADDRINUSE"), "{refusal:?}");
        let refusal = host.refused(Operation::Create(address(Place::Sandbox(id(9)), "eth0", "192.0.2.1", 24))).await;
        assert_eq!(refusal.code, "namespace-gone");
        host.remove(2).await;
    });
}

#[test]
fn the_host_gets_a_link_with_routes_of_its_own() {
    on_a_host(async |host| {
        run("ip address add 192.168.122.185/24 dev parent0");
        let shim = Link { owner: "net_1".to_owned(), ..macvlan(Place::Host, "nl-shim", 200) };
        let path = "net/ipv4/conf/nl-shim/arp_ignore";
        let mut to_endpoint = route(Place::Host, "192.168.122.2/32", None, "nl-shim");
        if let Object::Route(route) = &mut to_endpoint {
            route.source = Some(ip("192.168.122.185"));
        }
        let objects = [Object::Link(shim.clone()), sysctl(Place::Host, path, "0"), to_endpoint.clone()];
        host.apply(creations(&objects)).await;
        let routes = json("ip -j route show 192.168.122.2");
        assert_eq!((&routes[0]["dev"], &routes[0]["prefsrc"]), (&"nl-shim".into(), &"192.168.122.185".into()));
        let asked = Scope { host: true, host_links: vec!["wire0".to_owned()], ..scope(&[]) };
        let observed = host.observe(asked).await;
        assert_eq!(observed.ours.get(&to_endpoint.key()), Some(&to_endpoint));
        assert_eq!(observed.ours.get(&Key::Link(Place::Host, "nl-shim".to_owned())), Some(&Object::Link(shim.clone())));
        assert_eq!(observed.ours.len(), 2);
        assert_eq!(observed.foreign.keys().collect::<Vec<_>>(), [&Key::Link(Place::Host, "wire0".to_owned())]);
        let facts = host.kernel.facts().await.expect("facts");
        let names: Vec<&str> = facts.links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["lo", "wire0", "parent0"]);
        assert!(facts.routes.iter().all(|route| route.interface.as_deref() != Some("nl-shim")));
        assert!(facts.link("parent0").unwrap().addresses.contains(&"192.168.122.185/24".parse().unwrap()));
        host.make(2).await;
        let _ = run("ping -c 1 -W 2 -I 192.168.122.185 192.168.122.2");
        host.apply(vec![Operation::Delete(to_endpoint), Operation::Delete(Object::Link(shim))]).await;
        assert_eq!(run("ip route show 192.168.122.2"), "");
        host.remove(2).await;
    });
}

#[test]
fn interfaces_are_told_as_ifconfig_shows_them() {
    on_a_host(async |host| {
        host.make(2).await;
        let _ = host.run_in(2, &format!("ping -c 2 -i 0.2 -W 2 {ROUTER}"));
        let interfaces = host.kernel.interfaces(Place::Sandbox(id(2))).await.expect("interfaces");
        let eth0 = interfaces.iter().find(|interface| interface.name == "eth0").expect("eth0");
        assert_eq!(eth0.mac, Some(mac(2)));
        assert_eq!(eth0.flags, ["UP", "BROADCAST", "RUNNING", "MULTICAST", "LOWER_UP"]);
        let v4 = eth0.addresses.iter().find(|address| address.address == "192.168.122.2").expect("the address");
        assert_eq!((v4.broadcast.as_deref(), v4.mask.as_deref()), (Some("192.168.122.255"), Some("255.255.255.0")));
        assert!(v4.managed);
        let counted = &host.json_in(2, "ip -j -s link show eth0")[0]["stats64"];
        assert!(eth0.rx_packets >= 2 && eth0.tx_packets >= 2);
        // It may have sent something since.
        assert!(counted["tx"]["bytes"].as_u64() >= Some(eth0.tx_bytes) && eth0.tx_bytes > 0);
        let lo = interfaces.iter().find(|interface| interface.name == "lo").expect("lo");
        assert_eq!((lo.mac, lo.flags.contains(&"LOOPBACK".to_owned())), (None, true));
        let gone = host.kernel.interfaces(Place::Sandbox(id(9))).await;
        assert!(matches!(gone, Err(netloom_kernel::Error::NamespaceGone(_))));
        host.remove(2).await;
    });
}

#[test]
fn what_lies_on_a_shared_mount_is_seen_once_in_every_mount_namespace() {
    on_a_host(async |host| {
        let run_dir = host.run_dir.display().to_string();
        std::fs::create_dir_all(&host.run_dir).expect("a run directory");
        run(&format!("mount -t tmpfs none {run_dir}"));
        run(&format!("mount --make-shared {run_dir}"));
        // As a container's run directory is shared with the host: other mount namespace, same peer group.
        let outside = start("unshare --mount --propagation unchanged sleep 60");
        let table = format!("/proc/{}/mountinfo", outside.pid());
        let seen = || {
            let table = std::fs::read_to_string(&table).expect("its mounts");
            table.lines().filter(|line| line.contains(&id(2).to_string())).count()
        };
        while !std::fs::read_to_string(&table).expect("its mounts").contains(&run_dir) || !is_apart(&outside) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        host.make(2).await;
        assert_eq!(seen(), 1);
        host.remove(2).await;
        assert_eq!(seen(), 0);
        drop(outside);
        run(&format!("umount {run_dir}"));
    });
}

#[test]
fn the_directory_s_mount_is_made_anew_when_somebody_undid_it() {
    on_a_host(async |host| {
        let mut heard = host.kernel.subscribe();
        let directory = host.run_dir.join("netns").display().to_string();
        let shared = || {
            let table = run("cat /proc/thread-self/mountinfo");
            table.lines().filter(|line| line.contains(&format!(" {directory} ")) && line.contains("shared:")).count()
        };
        host.make(2).await;
        assert_eq!(shared(), 1);
        run(&format!("umount --recursive {directory}"));
        // What is said of the lost pin says that it was noticed.
        let lost = async {
            while let Some(said) = heard.recv().await {
                let namespace =
                    Notification::Changed { place: Some(Place::Sandbox(id(2))), owner: None, what: "namespace" };
                if said.what == namespace {
                    return;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), lost).await.expect("it is noticed");
        host.make(3).await;
        host.make(4).await;
        assert_eq!(shared(), 1, "one mount, not several");
        for number in [2, 3, 4] {
            host.remove(number).await;
        }
    });
}

/// Whether a process has a mount namespace of its own by now.
fn is_apart(process: &Running) -> bool {
    let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt")).expect("its mount namespace");
    of(&process.pid().to_string()) != of("thread-self")
}

#[test]
fn sockets_are_opened_where_they_are_asked_for() {
    on_a_host(async |host| {
        const AT: &str = "127.0.0.11:53";
        host.kernel.give_sockets(AT.parse().expect("an address"));
        host.make(2).await;
        let listeners = |number: u8| host.run_in(number, "ss -Hlntu").matches(AT).count();
        let work = async |number: u8, objects: &[Object], listen: &[u8]| {
            let listen = listen.iter().map(|number| id(*number)).collect();
            let (outcomes, look) = host.kernel.apply_and_observe(creations(objects), scope(&[number]), listen).await;
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            look.expect("a look").sockets
        };
        // In one that stands, in a new one, and in neither that is not asked for, nor where somebody has the address.
        let more = [address(Place::Sandbox(id(2)), "eth0", "192.168.122.12", 24)];
        assert!(work(2, &more, &[]).await.is_empty());
        assert_eq!(listeners(2), 0);
        let opened = work(2, &more, &[2, 9]).await;
        assert_eq!((opened.keys().copied().collect::<Vec<_>>(), listeners(2)), (vec![id(2)], 2));
        assert!(work(2, &more, &[2]).await.is_empty(), "somebody has it");
        drop(opened);
        assert_eq!(listeners(2), 0);
        assert!(work(3, &wanted(3), &[]).await.is_empty());
        assert_eq!(listeners(3), 0);
        let opened = work(4, &wanted(4), &[4]).await;
        assert_eq!((opened.len(), listeners(4)), (1, 2));
        drop(opened);
        for number in [2, 3, 4] {
            host.remove(number).await;
        }
    });
}

#[test]
fn a_look_after_work_has_the_interfaces_of_all_that_it_looked_into() {
    on_a_host(async |host| {
        host.make(2).await;
        host.make(3).await;
        let second = macvlan(Place::Sandbox(id(2)), "eth1", 4);
        host.apply(creations(&[Object::Link(second.clone())])).await;
        let _ = host.run_in(2, &format!("ping -c 1 -W 2 {ROUTER}"));
        // A removal is no visit at whose end somebody looks around, and nothing is done in the other.
        let removal = vec![Operation::Delete(Object::Link(second))];
        let (outcomes, look) = host.kernel.apply_and_observe(removal, scope(&[2, 3]), Default::default()).await;
        assert_eq!(outcomes, [Ok(())]);
        let found = look.expect("a look").interfaces;
        for number in [2, 3] {
            let now = host.kernel.interfaces(Place::Sandbox(id(number))).await.expect("interfaces");
            let names = |interfaces: &[netloom_model::sandbox::InterfaceStatus]| {
                interfaces.iter().map(|one| (one.name.clone(), one.addresses.len())).collect::<Vec<_>>()
            };
            assert_eq!(names(&found[&id(number)]), names(&now));
            assert!(now.iter().any(|one| one.name == "eth0") && now.iter().all(|one| one.name != "eth1"));
        }
        let sent = |one: &netloom_model::sandbox::InterfaceStatus| one.name == "eth0" && one.tx_packets > 0;
        assert!(found[&id(2)].iter().any(sent), "{found:?}");
        assert!(host.kernel.observe(scope(&[2])).await.expect("a look").interfaces.is_empty());
        host.remove(2).await;
        host.remove(3).await;
    });
}
