//! What bridge networks want of others' firewalls on the same host: one rule where Docker leaves room for it, and a word to the
//! user where another chain is in the way (docs/adr/0019).
//!
//! Both follow from what is seen there, not from the host's facts, so that they are never older than the look they are compared with.

use netloom_model::assignment::AssignedNetwork;
use netloom_model::condition::{self, Condition};
use netloom_model::net;
use netloom_nftables::Family;

use super::{Compiled, Gates, bridge};
use crate::describe;
use crate::foreign_chains::{ForwardChain, PassRule};
use crate::object::{AssignedKey, Key, Object, Observed, Place};

/// Whether frames within a bridge pass the chains for forwarded IPv4 and IPv6, too. Never changed by Netloom.
const BRIDGED: [&str; 2] = ["net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"];

/// Whether they do, IPv4 and IPv6.
pub(super) type Bridged = [bool; 2];

/// A bridge network in use, as far as others' chains concern it.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Name of its bridge.
    bridge: String,
    /// Whether it has pools of IPv4, and of IPv6.
    has: [bool; 2],
    /// Whether packets of these pass to other links.
    has_way_out: [bool; 2],
}

/// Has what stands beside a network looked at.
pub(super) fn network(compiled: &mut Compiled, network: &AssignedNetwork, gates: &Gates) {
    let Some((_, bridge)) = bridge::managed(network) else { return };
    let owner = AssignedKey::Network(network.id);
    let uses = network.in_use && !network.deleting;
    for family in [Family::IPV4, Family::IPV6] {
        // It is for all networks: one that stays has it rather than one that goes.
        let key = Key::PassRule(family);
        if uses || !compiled.owners.contains_key(&key) {
            compiled.owners.insert(key, owner);
        }
    }
    if !uses {
        return;
    }
    compiled.hands_off |= gates.hands_off;
    compiled.ask_for(Place::Host, BRIDGED.map(str::to_owned).iter());
    let versions = [net::Family::V4, net::Family::V6];
    let has_way_out = versions.map(|family| network.has_way_out(family));
    let beside = Beside { bridge, has: versions.map(|family| network.has(family)), has_way_out };
    compiled.beside.insert(network.id, beside);
}

impl Compiled {
    /// Wants our rule wherever Docker's chains stand, as they were seen.
    pub(super) fn settle_beside(&mut self, observed: &Observed) {
        self.desired.retain(|key, _| !matches!(key, Key::PassRule(_)));
        if self.hands_off || self.beside.is_empty() {
            return;
        }
        for family in &observed.foreign_chains.docker {
            let rule = Object::PassRule(PassRule::wanted(*family));
            self.desired.insert(rule.key(), rule);
        }
    }
}

/// Whether the host has bridged frames filtered.
pub(super) fn bridged(observed: &Observed) -> Bridged {
    BRIDGED.map(|path| {
        let found = observed.ours.get(&Key::Sysctl(Place::Host, path.to_owned()));
        matches!(found, Some(Object::Sysctl(setting)) if setting.value.trim() == "1")
    })
}

/// That it has these filtered, in words; nothing where it is none.
pub(super) fn said(versions: Bridged) -> Option<String> {
    let settings = BRIDGED.iter().zip(versions).filter(|(_, on)| *on);
    let words: Vec<String> = settings.map(|(path, _)| format!("{} is 1", describe::dotted(path))).collect();
    (!words.is_empty()).then(|| joined(words))
}

/// The command that ends it.
pub(super) fn turned_off(versions: Bridged) -> String {
    let settings = BRIDGED.iter().zip(versions).filter(|(_, on)| *on);
    let words: Vec<String> = settings.map(|(path, _)| format!("{}=0", describe::dotted(path))).collect();
    format!("`sysctl -w {}`", words.join(" "))
}

/// What others' chains do to networks.
pub(super) fn conditions(compiled: &Compiled, observed: &Observed, bridged: Bridged) -> Vec<(AssignedKey, Condition)> {
    let of_network = |(id, beside): (&_, &Beside)| {
        let chains: Vec<&ForwardChain> =
            observed.foreign_chains.forward.iter().filter(|chain| beside.is_hindered_by(chain, bridged)).collect();
        (!chains.is_empty()).then(|| (AssignedKey::Network(*id), beside.blocked(&chains, bridged)))
    };
    compiled.beside.iter().filter_map(of_network).collect()
}

impl Beside {
    fn is_hindered_by(&self, chain: &ForwardChain, bridged: Bridged) -> bool {
        let passes = |version: usize| {
            self.has[version] && sees(chain)[version] && (self.has_way_out[version] || bridged[version])
        };
        let known = chain.links.iter().any(|name| name.covers(&self.bridge));
        !chain.lets_pass && !known && (passes(0) || passes(1))
    }

    /// The condition for chains that are in its way.
    fn blocked(&self, chains: &[&ForwardChain], bridged: Bridged) -> Condition {
        let is_seen = |version: usize| chains.iter().any(|chain| sees(chain)[version]);
        let among_themselves = said([0, 1].map(|version| self.has[version] && bridged[version] && is_seen(version)));
        let goes_out = (0..2).any(|version| self.has_way_out[version] && is_seen(version));
        let reason = if among_themselves.is_none() { "ForeignChain" } else { condition::FOREIGN_CHAIN_BRIDGED };
        let beyond = "sandboxes on this network don't reach what is beyond the host";
        let reach = match among_themselves {
            None => beyond.to_owned(),
            Some(bridged) if goes_out => format!("{beyond}, nor each other ({bridged})"),
            Some(bridged) => format!("sandboxes on this network don't reach each other ({bridged})"),
        };
        let titles = joined(chains.iter().map(|chain| chain.title()));
        let remedies = chains.iter().map(|chain| chain.remedy(&self.bridge)).collect::<Vec<_>>().join("; ");
        let verb = if chains.len() == 1 { "keeps" } else { "keep" };
        let message = format!("{titles} {verb} back what Netloom lets pass: {reach}; {remedies}");
        Condition::new(condition::FIREWALL_BLOCKED, reason, message)
    }
}

/// Whether a chain sees IPv4, and IPv6.
fn sees(chain: &ForwardChain) -> [bool; 2] {
    [chain.table.family != Family::IPV6, chain.table.family != Family::IPV4]
}

fn joined(list: impl IntoIterator<Item = String>) -> String {
    list.into_iter().collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
pub(super) mod tests;
