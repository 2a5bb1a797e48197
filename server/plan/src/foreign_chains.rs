//! Firewalls of others on the same host, as far as they decide about what our table accepted: their chains at the forward hook, and
//! the one rule that Netloom keeps among Docker's.
//!
//! Values, and how a chain is read. What must not live here: what is wanted beside them (`compile::coexist`), and netlink.

mod words;

use std::collections::BTreeSet;

use netloom_nftables::reading::{self, Effect, LinkName};
use netloom_nftables::{Comment, Family, Rule, TableId};

use crate::compile::{FORWARD_PRIORITY, PASSES};

/// The chain in which Docker leaves room for rules of others, before its own.
pub const DOCKER_USER: &str = "DOCKER-USER";
/// The chain of `iptables` from which Docker's hang.
pub const FORWARD: &str = "FORWARD";
/// The comment that marks the rule as ours.
const COMMENT: &str = "netloom";
/// How deep chains lead into each other: the kernel's limit (NFT_JUMP_STACK_SIZE).
const DEEPEST: usize = 16;

/// Our rule in the chain DOCKER-USER: one for each family, the same for all networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassRule {
    /// IPv4 or IPv6: the table is `ip filter` or `ip6 filter`.
    pub family: Family,
    /// How often it is there.
    pub copies: usize,
    /// Whether packets get to it: nothing before it leads all of them past.
    pub reached: bool,
}

impl PassRule {
    /// As it should be.
    pub fn wanted(family: Family) -> Self {
        Self { family, copies: 1, reached: true }
    }

    /// What of it is among the rules of the chain; nothing where it is not.
    pub fn found(family: Family, rules: &[Rule]) -> Option<Self> {
        let first = rules.iter().position(is_pass_rule)?;
        // What drops all of it was put there by somebody who wants that.
        let leads_past = |rule: &Rule| matches!(reading::effect(rule, PASSES), Effect::Returns | Effect::Goes(_));
        let copies = rules.iter().filter(|rule| is_pass_rule(rule)).count();
        Some(Self { family, copies, reached: !rules[..first].iter().any(leads_past) })
    }

    /// The rule: `meta mark and 0x40000 == 0x40000 counter accept`. Nothing in it that `iptables` could not list.
    pub fn rule() -> Rule {
        let rule = Rule::new().mark(PASSES, PASSES).counter().accept();
        match Comment::new(COMMENT) {
            Ok(comment) => rule.comment(comment),
            Err(_) => rule,
        }
    }
}

/// The table in which Docker keeps its rules of a family, as `iptables` makes it.
pub fn docker_table(family: Family) -> TableId {
    TableId::new(family, "filter")
}

/// Whether a rule is ours: by its comment, and by what it does. `iptables-restore` writes the comment in another way.
pub fn is_pass_rule(rule: &Rule) -> bool {
    reading::comment(rule).as_deref() == Some(COMMENT) && reading::does_the_same(rule, &PassRule::rule())
}

/// A chain of somebody else's at the forward hook that drops what it does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardChain {
    /// Its table.
    pub table: TableId,
    /// Its name.
    pub name: String,
    /// Its place in the order of chains.
    pub priority: i32,
    /// Whether it drops by its policy; else by a rule at its end.
    pub by_policy: bool,
    /// Whether what our table lets pass gets through it.
    pub lets_pass: bool,
    /// What set it up, as far as its looks tell.
    pub made_by: MadeBy,
    /// Links that rules of its table are about: whoever wrote those knows of them.
    pub links: BTreeSet<LinkName>,
}

/// What set up a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    /// `iptables`, with the chain that Docker leaves to others.
    Docker,
    /// `ufw`.
    Ufw,
    /// `iptables`, by hand or by something else.
    Iptables,
    /// `firewalld`.
    Firewalld,
    /// Anything else.
    Nftables,
}

impl ForwardChain {
    /// Whether it sees packets before our table marked what may pass.
    pub fn is_early(&self) -> bool {
        is_early(self.priority)
    }
}

/// What of others' firewalls was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignChains {
    /// Their chains that drop what they don't know.
    pub forward: Vec<ForwardChain>,
    /// Families in which Docker's chain for others stands beside a chain FORWARD that drops, in a table that anybody may change.
    pub docker: BTreeSet<Family>,
}

/// Where a packet that our table lets pass, and of which nothing else is known, ends in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A rule accepts it.
    Accepted,
    /// A rule drops it.
    Dropped,
    /// No rule decides.
    Undecided,
}

/// Follows a packet through a chain and those that it leads into, of which `rules` answers the rules; notes their names in `passed`.
///
/// # Errors
/// The first of `rules`.
pub fn fate<E>(
    chain: &str,
    priority: i32,
    rules: &mut dyn FnMut(&str) -> Result<Vec<Rule>, E>,
    passed: &mut BTreeSet<String>,
) -> Result<Fate, E> {
    let mark = if is_early(priority) { 0 } else { PASSES };
    follow(chain, mark, DEEPEST, rules, passed)
}

fn follow<E>(
    chain: &str,
    mark: u32,
    deeper: usize,
    rules: &mut dyn FnMut(&str) -> Result<Vec<Rule>, E>,
    passed: &mut BTreeSet<String>,
) -> Result<Fate, E> {
    passed.insert(chain.to_owned());
    let Some(deeper) = deeper.checked_sub(1) else { return Ok(Fate::Undecided) };
    for rule in rules(chain)? {
        match reading::effect(&rule, mark) {
            Effect::Continues => {}
            Effect::Accepts => return Ok(Fate::Accepted),
            Effect::Drops => return Ok(Fate::Dropped),
            Effect::Returns => return Ok(Fate::Undecided),
            Effect::Goes(next) => return follow(&next, mark, deeper, rules, passed),
            Effect::Jumps(next) => match follow(&next, mark, deeper, rules, passed)? {
                Fate::Undecided => {}
                decided => return Ok(decided),
            },
        }
    }
    Ok(Fate::Undecided)
}

/// Chains of one priority go in the order in which they were made: that of ours may be the later one.
fn is_early(priority: i32) -> bool {
    priority <= FORWARD_PRIORITY
}

/// What set up a chain, by its name, its table and the chains that it leads into.
pub fn made_by(table: &TableId, chain: &str, leads_into: &BTreeSet<String>) -> MadeBy {
    let of_iptables = [Family::IPV4, Family::IPV6].map(docker_table).contains(table) && chain == FORWARD;
    match table.name.as_str() {
        "firewalld" => MadeBy::Firewalld,
        _ if leads_into.iter().any(|name| name.starts_with("ufw-") || name.starts_with("ufw6-")) => MadeBy::Ufw,
        _ if of_iptables && leads_into.contains(DOCKER_USER) => MadeBy::Docker,
        _ if of_iptables => MadeBy::Iptables,
        _ => MadeBy::Nftables,
    }
}

#[cfg(test)]
mod tests;
