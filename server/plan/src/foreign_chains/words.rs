//! Others' chains in words: what they are called, and the command that has them let pass what Netloom lets pass.

use netloom_nftables::Family;

use super::{DOCKER_USER, FORWARD, ForwardChain, MadeBy};
use crate::compile::PASSES;

impl ForwardChain {
    /// The chain, with all that tells it from others, and how it drops.
    pub fn title(&self) -> String {
        let Self { table, name, priority, .. } = self;
        let how = if self.by_policy { "policy drop" } else { "a rule at its end drops" };
        format!("chain {name} of table {table} (family {}, hook forward, priority {priority}, {how})", table.family)
    }

    /// What helps, for the network with this bridge.
    pub fn remedy(&self, bridge: &str) -> String {
        let Self { table, name, .. } = self;
        if self.made_by == MadeBy::Firewalld {
            return format!(
                "`firewall-cmd --permanent --zone=trusted --add-interface={bridge}` and `firewall-cmd --reload` help"
            );
        }
        if self.is_early() {
            return format!(
                "it is passed before Netloom's own chain, so rules by the bridge's name help: `nft insert rule {table} {name} iifname \
                 {bridge} accept` and `nft insert rule {table} {name} oifname {bridge} accept`"
            );
        }
        match self.made_by {
            MadeBy::Docker => format!("`{}` helps", self.insert(DOCKER_USER)),
            MadeBy::Iptables => format!("`{}` helps", self.insert(FORWARD)),
            MadeBy::Ufw => self.remedy_of_ufw(),
            MadeBy::Nftables | MadeBy::Firewalld => {
                format!("`nft insert rule {table} {name} meta mark and {PASSES:#x} == {PASSES:#x} accept` helps")
            }
        }
    }

    /// Its chains are written anew from files whenever it is loaded.
    fn remedy_of_ufw(&self) -> String {
        let (file, chain) = match self.table.family {
            Family::IPV6 => ("before6.rules", "ufw6-before-forward"),
            _ => ("before.rules", "ufw-before-forward"),
        };
        format!(
            "the line `-A {chain} -m mark --mark {PASSES:#x}/{PASSES:#x} -j ACCEPT` in /etc/ufw/{file}, before its COMMIT, and `ufw \
             reload` help; `{}` does until ufw is loaded again",
            self.insert(FORWARD)
        )
    }

    fn insert(&self, chain: &str) -> String {
        let program = if self.table.family == Family::IPV6 { "ip6tables" } else { "iptables" };
        format!("{program} -I {chain} -m mark --mark {PASSES:#x}/{PASSES:#x} -j ACCEPT")
    }
}
