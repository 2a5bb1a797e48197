//! One allocator for all hosts on a wire: by which link each is on it, whose addresses are kept aside, who gets one that two ask for, and what
//! becomes of one that a stranger has.

use netloom_tests::{LabHost, json, until};

use crate::kit::{LINKS, NETWORK, SOON, ask_for, attach, bridge, knows, lease, pings, swarm, wired};

/// What a name is answered with in a sandbox.
fn dig(host: &LabHost<'_>, from: &str, name: &str) -> String {
    host.try_in_sandbox(from, &format!("dig +time=2 +tries=1 +short @127.0.0.11 {name}")).stdout.trim().to_owned()
}

#[test]
fn hosts_on_one_wire_never_hand_out_the_same_address() {
    let lab = wired();
    let hosts = swarm(&lab);
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    let manager = one.client();
    let known = manager.get(&format!("networks/{NETWORK}")).is(200);
    for ((host, link), number) in hosts.iter().zip(LINKS).zip(0..) {
        let own = host.client().get(&format!("networks/{NETWORK}")).is(200);
        assert_eq!((&own["status"]["scope"], &own["status"]["interface"]), (&json!("swarm"), &json!(link)), "{own}");
        let on = &known["status"]["nodes"][number];
        assert_eq!((&on["hostname"], &on["parent"], &on["state"]), (&json!(host.name), &json!(link), &json!("up")));
    }
    // The other hosts' own addresses are leases, whoever is asked.
    let of_host = |at: &str| lease(one, at).is_some_and(|lease| lease["status"]["kind"] == "host");
    until("they have told what is theirs", SOON, || (of_host("10.77.0.2") && of_host("10.77.0.3")).then_some(()));
    let given = [attach(one, "a"), attach(two, "b"), attach(three, "c")];
    assert_eq!(given, ["10.77.0.1", "10.77.0.4", "10.77.0.5"]);
    for (host, from, to) in [(one, "a", 1), (two, "b", 2), (three, "c", 0)] {
        assert!(pings(host, from, &given[to]), "{from} reaches {}", given[to]);
    }
    assert!(pings(one, "a", "10.77.0.3"), "and a host on the wire");
    until("names are known on all hosts", SOON, || {
        (dig(one, "a", "c") == given[2] && dig(three, "c", "b") == given[1]).then_some(())
    });

    // Two ask for one address at once.
    let asked = json!({NETWORK: {"address4": "10.77.0.50"}});
    let both: Vec<_> = std::thread::scope(|scope| {
        let ask = |host, name| {
            scope.spawn({
                let asked = &asked;
                move || ask_for(host, name, asked)
            })
        };
        let all = [ask(two, "race"), ask(three, "race")];
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut statuses: Vec<u16> = both.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{:?}", both.iter().map(|answer| &answer.json).collect::<Vec<_>>());
    let refused = both.iter().find(|answer| answer.status == 409).unwrap();
    assert!(refused.json["type"].as_str().unwrap().ends_with("address-taken"), "{}", refused.json);

    // A host takes another address on the wire: nobody is given it.
    three.run("ip addr add 10.77.0.6/24 dev lan7");
    until("it is the host's", SOON, || of_host("10.77.0.6").then_some(()));
    // Somebody else has the next one, and answers for it: the manager is told, and gives another.
    lab.on_the_underlay("ip addr add 10.77.0.7/24 dev wire");
    assert_eq!(attach(two, "d"), "10.77.0.8");
    let quarantined = lease(one, "10.77.0.7").expect("a lease");
    assert_eq!(quarantined["status"]["state"], "quarantined", "{quarantined}");
    assert!(pings(one, "a", "10.77.0.8"));
    assert_eq!(attach(one, "e"), "10.77.0.9");
    // Asked for by number, nothing takes its place.
    lab.on_the_underlay("ip addr add 10.77.0.60/24 dev wire");
    let refused = ask_for(three, "f", &json!({NETWORK: {"address4": "10.77.0.60"}})).problem(409, "address-conflict");
    assert!(refused["detail"].as_str().unwrap().contains("10.77.0.60"), "{refused}");

    // A network of a worker's own may not sit on top.
    let local = json!({"name": "mine", "driver": "macvlan", "macvlan": {"parent": "seg0"},
        "pools": {"v4": {"subnet": "10.77.0.128/25"}}});
    let refused = two.client().post("networks", &local).problem(409, "subnet-overlap");
    assert!(refused["detail"].as_str().unwrap().contains(NETWORK), "{refused}");
    // By which link a node is on it can change while nothing of that node is.
    let refused = manager.patch(&format!("networks/{NETWORK}"), &json!({"parents": {"host3": "seg0"}}));
    assert_eq!(
        (refused.status, &refused.json["errors"][0]["pointer"]),
        (422, &json!("/parents/host3")),
        "{}",
        refused.json
    );
    manager.patch(&format!("networks/{NETWORK}"), &json!({"parents": {"later": "eth9"}})).is(200);
    lab.netloom("lab down").ok();
}

#[test]
fn a_node_without_the_link_is_refused_by_name_and_the_others_are_not() {
    let lab = wired();
    let hosts = swarm(&lab);
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    // Bridges of the hosts' own, on a wire of their own; the third host has none.
    lab.on_the_underlay("ip link add other type bridge mcast_snooping 0");
    lab.on_the_underlay("ip link set other up");
    for (number, host) in [(1, one), (2, two)] {
        bridge(&lab, "other", number, host, "br7");
    }
    let spec = json!({
        "name": "bridged", "driver": "bridge", "scope": "swarm", "bridge": {"managed": false, "interface_name": "br7"},
        "pools": {"v4": {"subnet": "10.78.0.0/24", "gateway": "10.78.0.254"}},
    });
    one.client().post("networks", &spec).is(201);
    hosts.iter().for_each(|host| knows(host, "bridged"));
    let on = json!({"bridged": {}});
    ask_for(one, "a", &on).is(201);
    ask_for(two, "b", &on).is(201);
    assert!(pings(one, "a", "10.78.0.2") && pings(two, "b", "10.78.0.1"));
    let refused = ask_for(three, "c", &on);
    assert_eq!(refused.status, 409, "{}", refused.json);
    let words = refused.json.to_string();
    for needed in ["host3", "br7", "parents"] {
        assert!(words.contains(needed), "{needed}: {words}");
    }
    assert_eq!(three.client().get("sandboxes/c").status, 404, "nothing is left of it");
    // Named another link, it is on the network, too.
    bridge(&lab, "other", 3, three, "br9");
    one.client().patch("networks/bridged", &json!({"parents": {"host3": "br9"}})).is(200);
    let moved = || three.client().get("networks/bridged").json["status"]["interface"] == "br9";
    until("it is told", SOON, || moved().then_some(()));
    ask_for(three, "c", &on).is(201);
    assert!(pings(three, "c", "10.78.0.1"));
    // What can't be.
    let wrong = [
        (json!({"name": "x", "driver": "bridge", "scope": "swarm"}), "/scope"),
        (json!({"name": "x", "driver": "overlay", "scope": "local"}), "/scope"),
        (
            json!({"name": "x", "driver": "macvlan", "macvlan": {"parent": "seg0"}, "parents": {"host2": "lan7"}}),
            "/parents",
        ),
        (json!({"name": "x", "driver": "ipvlan", "scope": "swarm"}), "/driver"),
    ];
    for (spec, pointer) in wrong {
        let refused = one.client().post("networks", &spec);
        assert_eq!((refused.status, &refused.json["errors"][0]["pointer"]), (422, &json!(pointer)), "{}", refused.json);
    }
    let spec = json!({"name": "x", "driver": "macvlan", "scope": "swarm", "macvlan": {"parent": "seg0"}});
    two.client().post("networks", &spec).problem(409, "not-manager");
    assert_eq!(address_of(two, "b"), "10.78.0.2");
    lab.netloom("lab down").ok();
}

fn address_of(host: &LabHost<'_>, name: &str) -> String {
    let sandbox = host.client().get(&format!("sandboxes/{name}")).is(200);
    sandbox["status"]["endpoints"]["bridged"]["address"].as_str().unwrap().to_owned()
}
