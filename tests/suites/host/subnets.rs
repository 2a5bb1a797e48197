//! Subnets that the host needs for something else: what a VPN leads to, and where its nameservers are. Automatic pools keep clear of them,
//! given ones are refused with what they overlap with and what is free.

use std::time::Duration;

use netloom_tests::{Client, Host, Value, host, json, until};

const SOON: Duration = Duration::from_secs(10);

/// A link that leads to a VPN, as one that was just set up: without an address that would tell of it.
fn vpn(host: &Host) {
    host.net.run(&format!("ip link add vpn0 type veth peer name far0 netns {}", host.lan.pid()));
    host.lan.run("ip link set far0 addrgenmode none up");
    host.net.run("ip link set vpn0 addrgenmode none up");
}

/// What a network without a subnet would get, IPv4 and IPv6; made, or only planned.
fn automatic(client: &Client, name: &str, query: &str) -> [String; 2] {
    let pools = json!({"four": {"family": 4}, "six": {"family": 6}});
    let body = json!({"name": name, "driver": "bridge", "pools": pools});
    let answer = client.post(&format!("networks{query}"), &body).is(if query.is_empty() { 201 } else { 200 });
    let found = if answer["object"].is_object() { &answer["object"] } else { &answer };
    ["four", "six"].map(|key| {
        let subnet = found["status"]["pools"][key]["subnet"].as_str();
        subnet.unwrap_or_else(|| panic!("no subnet in {answer}")).to_owned()
    })
}

/// A bridge network with a subnet that can't be had: the problem, and the subnet that it says is free.
fn refused(client: &Client, subnet: &str) -> (Value, String) {
    let body = json!({"name": "given", "driver": "bridge", "pools": {"v": {"subnet": subnet}}});
    let problem = client.post("networks", &body).problem(409, "subnet-overlap");
    let free = problem["facts"]["next_free_subnet"].as_str().unwrap_or_else(|| panic!("{problem}")).to_owned();
    assert!(problem["hint"].as_str().unwrap_or_default().contains(&free), "{problem}");
    (problem, free)
}

/// The subnet can be had, and a sandbox on it reaches its gateway.
fn works(host: &Host, subnet: &str) {
    let client = host.client();
    let body = json!({"name": "given", "driver": "bridge", "pools": {"v": {"subnet": subnet}}});
    client.post("networks", &body).is(201);
    let made = host.sandbox("s", "given");
    let endpoint = &made["status"]["endpoints"]["given"];
    let gateway = endpoint["gateway"].as_str().or(endpoint["gateway6"].as_str()).unwrap();
    assert!(host.pings("s", gateway), "{subnet}: {made}");
    client.delete("sandboxes/s").is(204);
    client.delete("networks/given").is(204);
}

#[test]
fn automatic_pools_keep_clear_of_what_a_vpn_leads_to_whenever_it_comes() {
    let host = host!();
    vpn(&host);
    host.net.run("ip route add 10.200.0.0/16 dev vpn0");
    host.net.run("ip -6 route add fd6e:6574:6c6f::/56 dev vpn0");
    let client = host.start();
    let first = automatic(&client, "first", "");
    assert_eq!(first, ["10.201.0.0/24", "fd6e:6574:6c6f:100::/64"]);
    // The next two are led to before they are asked for, by a wider route and by a narrower one.
    let next = automatic(&client, "second", "?dry_run=true");
    assert_eq!(next, ["10.201.1.0/24", "fd6e:6574:6c6f:101::/64"]);
    host.net.run("ip route add 10.201.1.128/25 dev vpn0");
    host.net.run("ip -6 route add fd6e:6574:6c6f:101:8000::/80 dev vpn0");
    assert_eq!(automatic(&client, "second", ""), ["10.201.2.0/24", "fd6e:6574:6c6f:102::/64"]);
    // A table of its own, as WireGuard's wg-quick has it.
    host.net.run("ip route add 10.201.3.0/24 dev vpn0 table 51820");
    assert_eq!(automatic(&client, "third", "")[0], "10.201.4.0/24");
    for network in ["first", "second", "third"] {
        host.sandbox(network, network);
    }
    for (to, link) in [("10.200.7.7", "vpn0"), ("10.201.1.200", "vpn0"), ("fd6e:6574:6c6f:1::7", "vpn0")] {
        let route = host.net.run(&format!("ip route get {to}"));
        assert!(route.contains(&format!("dev {link}")), "{to} is reached as before: {route}");
    }
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
}

#[test]
fn a_vpn_that_takes_everything_in_two_halves_takes_no_subnet() {
    let host = host!();
    vpn(&host);
    for half in ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"] {
        host.net.run(&format!("ip route add {half} dev vpn0"));
    }
    let client = host.start();
    assert_eq!(automatic(&client, "first", ""), ["10.200.0.0/24", "fd6e:6574:6c6f::/64"]);
    works(&host, "10.91.0.0/24");
    works(&host, "fd00:91::/64");
}

#[test]
fn a_given_subnet_that_a_vpn_leads_to_is_refused_by_the_routes_name() {
    let host = host!();
    vpn(&host);
    host.net.run("ip route add 10.64.0.0/14 dev vpn0");
    let client = host.start();
    let before = refused(&client, "10.66.0.0/24");
    host.net.run("ip route add 10.91.0.0/25 dev vpn0");
    host.net.run("ip -6 route add fd00:91::/48 dev vpn0");
    let later = refused(&client, "10.91.0.0/24");
    let later6 = refused(&client, "fd00:91:0:7::/64");
    for ((problem, free), route) in [(before, "10.64.0.0/14"), (later, "10.91.0.0/25"), (later6, "fd00:91::/48")] {
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("the host's route {route} via vpn0")), "{problem}");
        works(&host, &free);
    }
    // A pool that is added is no exception; and once the VPN is gone its subnet can be had.
    client
        .post("networks", &json!({"name": "n", "driver": "bridge", "pools": {"a": {"subnet": "10.92.0.0/24"}}}))
        .is(201);
    let more = json!({"pools": {"b": {"subnet": "10.91.0.0/24"}}});
    client.patch("networks/n", &more).problem(409, "subnet-overlap");
    host.net.run("ip link del vpn0");
    client.patch("networks/n", &more).is(200);
    works(&host, "10.66.0.0/24");
}

#[test]
fn what_comes_into_the_subnet_of_a_network_in_use_is_named_until_it_goes() {
    let host = host!();
    vpn(&host);
    let client = host.start();
    host.bridge("web", "10.91.0.0/24");
    host.sandbox("s", "web");
    let conditions = || client.get("networks/web").is(200)["status"]["conditions"].clone();
    assert_eq!(conditions(), json!([]));
    for route in ["10.91.0.128/25", "10.91.0.0/24", "10.0.0.0/8"] {
        host.net.run(&format!("ip route append {route} dev vpn0"));
        let said = until(&format!("{route} is named"), SOON, || {
            let said = conditions();
            (said != json!([])).then_some(said)
        });
        let message = said[0]["message"].as_str().unwrap();
        assert_eq!(said[0]["type"], "SubnetOverlap", "{said}");
        assert!(message.contains(&format!("the host's route {route} via vpn0 overlaps 10.91.0.0/24")), "{said}");
        assert_eq!(client.get("networks/web").is(200)["status"]["state"], "degraded");
        assert_eq!(client.get("sandboxes/s").is(200)["status"]["state"], "running", "it works for what it can");
        host.net.run(&format!("ip route del {route} dev vpn0"));
        until("nothing is in the way", SOON, || (conditions() == json!([])).then_some(()));
    }
    host.net.shell("echo 'nameserver 10.91.0.53' > /etc/resolv.conf");
    // Whatever comes to the host's links has it looked at.
    host.net.run("ip addr add 203.0.113.1/24 dev vpn0");
    until("the nameserver is named", SOON, || conditions().to_string().contains("nameserver 10.91.0.53").then_some(()));
    host.net.shell("echo 'nameserver 192.0.2.53' > /etc/resolv.conf");
    host.net.run("ip addr del 203.0.113.1/24 dev vpn0");
    until("nothing is in the way", SOON, || (conditions() == json!([])).then_some(()));
    // A daemon that comes back finds it, too.
    host.kill();
    host.net.run("ip route add 10.91.0.128/25 dev vpn0");
    host.start();
    assert!(conditions().to_string().contains("10.91.0.128/25"), "{}", conditions());
    assert_eq!(client.get("drift").is(200)["items"], json!([]), "it is somebody else's");
}

#[test]
fn a_subnet_that_would_cut_the_host_off_from_its_nameserver_is_not_taken() {
    let host = host!();
    host.net.run("ip addr add 203.0.113.1/24 dev parent0");
    host.net.run("ip route add default via 203.0.113.2");
    let say = |addresses: &[&str]| {
        let lines: String = addresses.iter().map(|address| format!("nameserver {address}\n")).collect();
        host.net.shell(&format!("printf '{lines}' > /etc/resolv.conf"));
    };
    say(&["10.200.0.53", "fd6e:6574:6c6f::53"]);
    let client = host.start();
    assert_eq!(automatic(&client, "first", ""), ["10.200.1.0/24", "fd6e:6574:6c6f:1::/64"]);
    // Later ones count as well: the file is read when a subnet is asked for.
    say(&["10.200.2.53", "10.91.0.53", "fd00:91::53"]);
    assert_eq!(automatic(&client, "second", "")[0], "10.200.0.0/24");
    assert_eq!(automatic(&client, "third", "")[0], "10.200.3.0/24");
    for (subnet, nameserver) in [("10.91.0.0/24", "10.91.0.53"), ("fd00:91::/64", "fd00:91::53")] {
        let (problem, free) = refused(&client, subnet);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("the host's nameserver {nameserver}")), "{problem}");
        works(&host, &free);
    }
    // On the host's own segment it is the host's lease (macvlan.rs); that the default route leads to it is no reason to refuse either.
    host.macvlan("lan", "10.91.0.0/24");
    say(&["192.0.2.53"]);
    client.delete("networks/lan").is(204);
    works(&host, "10.91.0.0/24");
}

#[test]
fn a_chosen_source_that_goes_and_comes_is_told_of_at_once() {
    let host = host!();
    host.net.run("ip addr add 203.0.113.1/24 dev parent0");
    host.net.run("ip addr add 203.0.113.7/24 dev parent0");
    let client = host.start();
    let source = json!({"source_address4": "203.0.113.7"});
    client.post("networks", &json!({"name": "n", "driver": "bridge", "bridge": source})).is(201);
    host.sandbox("a", "n");
    let says = |wanted: bool| {
        until(&format!("the condition is there: {wanted}"), Duration::from_secs(10), || {
            let told = client.get("networks/n").is(200)["status"]["conditions"].to_string();
            (told.contains("SourceAddressMissing") == wanted).then_some(())
        });
    };
    says(false);
    host.net.run("ip addr del 203.0.113.7/24 dev parent0");
    says(true);
    host.net.run("ip addr add 203.0.113.7/24 dev parent0");
    says(false);
}
