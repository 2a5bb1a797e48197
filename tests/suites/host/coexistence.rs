//! Bridge networks on a host that has a firewall already: Docker's own, and what ufw, firewalld or somebody's nftables leave. Their packets
//! pass or the network says what is in the way; others' rules are as they were, before and after.

use std::time::Duration;

use netloom_tests::firewalls::{self, Docker};
use netloom_tests::{Client, Echo, Host, Snapshot, Start, ask_tcp, host, json, until};

const MARK_RULE: &str = "-A DOCKER-USER -m mark --mark 0x40000/0x40000 -m comment --comment netloom -j ACCEPT\n";
const SOON: Duration = Duration::from_secs(20);

/// A host beyond this one, 203.0.113.2 and 2001:db8::2, that knows no way to what is behind this host.
fn outside(host: &Host) {
    for (namespace, link, last) in [(&host.net, "parent0", 1), (&host.lan, "wire0", 2)] {
        namespace.run(&format!("ip addr add 203.0.113.{last}/24 dev {link}"));
        namespace.run(&format!("ip -6 addr add 2001:db8::{last}/64 dev {link} nodad"));
    }
}

/// Two sandboxes on a network of both families: a is 10.91.0.2, b is 10.91.0.3.
fn sandboxes(host: &Host) {
    host.bridge("one", "10.91.0.0/24");
    for name in ["a", "b"] {
        host.sandbox(name, "one");
    }
}

fn remove_sandboxes(client: &Client) {
    for name in ["a", "b"] {
        client.delete(&format!("sandboxes/{name}")).is(204);
    }
}

/// Whether frames within a bridge are filtered as if they were routed.
fn filter_bridged(host: &Host, on: u8) {
    host.net
        .run(&format!("sysctl -qw net.bridge.bridge-nf-call-iptables={on} net.bridge.bridge-nf-call-ip6tables={on}"));
    // What a neighbour did not answer meanwhile is forgotten.
    for name in ["a", "b"] {
        host.in_sandbox(name, "ip neigh flush dev eth0 nud all");
    }
}

fn address6(host: &Host, sandbox: &str) -> String {
    let found = host.client().get(&format!("sandboxes/{sandbox}")).is(200);
    found["status"]["endpoints"]["one"]["address6"].as_str().expect("it has one").to_owned()
}

/// Within the bridge both ways over both families, to the host, and beyond it, whether or not bridged frames are filtered.
fn everything_passes(host: &Host) {
    let (a6, b6) = (address6(host, "a"), address6(host, "b"));
    for bridged in [0, 1] {
        filter_bridged(host, bridged);
        for (from, to) in [
            ("a", "10.91.0.3"),
            ("b", "10.91.0.2"),
            ("a", b6.as_str()),
            ("b", a6.as_str()),
            ("a", "10.91.0.1"),
            ("a", "203.0.113.2"),
            ("b", "203.0.113.2"),
            ("a", "2001:db8::2"),
        ] {
            // A busy machine may take its time over one.
            assert!(
                (0..5).any(|_| host.pings(from, to)),
                "{from} reaches {to} with bridged frames filtered: {bridged}"
            );
        }
    }
}

/// From the outside to sandbox a, whether or not bridged frames are filtered.
fn published_port_leads_in(host: &Host) {
    for bridged in [0, 1] {
        filter_bridged(host, bridged);
        let answer = (0..5).find_map(|_| ask_tcp(&host.lan.path(), "203.0.113.1:8090"));
        assert!(answer.is_some(), "with bridged frames filtered: {bridged}");
    }
}

fn rules(host: &Host, program: &str) -> String {
    host.net.run(&format!("{program} -S"))
}

/// The whole ruleset without what was counted.
fn ruleset(host: &Host) -> String {
    host.net.run("nft -s list ruleset")
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn conditions(client: &Client) -> String {
    client.get("networks/one").is(200)["status"]["conditions"].to_string()
}

fn until_blocked(client: &Client, is: bool) -> String {
    until(&format!("FirewallBlocked: {is}"), SOON, || {
        let said = conditions(client);
        (said.contains("FirewallBlocked") == is).then_some(said)
    })
}

fn repairs(client: &Client) -> String {
    client.get("events?kinds=drift.repaired&limit=100").is(200)["items"].to_string()
}

#[test]
fn beside_docker_everything_passes_and_its_rules_stay_as_they_are() {
    let host = host!();
    outside(&host);
    let mut docker = Docker::start(&host);
    let (before, listed) = (ruleset(&host), rules(&host, "iptables"));
    assert!(listed.contains("-P FORWARD DROP") && listed.contains("-A FORWARD -j DOCKER-USER"), "{listed}");
    let client = host.start();
    host.bridge("one", "10.91.0.0/24");
    let body = json!({"name": "a", "networks": {"one": {}}});
    let planned = client.post("sandboxes?dry_run=true", &body).is(200).to_string();
    assert!(
        planned.contains("Add rule netloom in chain DOCKER-USER of nftables table ip filter on the host"),
        "{planned}"
    );
    assert_eq!(ruleset(&host), before, "nothing before the first use");
    let ports = json!({"web": {"protocol": "tcp", "target": 80, "published": 8090, "host_address": "0.0.0.0"}});
    client.post("sandboxes", &json!({"name": "a", "networks": {"one": {"ports": ports}}})).is(201);
    host.sandbox("b", "one");
    let server = Echo::start(&host.net.outside(&host.netns("a")), "10.91.0.2:80", "a");
    everything_passes(&host);
    published_port_leads_in(&host);
    assert_eq!(rules(&host, "iptables").replacen(MARK_RULE, "", 1), listed, "one rule more, and no other");
    assert_eq!((conditions(&client), client.get("drift").is(200)["items"].clone()), ("[]".to_owned(), json!([])));
    docker.restart();
    until("the rule is there", SOON, || rules(&host, "iptables").contains(MARK_RULE).then_some(()));
    everything_passes(&host);
    // What Docker makes and removes meanwhile is heard, and is nothing of ours.
    let dockers = Client::unix(&host.dir().join("docker/socket"));
    let made = dockers.post("/networks/create", &json!({"Name": "theirs"})).is(201);
    everything_passes(&host);
    dockers.delete(&format!("/networks/{}", made["Id"].as_str().expect("an ID"))).is(204);
    assert_eq!(rules(&host, "iptables").replacen(MARK_RULE, "", 1), listed);
    assert_eq!(repairs(&client), "[]");
    for line in ["iptables -D DOCKER-USER 1", "iptables -F DOCKER-USER"] {
        host.net.run(line);
        until(&format!("`{line}` is put right"), SOON, || rules(&host, "iptables").contains(MARK_RULE).then_some(()));
    }
    until("the repair is told", SOON, || {
        repairs(&client)
            .contains("rule netloom in chain DOCKER-USER of nftables table ip filter was missing")
            .then_some(())
    });
    host.net.run("iptables -A DOCKER-USER -j RETURN");
    everything_passes(&host);
    published_port_leads_in(&host);
    drop(server);
    remove_sandboxes(&client);
    assert_eq!(rules(&host, "iptables"), listed);
    // Its daemon puts its own rules in another order when it starts again.
    assert_eq!(sorted(&ruleset(&host)), sorted(&before), "all as it was");
}

#[test]
fn docker_that_comes_while_a_network_is_in_use_is_lived_with_and_when_it_lets_pass_by_itself_the_rule_goes() {
    let host = host!();
    outside(&host);
    let client = host.start();
    sandboxes(&host);
    let docker = Docker::start(&host);
    until("the rule is there", SOON, || rules(&host, "iptables").contains(MARK_RULE).then_some(()));
    everything_passes(&host);
    host.net.run("iptables -P FORWARD ACCEPT");
    until("nothing needs it", SOON, || (!rules(&host, "iptables").contains("netloom")).then_some(()));
    host.net.run("iptables -P FORWARD DROP");
    until("it is needed again", SOON, || rules(&host, "iptables").contains(MARK_RULE).then_some(()));
    drop(docker);
    // A daemon that comes back takes it up, and so does one that shall keep its hands off, which takes it away.
    host.kill();
    host.start();
    everything_passes(&host);
    host.stop();
    host.start_with(&Start { flags: vec!["--coexist".to_owned(), "off".to_owned()], ..Start::default() });
    assert!(!rules(&host, "iptables").contains("netloom"));
    until_blocked(&client, true);
    host.stop();
    let directories = format!("--data-dir {} --run-dir {}", host.data_dir().display(), host.run_dir().display());
    host.start();
    assert!(rules(&host, "iptables").contains(MARK_RULE));
    host.stop();
    let shown = host.netloom(&format!("purge {directories}")).ok();
    assert!(shown.contains("rule netloom in chain DOCKER-USER of nftables table ip filter"), "{shown}");
    host.netloom(&format!("purge --yes {directories}")).ok();
    assert!(!ruleset(&host).contains("netloom"));
}

#[test]
fn with_hands_off_docker_is_told_of_and_the_command_helps() {
    let host = host!();
    outside(&host);
    firewalls::docker_chains(&host);
    let before = ruleset(&host);
    let client = host.start_with(&Start { flags: vec!["--coexist".to_owned(), "off".to_owned()], ..Start::default() });
    sandboxes(&host);
    assert!(!host.pings("a", "203.0.113.2"));
    let said = until_blocked(&client, true);
    for program in ["iptables", "ip6tables"] {
        let command = format!("{program} -I DOCKER-USER -m mark --mark 0x40000/0x40000 -j ACCEPT");
        assert!(said.contains(&format!("`{command}`")), "{said}");
        host.net.run(&command);
    }
    until_blocked(&client, false);
    everything_passes(&host);
    remove_sandboxes(&client);
    for program in ["iptables", "ip6tables"] {
        // It is whoever added it who takes it away.
        host.net.run(&format!("{program} -D DOCKER-USER -m mark --mark 0x40000/0x40000 -j ACCEPT"));
    }
    assert_eq!(ruleset(&host), before);
}

#[test]
fn a_table_of_somebodys_that_drops_is_named_until_it_lets_pass() {
    let host = host!();
    outside(&host);
    host.net.run("nft add table inet filter");
    host.net.run("nft add chain inet filter forward { type filter hook forward priority 0 ; policy drop ; }");
    let before = Snapshot::of(&host);
    let client = host.start();
    sandboxes(&host);
    let said = until_blocked(&client, true);
    let command = "nft insert rule inet filter forward meta mark and 0x40000 == 0x40000 accept";
    assert!(said.contains(&format!("`{command}`")) && said.contains("priority 0"), "{said}");
    assert!(!host.pings("a", "203.0.113.2") && host.pings("a", "10.91.0.1"), "it works for what it can");
    assert_eq!(client.get("networks/one").is(200)["status"]["state"], "degraded");
    assert_eq!(client.get("sandboxes/a").is(200)["status"]["state"], "running");
    let doctor = host.netloom(&format!("doctor --run-dir {} --listen 127.0.0.1:0", host.run_dir().display())).stdout;
    assert!(doctor.contains("chain forward of table inet filter") && doctor.contains(command), "{doctor}");
    host.net.run(command);
    until_blocked(&client, false);
    everything_passes(&host);
    host.net.run("nft flush chain inet filter forward");
    until_blocked(&client, true);
    filter_bridged(&host, 0);
    host.net.run("nft chain inet filter forward { policy accept ; }");
    until_blocked(&client, false);
    host.net.run("nft chain inet filter forward { policy drop ; }");
    until_blocked(&client, true);
    assert!(host.pings("a", "10.91.0.3") && !host.pings("a", "203.0.113.2"));
    filter_bridged(&host, 1);
    remove_sandboxes(&client);
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn beside_ufw_the_network_says_which_line_helps_and_it_does() {
    let host = host!();
    outside(&host);
    firewalls::ufw(&host);
    let before = ruleset(&host);
    let client = host.start();
    sandboxes(&host);
    let said = until_blocked(&client, true);
    for (program, file, chain) in
        [("iptables", "before.rules", "ufw-before-forward"), ("ip6tables", "before6.rules", "ufw6-before-forward")]
    {
        let line = format!("-A {chain} -m mark --mark 0x40000/0x40000 -j ACCEPT");
        assert!(said.contains(&format!("`{line}` in /etc/ufw/{file}")), "{said}");
        host.net.run(&format!("{program} {line}"));
    }
    until_blocked(&client, false);
    everything_passes(&host);
    remove_sandboxes(&client);
    for (program, chain) in [("iptables", "ufw-before-forward"), ("ip6tables", "ufw6-before-forward")] {
        host.net.run(&format!("{program} -D {chain} -m mark --mark 0x40000/0x40000 -j ACCEPT"));
    }
    assert_eq!(ruleset(&host), before);
}

#[test]
fn beside_firewalld_the_network_says_which_zone_helps_and_it_does() {
    let host = host!();
    outside(&host);
    firewalls::firewalld(&host, "parent0");
    let before = ruleset(&host);
    let client = host.start();
    let body = json!({"name": "one", "driver": "bridge", "bridge": {"interface_name": "br-one"},
        "pools": {"v4": {"subnet": "10.91.0.0/24"}, "v6": {"family": 6}}});
    client.post("networks", &body).is(201);
    for name in ["a", "b"] {
        host.sandbox(name, "one");
    }
    let said = until_blocked(&client, true);
    assert!(said.contains("`firewall-cmd --permanent --zone=trusted --add-interface=br-one`"), "{said}");
    assert!(!host.pings("a", "203.0.113.2"));
    firewalls::firewalld_trusts(&host, "br-one");
    until_blocked(&client, false);
    everything_passes(&host);
    remove_sandboxes(&client);
    assert_eq!(ruleset(&host).replace("\t\tiifname \"br-one\" goto filter_FWD_trusted\n", ""), before);
}
