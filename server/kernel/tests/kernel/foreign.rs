//! What is not ours is seen, and never touched.

use netloom_plan::object::{Key, LINK_GROUP, Link, Object, Operation, Place, Scope};

use crate::host::{address, creations, everything, id, ip, macvlan, on_a_host, route, run, scope, wanted};

#[test]
fn foreign_objects_in_a_sandbox_are_reported_and_left_alone() {
    on_a_host(async |host| {
        host.make(2).await;
        let place = Place::Sandbox(id(2));
        host.run_in(2, "ip link add theirs0 type veth peer name theirs1");
        host.run_in(2, "ip address add 203.0.113.5/24 dev eth0");
        host.run_in(2, &format!("ip route add 198.51.100.0/24 via {}", crate::host::ROUTER));
        let observed = host.observe(scope(&[2])).await;
        let expected = [
            Key::Link(place, "theirs0".to_owned()),
            Key::Link(place, "theirs1".to_owned()),
            Key::Address(place, "eth0".to_owned(), ip("203.0.113.5")),
            Key::Route(place, "198.51.100.0/24".parse().unwrap()),
        ];
        assert_eq!(observed.foreign.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        let theirs = Link { owner: String::new(), ..macvlan(place, "theirs0", 9) };
        let codes = host
            .codes(vec![
                Operation::Create(Object::Link(macvlan(place, "theirs0", 9))),
                Operation::Delete(Object::Link(theirs)),
                Operation::Delete(address(place, "eth0", "203.0.113.5", 24)),
                Operation::Delete(route(place, "198.51.100.0/24", Some(crate::host::ROUTER), "eth0")),
                Operation::Create(route(place, "198.51.100.0/24", Some(crate::host::ROUTER), "eth0")),
                Operation::Create(address(place, "eth0", "203.0.113.5", 24)),
            ])
            .await;
        // The second is skipped, because the first on the same link failed.
        assert_eq!(codes, ["name-conflict", "name-conflict", "name-conflict", "ok", "name-conflict", "name-conflict"]);
        assert_eq!(host.json_in(2, "ip -j link show theirs0").as_array().unwrap().len(), 1);
        assert!(host.run_in(2, "ip address show dev eth0").contains("203.0.113.5/24"));
        assert!(host.run_in(2, "ip route").contains("198.51.100.0/24"));
        host.remove(2).await;
    });
}

#[test]
fn a_half_made_link_is_ours_and_goes() {
    on_a_host(async |host| {
        host.make(2).await;
        let place = Place::Sandbox(id(2));
        host.run_in(2, &format!("ip link add half0 group {LINK_GROUP} link eth0 type macvlan mode bridge"));
        let observed = host.observe(scope(&[2])).await;
        let found = observed.ours.get(&Key::Link(place, "half0".to_owned())).cloned().expect("it is ours");
        assert!(matches!(&found, Object::Link(link) if link.owner.is_empty()), "{found:?}");
        let codes = host.codes(vec![Operation::Create(Object::Link(macvlan(place, "half0", 9)))]).await;
        assert_eq!(codes, ["name-conflict"]);
        host.apply(vec![Operation::Delete(found)]).await;
        assert_eq!(host.json_in(2, "ip -j link").as_array().unwrap().len(), 2);
        // Our alias without our group is nobody's mark.
        host.run_in(2, "ip link add alias0 link eth0 type macvlan mode bridge");
        host.run_in(2, "ip link set alias0 alias netloom:ept_9");
        let observed = host.observe(scope(&[2])).await;
        assert!(observed.foreign.contains_key(&Key::Link(place, "alias0".to_owned())));
        // Nor is our group with somebody else's alias; and it keeps the others from going by group.
        host.run_in(2, &format!("ip link set alias0 group {LINK_GROUP}"));
        host.run_in(2, "ip link set alias0 alias somebody");
        let more = [Object::Link(macvlan(place, "eth1", 11)), Object::Link(macvlan(place, "eth2", 12))];
        host.apply(creations(&more)).await;
        host.apply(more.into_iter().map(Operation::Delete).collect()).await;
        assert!(host.run_in(2, "ip -o link").contains("alias0"));
        host.remove(2).await;
    });
}

#[test]
fn a_link_of_another_owner_is_not_removed() {
    on_a_host(async |host| {
        host.make(2).await;
        let other = Link { owner: "ept_77".to_owned(), ..macvlan(Place::Sandbox(id(2)), "eth0", 2) };
        let codes = host.codes(vec![Operation::Delete(Object::Link(other))]).await;
        assert_eq!(codes, ["name-conflict"]);
        assert!(host.run_in(2, "ip -o link").contains("eth0"));
        host.remove(2).await;
    });
}

#[test]
fn the_hosts_foreign_links_and_routes_are_left_alone() {
    on_a_host(async |host| {
        run("ip link add nl-theirs type veth peer name theirs1");
        run("ip link set nl-theirs up");
        run("ip route add 198.51.100.0/24 dev wire0");
        let shim = macvlan(Place::Host, "nl-theirs", 200);
        let list = vec![
            Operation::Create(Object::Link(shim.clone())),
            Operation::Delete(Object::Link(shim)),
            Operation::Delete(route(Place::Host, "198.51.100.0/24", None, "wire0")),
        ];
        assert_eq!(host.codes(list).await, ["name-conflict", "name-conflict", "ok"]);
        assert!(run("ip route").contains("198.51.100.0/24"));
        host.apply(creations(&wanted(2))).await;
        host.remove(2).await;
        run("ip link delete nl-theirs");
    });
}

#[test]
fn routes_of_others_through_our_bridges_are_seen_where_everything_is_and_the_hosts_others_never() {
    on_a_host(async |host| {
        run("ip route add 198.51.100.0/24 dev wire0");
        let bridge = |number: u8| {
            run(&format!("ip link add nl-way{number} type bridge"));
            run(&format!("ip link set nl-way{number} up group {LINK_GROUP} alias netloom:way{number}"));
        };
        bridge(0);
        run("ip address add 10.97.0.1/24 dev nl-way0");
        run("ip route add 10.98.0.0/24 via 10.97.0.2");
        run("ip route add 2001:db8:98::/64 dev nl-way0");
        let expected = [
            Key::Address(Place::Host, "nl-way0".to_owned(), ip("10.97.0.1")),
            Key::Route(Place::Host, "10.98.0.0/24".parse().unwrap()),
            Key::Route(Place::Host, "2001:db8:98::/64".parse().unwrap()),
        ];
        let is_seen = async || {
            let observed = host.observe(everything()).await;
            assert_eq!(observed.foreign.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        };
        is_seen().await;
        // With so many the kernel is not asked for each.
        (1..20).for_each(bridge);
        is_seen().await;
        let few = Scope { host: true, host_links: vec!["nl-way0".to_owned()], ..scope(&[]) };
        assert_eq!(host.observe(few).await.foreign.keys().collect::<Vec<_>>(), [&expected[0]]);
        (0..20).for_each(|number| drop(run(&format!("ip link delete nl-way{number}"))));
        run("ip route delete 198.51.100.0/24 dev wire0");
    });
}
