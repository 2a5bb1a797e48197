//! Bridge networks: what the plan compiles is made, looked at with `ip`, `nft` and packets, and leaves nothing.

use std::collections::BTreeMap;

use netloom_model::assignment::{
    AssignedAddress, AssignedBridge, AssignedEndpoint, AssignedNetwork, AssignedPool, AssignedSandbox, Assignment,
    NamespaceSource,
};
use netloom_model::network::Driver;
use netloom_model::{EndpointId, MacAddr, NetworkId, host_link};
use netloom_plan::{Gates, Operation, compile, diff};

use crate::host::{Host, Running, id, ip, json, on_a_host, output, run, start, text};

/// A network by number: 10.99.N.0/24 and fd99:N::/64, the gateway at 1.
pub(crate) fn network(number: u8) -> AssignedNetwork {
    AssignedNetwork {
        id: NetworkId::from_random([number; 16]),
        name: format!("net{number}"),
        driver: Driver::Bridge,
        mtu: None,
        pools: [
            (format!("10.99.{number}.0/24"), format!("10.99.{number}.1")),
            (format!("fd99:{number}::/64"), format!("fd99:{number}::1")),
        ]
        .map(|(subnet, gateway)| AssignedPool { subnet: subnet.parse().unwrap(), gateway: Some(ip(&gateway)) })
        .to_vec(),
        internal: false,
        bridge: Some(AssignedBridge::default()),
        macvlan: None,
        overlay: None,
        segment: false,
        in_use: true,
        deleting: false,
    }
}

/// A sandbox by number on a network, with that number as the end of its addresses.
pub(crate) fn sandbox(number: u8, on: &AssignedNetwork) -> AssignedSandbox {
    let address = |pool: &AssignedPool| {
        let subnet = pool.subnet.to_string();
        let (start, _) = subnet.split_once(if subnet.contains(':') { "::" } else { ".0/" }).unwrap();
        let text = if subnet.contains(':') { format!("{start}::{number}") } else { format!("{start}.{number}") };
        AssignedAddress {
            address: ip(&text),
            prefix_length: pool.subnet.prefix_len(),
            gateway: pool.gateway,
            requested: false,
        }
    };
    AssignedSandbox {
        id: id(number),
        name: format!("s{number}"),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: vec![AssignedEndpoint {
            ports: Vec::new(),
            id: EndpointId::from_random([number; 16]),
            network: on.id,
            interface: "eth0".to_owned(),
            mac: MacAddr([0x02, 0x42, 10, 99, 0, number]),
            addresses: on.pools.iter().map(address).collect(),
            aliases: Vec::new(),
            default_route: true,
            fenced: false,
            deleting: false,
        }],
    }
}

pub(crate) fn assignment(networks: &[&AssignedNetwork], sandboxes: &[&AssignedSandbox]) -> Assignment {
    Assignment {
        revision: 1,
        networks: networks.iter().map(|network| (network.id, (*network).clone())).collect(),
        sandboxes: sandboxes.iter().map(|sandbox| (sandbox.id, (*sandbox).clone())).collect(),
        ..Assignment::default()
    }
}

/// Brings the kernel to an assignment, looking only at what is in it; answers what was done. Nothing may be left to do.
async fn converge(host: &Host, assignment: &Assignment) -> Vec<Operation> {
    let facts = host.kernel.facts().await.unwrap();
    let wanted = compile(assignment, &facts, &Gates::default());
    assert_eq!(wanted.refusals, BTreeMap::new());
    let before = host.kernel.observe(wanted.scope.clone()).await.unwrap().observed;
    let operations = diff(&wanted, &before).operations;
    for outcome in host.kernel.apply(operations.clone()).await {
        outcome.unwrap_or_else(|refusal| panic!("{refusal}"));
    }
    let after = host.kernel.observe(wanted.scope.clone()).await.unwrap().observed;
    assert_eq!(diff(&wanted, &after).operations, [], "what was made is as it was wanted");
    operations
}

/// The same with everything of ours in sight, as at a start.
async fn differences(host: &Host, assignment: &Assignment) -> Vec<Operation> {
    let facts = host.kernel.facts().await.unwrap();
    let mut wanted = compile(assignment, &facts, &Gates::default());
    wanted.look_everywhere();
    let observed = host.kernel.observe(wanted.scope.clone()).await.unwrap().observed;
    diff(&wanted, &observed).operations
}

/// Whether one sandbox reaches an address.
pub(crate) fn reaches(host: &Host, from: u8, address: &str) -> bool {
    let file = host.kernel.netns_path(id(from));
    output(&format!("nsenter --net={} ping -c 1 -W 1 {address}", file.display())).status.success()
}

/// A host beyond this one: 203.0.113.2, with a route to nothing but this host's 203.0.113.1.
pub(crate) fn far_host() -> Running {
    let process = start("unshare --net sleep 120");
    let inside = format!("nsenter --net=/proc/{}/ns/net", process.pid());
    while json(&format!("{inside} ip -j link")).as_array().unwrap().len() != 1 {}
    run("ip link add uplink0 type veth peer name far0");
    run(&format!("ip link set far0 netns {}", process.pid()));
    run("ip address add 203.0.113.1/24 dev uplink0");
    run("ip link set uplink0 up");
    run(&format!("{inside} ip address add 203.0.113.2/24 dev far0"));
    run(&format!("{inside} ip link set far0 up"));
    run("sysctl -qw net.ipv4.conf.uplink0.forwarding=1");
    process
}

/// No bridge, no port, no table.
pub(crate) fn nothing_is_left() {
    assert_eq!(run("nft list tables"), "");
    let links = run("ip -o link");
    assert!(!links.contains(": nl-"), "{links}");
}

#[test]
fn sandboxes_on_one_bridge_reach_each_other_the_host_and_what_is_beyond() {
    on_a_host(async |host| {
        let mut far = far_host();
        let web = network(1);
        let (a, b) = (sandbox(2, &web), sandbox(3, &web));
        converge(&host, &assignment(&[&web], &[&a])).await;
        converge(&host, &assignment(&[&web], &[&b])).await;
        assert_eq!(differences(&host, &assignment(&[&web], &[&a, &b])).await, []);
        let bridge = &json(&format!("ip -j -d link show {}", host_link::of_network(web.id)))[0];
        assert_eq!((text(&bridge["linkinfo"]["info_kind"]), &bridge["mtu"]), ("bridge".to_owned(), &1500.into()));
        let port = &json(&format!("ip -j -d link show {}", host_link::port(a.endpoints[0].id)))[0];
        assert_eq!(text(&port["master"]), host_link::of_network(web.id));
        assert_eq!(text(&port["operstate"]), "UP");
        let inside = &host.json_in(2, "ip -j -d link show eth0")[0];
        let queues = |link: &serde_json::Value| ["num_tx_queues", "num_rx_queues"].map(|way| link[way].clone());
        assert_eq!((queues(port), queues(inside)), ([1.into(), 1.into()], [1.into(), 1.into()]));
        assert_eq!(text(&inside["address"]), "02:42:0a:63:00:02");
        for address in ["10.99.1.3", "fd99:1::3", "10.99.1.1", "fd99:1::1", "203.0.113.1", "203.0.113.2"] {
            assert!(reaches(&host, 2, address), "{address} answers");
        }
        // The far host has no route back: it answered the host's own address.
        let rules = run("nft list table inet netloom");
        assert!(rules.contains("masquerade"), "{rules}");
        let mac_before = text(&bridge["address"]);
        let leaving = AssignedSandbox { deleting: true, ..b.clone() };
        converge(&host, &assignment(&[&web], &[&leaving])).await;
        assert_eq!(
            text(&json(&format!("ip -j link show {}", host_link::of_network(web.id)))[0]["address"]),
            mac_before
        );
        let unused = AssignedNetwork { in_use: false, ..web.clone() };
        converge(&host, &assignment(&[&unused], &[&AssignedSandbox { deleting: true, ..a.clone() }])).await;
        nothing_is_left();
        run("ip link del uplink0");
        far.end();
    });
}

#[test]
fn networks_are_kept_apart_unless_one_lets_the_others_in() {
    on_a_host(async |host| {
        let (one, mut two) = (network(1), network(2));
        let (a, b) = (sandbox(2, &one), sandbox(3, &two));
        converge(&host, &assignment(&[&one, &two], &[&a, &b])).await;
        assert!(!reaches(&host, 2, "10.99.2.3") && !reaches(&host, 3, "10.99.1.2"), "isolated from each other");
        if let Some(settings) = &mut two.bridge {
            settings.isolation = false;
        }
        converge(&host, &assignment(&[&two], &[])).await;
        assert!(reaches(&host, 2, "10.99.2.3"), "the second lets the first in");
        assert!(!reaches(&host, 3, "10.99.1.2"), "the first lets nobody in");
        converge(
            &host,
            &assignment(
                &[&AssignedNetwork { in_use: false, ..two.clone() }],
                &[&AssignedSandbox { deleting: true, ..b }],
            ),
        )
        .await;
        let chains = run("nft list table inet netloom");
        assert!(
            chains.contains(&host_link::of_network(one.id)) && !chains.contains(&host_link::of_network(two.id)),
            "{chains}"
        );
        converge(
            &host,
            &assignment(&[&AssignedNetwork { in_use: false, ..one }], &[&AssignedSandbox { deleting: true, ..a }]),
        )
        .await;
        nothing_is_left();
    });
}

#[test]
fn sandboxes_can_be_kept_from_each_other_and_from_the_outside() {
    on_a_host(async |host| {
        let mut far = far_host();
        let mut web = network(1);
        web.internal = true;
        web.pools.iter_mut().for_each(|pool| pool.gateway = None);
        let (a, b) = (sandbox(2, &web), sandbox(3, &web));
        let both = assignment(&[&web], &[&a, &b]);
        converge(&host, &both).await;
        assert!(reaches(&host, 2, "10.99.1.3") && !reaches(&host, 2, "203.0.113.2"));
        if let Some(settings) = &mut web.bridge {
            settings.inter_sandbox = false;
        }
        let apart = assignment(&[&web], &[&a, &b]);
        assert!(!converge(&host, &apart).await.is_empty(), "the ports were changed");
        assert!(!reaches(&host, 2, "10.99.1.3"));
        let gone = |sandbox: &AssignedSandbox| AssignedSandbox { deleting: true, ..sandbox.clone() };
        converge(&host, &assignment(&[&AssignedNetwork { in_use: false, ..web }], &[&gone(&a), &gone(&b)])).await;
        nothing_is_left();
        run("ip link del uplink0");
        far.end();
    });
}

#[test]
fn what_somebody_else_breaks_is_found_and_put_right() {
    on_a_host(async |host| {
        let web = network(1);
        let a = sandbox(2, &web);
        let wanted = assignment(&[&web], &[&a]);
        converge(&host, &wanted).await;
        let (bridge, port) = (host_link::of_network(web.id), host_link::port(a.endpoints[0].id));
        let breaks = [
            format!("ip link set {port} nomaster"),
            format!("ip link set {port} down"),
            format!("ip address del 10.99.1.1/24 dev {bridge}"),
            format!("ip link set {bridge} down"),
            format!("sysctl -qw net.ipv4.conf.{bridge}.forwarding=0"),
            format!("bridge link set dev {port} isolated on"),
            format!("ip link del {port}"),
        ];
        for line in breaks {
            run(&line);
            assert!(!differences(&host, &wanted).await.is_empty(), "{line} is seen");
            assert!(!converge(&host, &wanted).await.is_empty(), "{line} is put right");
            // A port whose carrier just came back forwards a moment later.
            assert!((0..5).any(|_| reaches(&host, 2, "10.99.1.1")), "after {line}");
        }
        run("nft flush ruleset");
        assert_eq!(differences(&host, &wanted).await, [], "the table is the daemon's own");
        run(&format!("ip link del {bridge}"));
        converge(&host, &wanted).await;
        assert!(reaches(&host, 2, "fd99:1::1"), "the bridge is back with its ports");
        // Somebody's address on our bridge stays.
        run(&format!("ip address add 198.51.100.9/32 dev {bridge}"));
        assert_eq!(differences(&host, &wanted).await, []);
        let gone = AssignedSandbox { deleting: true, ..a };
        converge(&host, &assignment(&[&AssignedNetwork { in_use: false, ..web }], &[&gone])).await;
        nothing_is_left();
    });
}

#[test]
fn the_other_end_of_a_pair_that_left_its_sandbox_is_removed_from_the_host() {
    on_a_host(async |host| {
        let web = network(1);
        let a = sandbox(2, &web);
        converge(&host, &assignment(&[&web], &[&a])).await;
        let mut thief = start("unshare --net sleep 60");
        let links = format!("nsenter --net=/proc/{}/ns/net ip -j link", thief.pid());
        while json(&links).as_array().unwrap().len() != 1 {}
        let _ = host.run_in(2, &format!("ip link set eth0 netns {}", thief.pid()));
        let gone = AssignedSandbox { deleting: true, ..a };
        converge(&host, &assignment(&[&AssignedNetwork { in_use: false, ..web }], &[&gone])).await;
        let left = run(&format!("nsenter --net=/proc/{}/ns/net ip -o link", thief.pid()));
        assert_eq!(left.lines().count(), 1, "the stolen end went with the other: {left}");
        nothing_is_left();
        thief.end();
    });
}
