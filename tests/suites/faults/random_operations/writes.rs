//! Which write comes next: networks of every kind, sandboxes on them, and what can be changed of both.
//!
//! What must not live here: sending it, and what must come of it.

use netloom_tests::{Value, json};

use super::model::{Model, Write};
use netloom_tests::dice::Dice;

/// Sandboxes there may be at a time; few names, so that a name comes back.
const SANDBOXES: u64 = 12;
/// The names that sandboxes share.
const ALIASES: [&str; 4] = ["web", "db", "cache", "mail"];
/// Most pools of a network: with more it is made of nothing else.
const POOLS: usize = 4;

/// The networks there may be.
pub(super) fn networks() -> [Value; 7] {
    let bridge = |name: &str, pools: Value, settings: Value| json!({"name": name, "driver": "bridge", "pools": pools, "bridge": settings});
    let four = |subnet: &str| json!({"v4": {"subnet": subnet}});
    [
        bridge("four", four("10.64.0.0/24"), json!({"masquerade": true})),
        bridge("dual", json!({"v4": {"subnet": "10.64.1.0/24"}, "v6": {"family": 6}}), json!({"inter_sandbox": true})),
        bridge("isolated", four("10.64.2.0/24"), json!({"gateway_mode4": "isolated"})),
        bridge(
            "two",
            json!({"a": {"subnet": "10.64.3.0/29"}, "b": {"subnet": "10.64.4.0/24"}}),
            json!({"isolation": false}),
        ),
        bridge(
            "routed",
            json!({"v4": {"subnet": "10.64.5.0/24"}, "v6": {"subnet": "fd00:64:5::/64"}}),
            json!({"gateway_mode4": "routed", "gateway_mode6": "routed"}),
        ),
        netloom_tests::host::macvlan("lan", "10.64.6.0/24"),
        json!({"name": "inside", "driver": "bridge", "internal": true, "pools": four("10.64.7.0/24")}),
    ]
}

/// Makes writes that should be accepted, one after another.
#[derive(Debug)]
pub(super) struct Writer {
    /// Ports that were asked for: none is asked for twice.
    ports: u64,
    /// Subnets that were asked for, likewise.
    subnets: u64,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { ports: 0, subnets: 0 }
    }

    /// A kind of write, and the write; nothing where the kind has nothing to do it to.
    pub(super) fn next(&mut self, model: &Model, dice: &mut Dice) -> Option<(&'static str, Write)> {
        let sandboxes: Vec<&String> = model.sandboxes.keys().collect();
        let networks: Vec<&String> = model.networks.keys().collect();
        let of_sandbox = |name: &str, body: Value| Write::new("PATCH", format!("sandboxes/{name}"), body);
        Some(match dice.below(20) {
            0..=4 => ("create", self.create(model, dice)?),
            5 | 6 => {
                let name = dice.one_of(&sandboxes)?;
                let on = networks_of(model, name);
                let others: Vec<&&String> = networks.iter().filter(|network| !on.contains(network)).collect();
                let network = dice.one_of(&others)?;
                ("attach", of_sandbox(name, json!({"networks": {(network.as_str()): self.attachment(network, dice)}})))
            }
            7 | 8 => {
                let name = dice.one_of(&sandboxes)?;
                let network = dice.one_of(&networks_of(model, name)).copied()?;
                ("detach", of_sandbox(name, json!({"networks": {(network.as_str()): null}})))
            }
            9..=11 => {
                let name = dice.one_of(&sandboxes)?;
                let network = dice.one_of(&networks_of(model, name)).copied()?;
                let mut attachment = self.attachment(network, dice);
                if dice.once_in(3) {
                    let had = model.sandboxes[*name]["networks"][network]["ports"].as_object();
                    for key in had.into_iter().flat_map(|ports| ports.keys()) {
                        attachment["ports"][key] = Value::Null;
                    }
                }
                ("change", of_sandbox(name, json!({"networks": {(network.as_str()): attachment}})))
            }
            12 | 13 => {
                let name = dice.one_of(&sandboxes)?;
                let stopped = model.sandboxes[*name]["desired_state"] == "stopped";
                let (kind, next) = if stopped { ("start", "running") } else { ("stop", "stopped") };
                (kind, of_sandbox(name, json!({"desired_state": next})))
            }
            14 | 15 => ("remove", Write::new("DELETE", format!("sandboxes/{}", dice.one_of(&sandboxes)?), Value::Null)),
            16 => ("edit", self.edit(model, dice.one_of(&networks)?, dice)),
            17 => {
                let name = dice.one_of(&networks)?;
                ("cascade", Write::new("DELETE", format!("networks/{name}?cascade=endpoints"), Value::Null))
            }
            _ => {
                let missing = self::networks().into_iter().filter(|one| !model.networks.contains_key(name_of(one)));
                let missing: Vec<Value> = missing.collect();
                ("network", Write::new("POST", "networks".to_owned(), dice.one_of(&missing)?.clone()))
            }
        })
    }

    /// A sandbox on up to three networks; nothing where all names are taken.
    pub(super) fn create(&mut self, model: &Model, dice: &mut Dice) -> Option<Write> {
        let free = (0..SANDBOXES).map(|number| format!("s{number}")).filter(|name| !model.sandboxes.contains_key(name));
        let free: Vec<String> = free.collect();
        let mut body = json!({"name": dice.one_of(&free)?, "networks": {}});
        let networks: Vec<&String> = model.networks.keys().collect();
        for _ in 0..dice.below(4) {
            let network = dice.one_of(&networks)?;
            body["networks"][*network] = self.attachment(network, dice);
        }
        if dice.once_in(5) {
            body["desired_state"] = json!("stopped");
        }
        Some(Write::new("POST", "sandboxes".to_owned(), body))
    }

    /// How a sandbox is on a network: with aliases or without, with ports where a network has them.
    fn attachment(&mut self, network: &str, dice: &mut Dice) -> Value {
        let mut attachment = json!({});
        if dice.once_in(2) {
            let first = usize::try_from(dice.below(3)).unwrap();
            attachment["aliases"] = json!(ALIASES[first..=first + usize::from(dice.once_in(2))]);
        }
        let publishes = !matches!(network, "isolated" | "inside" | "lan");
        for _ in 0..if publishes { dice.below(3) } else { 0 } {
            let number = self.number();
            let mut port =
                json!({"target": 10_000 + number * 10, "protocol": if dice.once_in(2) { "tcp" } else { "udp" }});
            let addresses: &[&str] = match network {
                "routed" => &["0.0.0.0", "::"],
                "dual" => &["0.0.0.0", "::", "127.0.0.1", "203.0.113.1"],
                _ => &["0.0.0.0", "127.0.0.1", "203.0.113.1"],
            };
            port["host_address"] = json!(dice.one_of(addresses));
            if network != "routed" && !dice.once_in(4) {
                port["published"] = json!(10_000 + number * 10);
            }
            if dice.once_in(2) {
                port["count"] = json!(2 + dice.below(9));
            }
            attachment["ports"][format!("p{number}")] = port;
        }
        attachment
    }

    /// A change of a network: what people read, one pool more, or a switch.
    fn edit(&mut self, model: &Model, name: &str, dice: &mut Dice) -> Write {
        let (network, number) = (&model.networks[name], self.number());
        let pools = network["pools"].as_object().map_or(0, |pools| pools.len());
        let body = match dice.below(3) {
            0 if network["driver"] == "bridge" => {
                json!({"bridge": {"inter_sandbox": network["bridge"]["inter_sandbox"] == false}})
            }
            1 if pools < POOLS => {
                self.subnets += 1;
                let number = self.subnets;
                let subnet =
                    if dice.once_in(3) { format!("fd00:65:{number:x}::/64") } else { format!("10.65.{number}.0/24") };
                json!({"pools": {format!("more{number}"): {"subnet": subnet}}})
            }
            _ => json!({"labels": {"turn": number.to_string()}}),
        };
        Write::new("PATCH", format!("networks/{name}"), body)
    }

    fn number(&mut self) -> u64 {
        self.ports += 1;
        self.ports
    }
}

fn name_of(network: &Value) -> &str {
    network["name"].as_str().expect("a name")
}

fn networks_of<'a>(model: &'a Model, sandbox: &str) -> Vec<&'a String> {
    model.sandboxes[sandbox]["networks"].as_object().expect("networks").keys().collect()
}
