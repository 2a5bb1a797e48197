//! What an assignment compiles to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netloom_model::assignment::{
    Adoption, AssignedAddress, AssignedEndpoint, AssignedMacvlan, AssignedNetwork, AssignedSandbox, Assignment,
    NamespaceSource,
};
use netloom_model::facts::{Facts, HostLink};
use netloom_model::network::{Driver, MacvlanMode};
use netloom_model::{EndpointId, MacAddr, NetworkId, SandboxId, host_link};

use super::*;
use crate::object::{LinkKind, Sysctl};

fn host_link(name: &str, up: bool, addresses: &[&str]) -> HostLink {
    HostLink {
        name: name.to_owned(),
        index: 7,
        kind: None,
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        mtu: 1500,
        up,
        loopback: false,
        controller: None,
        addresses: addresses.iter().map(|a| a.parse().expect("a prefix")).collect(),
    }
}

fn facts() -> Facts {
    Facts {
        links: vec![
            host_link("parent0", true, &["192.168.122.185/24"]),
            host_link("parent1", true, &[]),
            host_link("parent2", false, &[]),
        ],
        ..Facts::default()
    }
}

fn network() -> AssignedNetwork {
    AssignedNetwork {
        id: NetworkId::from_random([1; 16]),
        name: "macvlan-net1".to_owned(),
        driver: Driver::Macvlan,
        pools: Vec::new(),
        internal: false,
        mtu: None,
        bridge: None,
        macvlan: Some(AssignedMacvlan {
            parent: "parent0".to_owned(),
            mode: MacvlanMode::Bridge,
            vlan_id: None,
            probe: false,
            host_access: false,
        }),
        overlay: None,
        segment: false,
        in_use: true,
        deleting: false,
    }
}

fn sandbox() -> AssignedSandbox {
    AssignedSandbox {
        id: SandboxId::from_random([2; 16]),
        name: "macvlan1".to_owned(),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        endpoints: vec![AssignedEndpoint {
            ports: Vec::new(),
            id: EndpointId::from_random([3; 16]),
            aliases: Vec::new(),
            network: NetworkId::from_random([1; 16]),
            interface: "eth0".to_owned(),
            mac: MacAddr([0x02, 0x42, 192, 168, 122, 2]),
            addresses: vec![AssignedAddress {
                address: [192, 168, 122, 2].into(),
                prefix_length: 24,
                gateway: Some([192, 168, 122, 1].into()),
                requested: false,
            }],
            default_route: true,
            fenced: false,
            deleting: false,
        }],
    }
}

fn assignment(network: AssignedNetwork, sandbox: AssignedSandbox) -> Assignment {
    Assignment {
        revision: 5,
        networks: [(network.id, network)].into(),
        sandboxes: [(sandbox.id, sandbox)].into(),
        ..Assignment::default()
    }
}

fn settings(compiled: &Compiled, place: Place) -> Vec<(&str, &str)> {
    let setting = |object| match object {
        &Object::Sysctl(Sysctl { place: at, ref path, ref value }) if at == place => Some((&path[..], &value[..])),
        _ => None,
    };
    compiled.desired.values().filter_map(setting).collect()
}

#[test]
fn a_sandbox_is_a_safe_namespace_with_a_link_an_address_and_a_default_route() {
    let sandbox = sandbox();
    let place = Place::Sandbox(sandbox.id);
    let compiled = compile(&assignment(network(), sandbox.clone()), &facts(), &Gates::default());
    assert!(compiled.refusals.is_empty() && compiled.probes.is_empty());
    let Some(Object::Link(link)) = compiled.desired.get(&Key::Link(place, "eth0".to_owned())) else {
        panic!("no link")
    };
    assert_eq!(link.kind, LinkKind::Macvlan { parent: "parent0".to_owned(), mode: MacvlanMode::Bridge });
    assert_eq!((link.mtu, link.up, link.owner.as_str()), (Some(1500), true, &*sandbox.endpoints[0].id.to_string()));
    assert!(compiled.desired.contains_key(&Key::Link(place, "lo".to_owned())));
    assert!(compiled.desired.contains_key(&Key::Address(place, "eth0".to_owned(), [192, 168, 122, 2].into())));
    let default = Key::Route(place, "0.0.0.0/0".parse().expect("a prefix"));
    let Some(Object::Route(route)) = compiled.desired.get(&default) else { panic!("no default route") };
    assert_eq!(route.gateway, Some([192, 168, 122, 1].into()));
    let settings = settings(&compiled, place);
    for wanted in [
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv4/conf/all/rp_filter", "2"),
        ("net/ipv6/conf/default/accept_ra", "0"),
        ("net/ipv6/conf/all/autoconf", "0"),
        ("net/ipv6/conf/all/forwarding", "0"),
    ] {
        assert!(settings.contains(&wanted), "{wanted:?} of {settings:?}");
    }
    assert!(!compiled.scope.host);
    assert!(compiled.owners.values().all(|owner| *owner == AssignedKey::Sandbox(sandbox.id)));
}

#[test]
fn an_adopted_namespace_gets_only_the_settings_of_our_links() {
    let mut sandbox = sandbox();
    let adoption =
        Adoption { path: "/run/netns/blue".to_owned(), cookie: 9, boot_id: "b".to_owned(), start_time: None };
    sandbox.namespace = NamespaceSource::Adopted(adoption);
    let place = Place::Sandbox(sandbox.id);
    let compiled = compile(&assignment(network(), sandbox), &facts(), &Gates::default());
    assert!(settings(&compiled, place).iter().all(|(path, _)| path.contains("/conf/eth0/")));
    assert!(!compiled.desired.contains_key(&Key::Link(place, "lo".to_owned())));
}

#[test]
fn what_is_stopped_deleting_or_the_hosts_compiles_to_nothing() {
    let change: [fn(&mut AssignedSandbox); 3] =
        [|s| s.running = false, |s| s.deleting = true, |s| s.namespace = NamespaceSource::Host];
    for change in change {
        let mut sandbox = sandbox();
        change(&mut sandbox);
        let looked_into = sandbox.namespace != NamespaceSource::Host;
        let compiled = compile(&assignment(network(), sandbox.clone()), &facts(), &Gates::default());
        assert!(compiled.desired.is_empty());
        assert_eq!(compiled.scope.sandboxes.contains_key(&sandbox.id), looked_into);
    }
}

#[test]
fn a_kernel_without_ipv6_is_asked_for_no_ipv6_setting() {
    let gates = Gates { without_ipv6: true, ..Gates::default() };
    let compiled = compile(&assignment(network(), sandbox()), &facts(), &gates);
    assert!(compiled.scope.sysctls.values().flatten().all(|path| path.starts_with("net/ipv4/")));
}

#[test]
fn an_address_waits_for_its_probe_unless_it_is_on_our_link_already() {
    let mut network = network();
    network.macvlan.as_mut().expect("macvlan").probe = true;
    let sandbox = sandbox();
    let (place, endpoint) = (Place::Sandbox(sandbox.id), sandbox.endpoints[0].id);
    let address: IpAddr = [192, 168, 122, 2].into();
    let key = Key::Address(place, "eth0".to_owned(), address);
    let assignment = assignment(network, sandbox.clone());

    let mut held = compile(&assignment, &facts(), &Gates::default());
    assert!(!held.desired.contains_key(&key) && held.tolerated.contains_key(&key));
    assert!(held.desired.contains_key(&Key::Link(place, "eth0".to_owned())), "the probe leaves from the link");
    assert_eq!(held.probes.len(), 1);
    assert!(held.admit(&Observed::default()).is_empty());

    let gates = Gates { clear: BTreeSet::from([(endpoint, address)]), ..Gates::default() };
    let open = compile(&assignment, &facts(), &gates);
    assert!(open.desired.contains_key(&key) && open.probes.is_empty());

    let observed = Observed { ours: open.desired.clone(), ..Observed::default() };
    assert_eq!(held.admit(&observed), [(sandbox.id, endpoint, address)]);
    assert_eq!(held.desired, open.desired);

    let mut strange = observed;
    if let Some(Object::Link(link)) = strange.ours.get_mut(&Key::Link(place, "eth0".to_owned())) {
        link.owner = EndpointId::from_random([9; 16]).to_string();
    }
    let mut held = compile(&assignment, &facts(), &Gates::default());
    assert!(held.admit(&strange).is_empty(), "another endpoint's link proves nothing");
}

#[test]
fn a_parent_that_is_missing_or_down_is_refused_with_the_candidates() {
    for (parent, code) in [("nothere", "parent-missing"), ("parent2", "parent-down")] {
        let mut network = network();
        network.macvlan.as_mut().expect("macvlan").parent = parent.to_owned();
        let (network_key, sandbox) = (AssignedKey::Network(network.id), sandbox());
        let compiled = compile(&assignment(network, sandbox.clone()), &facts(), &Gates::default());
        for key in [network_key, AssignedKey::Sandbox(sandbox.id)] {
            let refusal = compiled.refusals.get(&key).expect("a refusal");
            assert_eq!(refusal.code, code);
            assert!(refusal.message.contains(" can't be carried now: the host"), "{}", refusal.message);
            let hint = refusal.hint.as_deref().expect("a hint");
            assert!(hint.contains("parent0, parent1"), "{hint}");
        }
        let link = Key::Link(Place::Sandbox(sandbox.id), "eth0".to_owned());
        assert!(!compiled.desired.contains_key(&link) && compiled.tolerated.contains_key(&link));
    }
}

#[test]
fn a_node_without_the_link_is_named_with_the_network_and_how_another_is_set() {
    let mut network = network();
    network.segment = true;
    network.macvlan.as_mut().expect("macvlan").parent = "nothere".to_owned();
    let facts = Facts { hostname: "machine2".to_owned(), ..facts() };
    let (id, name) = (sandbox().id, network.name.clone());
    let compiled = compile(&assignment(network, sandbox()), &facts, &Gates::default());
    let refusal = compiled.refusals.get(&AssignedKey::Sandbox(id)).expect("a refusal");
    let words = format!("node `machine2` has no link `nothere`, by which network `{name}` is to be on it");
    assert!(refusal.message.ends_with(&words), "{}", refusal.message);
    let hint = refusal.hint.as_deref().expect("a hint");
    assert!(hint.contains("parent0, parent1") && hint.contains(r#"{"parents": {"machine2": LINK}}"#), "{hint}");
}

#[test]
fn host_access_is_a_shim_and_a_route_per_endpoint_from_the_hosts_address() {
    let mut network = network();
    network.macvlan.as_mut().expect("macvlan").host_access = true;
    let compiled = compile(&assignment(network.clone(), sandbox()), &facts(), &Gates::default());
    let shim = host_link::of_network(network.id);
    assert!(shim.len() <= 15, "an interface's name has at most 15 bytes");
    let Some(Object::Link(link)) = compiled.desired.get(&Key::Link(Place::Host, shim.clone())) else {
        panic!("no shim")
    };
    let mac = link.mac.expect("a MAC");
    assert!(mac.is_unicast() && mac.0[0] & 2 == 2);
    let Some(Object::Route(route)) =
        compiled.desired.get(&Key::Route(Place::Host, "192.168.122.2/32".parse().expect("a prefix")))
    else {
        panic!("no route")
    };
    assert_eq!((route.link.as_str(), route.source), (&*shim, Some([192, 168, 122, 185].into())));
    assert!(settings(&compiled, Place::Host).contains(&(&format!("net/ipv4/conf/{shim}/arp_ignore"), "0")));
    assert!(compiled.conditions.is_empty() && compiled.scope.host);

    network.macvlan.as_mut().expect("macvlan").parent = "parent1".to_owned();
    let compiled = compile(&assignment(network.clone(), sandbox()), &facts(), &Gates::default());
    let conditions = &compiled.conditions[&AssignedKey::Network(network.id)];
    assert_eq!(conditions[0].kind, "HostAccessWithoutAddress");

    network.macvlan.as_mut().expect("macvlan").mode = MacvlanMode::Private;
    let compiled = compile(&assignment(network, sandbox()), &facts(), &Gates::default());
    assert!(!compiled.scope.host, "only mode bridge lets the host's link talk to the others");
}

#[test]
fn the_hosts_arp_ignore_blocks_host_access() {
    let mut network = network();
    network.macvlan.as_mut().expect("macvlan").host_access = true;
    let compiled = compile(&assignment(network.clone(), sandbox()), &facts(), &Gates::default());
    let mut observed = Observed::default();
    for (value, blocked) in [("0", false), ("1", true), ("2", true)] {
        let path = "net/ipv4/conf/all/arp_ignore".to_owned();
        assert!(compiled.scope.sysctls[&Place::Host].contains(&path));
        let setting = Object::Sysctl(Sysctl { place: Place::Host, path, value: value.to_owned() });
        observed.ours.insert(setting.key(), setting);
        let conditions = compiled.observed_conditions(&observed);
        assert_eq!(conditions.iter().any(|(_, c)| c.kind == "HostAccessBlocked"), blocked, "arp_ignore {value}");
    }
}

#[test]
fn a_fenced_endpoints_link_is_down_and_what_stands_of_its_addresses_may_stay() {
    let mut sandbox = sandbox();
    sandbox.endpoints[0].fenced = true;
    let place = Place::Sandbox(sandbox.id);
    let network = AssignedNetwork { segment: true, ..network() };
    let compiled = compile(&assignment(network, sandbox.clone()), &facts(), &Gates::default());
    let Some(Object::Link(link)) = compiled.desired.get(&Key::Link(place, "eth0".to_owned())) else {
        panic!("no link")
    };
    assert!(!link.up);
    let address = Key::Address(place, "eth0".to_owned(), [192, 168, 122, 2].into());
    assert!(compiled.tolerated.contains_key(&address) && !compiled.desired.contains_key(&address));
    assert!(compiled.withheld.is_empty() && compiled.probes.is_empty() && compiled.refusals.is_empty());
    let conditions = &compiled.conditions[&AssignedKey::Sandbox(sandbox.id)];
    assert_eq!(conditions[0].kind, netloom_model::condition::FENCED);
}

#[test]
fn a_node_is_on_a_network_of_the_swarm_by_no_link_while_nothing_of_it_is_on_it() {
    let without = Facts { links: Vec::new(), hostname: "machine3".to_owned(), ..facts() };
    for (segment, in_use, refused) in [(false, false, true), (true, false, false), (true, true, true)] {
        let network = AssignedNetwork { segment, in_use, ..network() };
        let id = network.id;
        let only = Assignment { networks: [(id, network)].into(), ..Assignment::default() };
        let compiled = compile(&only, &without, &Gates::default());
        let refusal = compiled.refusals.get(&AssignedKey::Network(id));
        assert_eq!(refusal.is_some(), refused, "{segment} {in_use}");
        let Some(refusal) = refusal.filter(|_| segment) else { continue };
        assert!(refusal.message.contains("machine3") && refusal.message.contains("parent0"), "{}", refusal.message);
        assert!(refusal.hint.as_ref().is_some_and(|hint| hint.contains("parents")), "{:?}", refusal.hint);
    }
}
