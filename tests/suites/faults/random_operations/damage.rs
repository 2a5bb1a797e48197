//! What somebody else may do to what is ours: to links and addresses at any time, to the table of rules only while no daemon owns it.
//!
//! What must not live here: whether it was put right.

use netloom_tests::{Host, Value};

use netloom_tests::dice::Dice;

/// Breaks something on the host or inside a sandbox, if there is anything to break; says what.
pub(super) fn of_links(host: &Host, dice: &mut Dice) -> Option<String> {
    if dice.once_in(2) { on_host(host, dice) } else { inside(host, dice) }
}

/// Breaks one of the host's links that are ours; says what.
pub(super) fn on_host(host: &Host, dice: &mut Dice) -> Option<String> {
    let dump = host.net.json("ip -j -d addr");
    let ours = |link: &&Value| link["ifname"].as_str().is_some_and(|name| name.starts_with("nl-"));
    let links: Vec<&Value> = dump.as_array().unwrap().iter().filter(ours).collect();
    let link = dice.one_of(&links)?;
    let name = link["ifname"].as_str().unwrap();
    let is_bridge = link["linkinfo"]["info_kind"] == "bridge";
    let address = link["addr_info"].as_array().unwrap().iter().find(|one| one["scope"] == "global");
    let line = match (dice.below(4), address) {
        (0, _) => format!("ip link del {name}"),
        (1, _) => format!("ip link set {name} down"),
        (2, Some(address)) => format!("ip addr del {}/{} dev {name}", address["local"].as_str()?, address["prefixlen"]),
        _ if is_bridge => format!("ip link set {name} mtu 1300"),
        (2, None) => format!("ip link set {name} nomaster"),
        _ => format!("bridge link set dev {name} hairpin on"),
    };
    host.net.try_run(&line);
    Some(line)
}

/// Breaks something inside a running sandbox, or takes the name of its namespace away.
fn inside(host: &Host, dice: &mut Dice) -> Option<String> {
    let sandboxes = host.client().all("sandboxes?limit=1000");
    let running: Vec<&Value> = sandboxes.iter().filter(|sandbox| sandbox["status"]["netns"].is_string()).collect();
    let sandbox = dice.one_of(&running)?;
    let netns = sandbox["status"]["netns"].as_str().unwrap();
    let endpoints = sandbox["status"]["endpoints"].as_object().unwrap();
    let interfaces: Vec<&str> = endpoints.values().filter_map(|endpoint| endpoint["interface"].as_str()).collect();
    let name = dice.one_of(&interfaces).copied().unwrap_or("lo");
    let line = match dice.below(6) {
        _ if name == "lo" => return None,
        0 => {
            host.net.try_run(&format!("umount -l {netns}"));
            return Some(format!("umount -l {netns} of {}", sandbox["name"]));
        }
        1 => format!("ip link del {name}"),
        2 => format!("ip addr flush dev {name}"),
        3 => format!("ip link set {name} down"),
        4 => "ip route flush default".to_owned(),
        _ => format!("ip link set {name} address 02:00:00:00:00:99"),
    };
    host.net.try_run_in(netns, &line);
    Some(format!("{line} in {}", sandbox["name"]))
}

/// Breaks something of the table of rules, which nobody owns now; says what.
pub(super) fn of_rules(host: &Host, dice: &mut Dice) -> Option<String> {
    let listed = host.net.try_run("nft -j list table inet netloom");
    let listed: Value = listed.stdout.parse().ok()?;
    let parts: Vec<&Value> = listed["nftables"].as_array()?.iter().collect();
    let named = |kind: &str, dice: &mut Dice| -> Option<String> {
        let names: Vec<&str> = parts.iter().filter_map(|part| part[kind]["name"].as_str()).collect();
        dice.one_of(&names).map(|name| (*name).to_owned())
    };
    let filled = |kind: &str, dice: &mut Dice| -> Option<String> {
        let full: Vec<&str> = parts
            .iter()
            .filter(|part| part[kind]["elem"].as_array().is_some_and(|elements| !elements.is_empty()))
            .filter_map(|part| part[kind]["name"].as_str())
            .collect();
        dice.one_of(&full).map(|name| (*name).to_owned())
    };
    let line = match dice.below(6) {
        0 => "nft delete table inet netloom".to_owned(),
        1 => format!("nft flush chain inet netloom {}", named("chain", dice)?),
        2 => format!("nft flush map inet netloom {}", filled("map", dice)?),
        3 => "nft add element inet netloom published4_all { tcp . 9 : 10.64.0.99 . 9 }".to_owned(),
        4 => "nft add element inet netloom open4 { tcp . 10.64.0.99 . 9 }".to_owned(),
        _ => format!("nft flush set inet netloom {}", filled("set", dice)?),
    };
    let said = host.net.try_run(&line);
    assert_eq!(said.code, 0, "`{line}`: {}", said.stderr);
    Some(line)
}
