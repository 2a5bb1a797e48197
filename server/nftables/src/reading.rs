//! What a rule of somebody else's does to a packet that carries a mark and of which nothing else is known: only as much of rules
//! is understood as that takes.
//!
//! Written by `nft` or by `iptables`, which keeps a few of its matches in shells of its own. What must not live here: which chains
//! matter, and what is done about them.

use std::collections::BTreeMap;

use crate::attribute::{attributes, find, find_text, find_u32, text};
use crate::rule::Rule;
use crate::value::{Verdict, value_in, verdict_in};

const NAME: u16 = 1;
const DATA: u16 = 2;
/// NFT_REG_VERDICT.
const VERDICT: u32 = 0;
/// NFT_META_MARK, NFT_META_IIFNAME, NFT_META_OIFNAME.
const META_MARK: u32 = 3;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
/// NFT_CMP_EQ, NFT_CMP_NEQ.
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;

/// What becomes of such a packet at a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It goes to the next rule, or may do so: that depends on more than the mark.
    Continues,
    /// It is accepted.
    Accepts,
    /// It is dropped, with or without an answer.
    Drops,
    /// It goes back to where the chain was jumped to from.
    Returns,
    /// It goes through a chain and comes back.
    Jumps(String),
    /// It goes through a chain, and on as if from the end of this one.
    Goes(String),
}

/// A link by name, or by what its name begins with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkName {
    /// The whole name.
    Exact(String),
    /// The beginning: `nl-*`.
    Prefix(String),
}

impl LinkName {
    /// Whether a link's name is meant.
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }

    /// From what a rule compares a register with: a name that is compared to its end has a NUL there.
    fn of(bytes: &[u8]) -> Self {
        if bytes.contains(&0) { Self::Exact(text(bytes)) } else { Self::Prefix(text(bytes)) }
    }
}

/// What a rule does to a packet whose mark is just this.
pub fn effect(rule: &Rule, mark: u32) -> Effect {
    let mut registers = BTreeMap::new();
    for (name, data) in expressions(rule) {
        match name.as_str() {
            "meta" | "bitwise" => match load(&name, data, mark, &registers) {
                Some((register, value)) => {
                    registers.insert(register, value);
                }
                None if is_setting(&name, data) => {}
                None => return Effect::Continues,
            },
            "cmp" if holds(data, &registers) == Some(true) => {}
            "immediate" if find_u32(data, 1) == Some(VERDICT) => {
                let verdict = find(data, 2).and_then(verdict_in).and_then(Result::ok);
                return verdict.map_or(Effect::Continues, of_verdict);
            }
            "reject" => return Effect::Drops,
            "target" if find_text(data, 1).as_deref() == Some("REJECT") => return Effect::Drops,
            "match" if find_text(data, 1).as_deref() == Some("comment") => {}
            "counter" | "log" | "last" => {}
            _ => return Effect::Continues,
        }
    }
    Effect::Continues
}

/// A rule's comment, as `nft` writes it or as `iptables` does.
pub fn comment(rule: &Rule) -> Option<String> {
    if let Some(comment) = &rule.comment {
        return Some(comment.as_str().to_owned());
    }
    let is_comment = |data: &[u8]| find_text(data, 1).as_deref() == Some("comment");
    expressions(rule).find(|(name, data)| name == "match" && is_comment(data)).and_then(|(_, data)| find_text(data, 3))
}

/// Whether a rule does just what another does, apart from comments.
pub fn does_the_same(rule: &Rule, other: &Rule) -> bool {
    let without_comments = |rule: &Rule| {
        let others = expressions(rule).filter(|(name, _)| name != "match").map(|(name, data)| (name, data.to_vec()));
        others.collect::<Vec<_>>()
    };
    let only_comments = |rule: &Rule| {
        expressions(rule).all(|(name, data)| name != "match" || find_text(data, 1).as_deref() == Some("comment"))
    };
    only_comments(rule) && only_comments(other) && without_comments(rule) == without_comments(other)
}

/// The links that a rule compares the one with by which a packet came in or leaves. Those in sets are not looked up.
pub fn links(rule: &Rule) -> Vec<LinkName> {
    let (mut loaded, mut found) = (None, Vec::new());
    for (name, data) in expressions(rule) {
        match name.as_str() {
            "meta" => {
                let of_link = matches!(find_u32(data, 2), Some(META_IIFNAME | META_OIFNAME));
                loaded = find_u32(data, 1).filter(|_| of_link);
            }
            "cmp" if loaded.is_some() && find_u32(data, 1) == loaded && find_u32(data, 2) == Some(EQUAL) => {
                let value = find(data, 3).and_then(value_in);
                found.extend(value.map(|value| LinkName::of(value.as_bytes())));
            }
            _ => {}
        }
    }
    found
}

fn expressions(rule: &Rule) -> impl Iterator<Item = (String, &[u8])> {
    attributes(rule.expressions.as_bytes())
        .map(|(_, element)| (find_text(element, NAME).unwrap_or_default(), find(element, DATA).unwrap_or_default()))
}

/// What an expression puts into a register, of what follows from the mark.
fn load(name: &str, data: &[u8], mark: u32, registers: &BTreeMap<u32, u32>) -> Option<(u32, u32)> {
    if name == "meta" {
        let register = find_u32(data, 1)?;
        return (find_u32(data, 2) == Some(META_MARK)).then_some((register, mark));
    }
    // NFT_BITWISE_MASK_XOR: `(source & mask) ^ xor`.
    let is_masking = find_u32(data, 6).unwrap_or(0) == 0;
    let source = registers.get(&find_u32(data, 1)?).filter(|_| is_masking)?;
    let (mask, xor) = (number(data, 4)?, number(data, 5)?);
    Some((find_u32(data, 2)?, (source & mask) ^ xor))
}

/// Whether an expression writes something of the packet, and so lets it go on.
fn is_setting(name: &str, data: &[u8]) -> bool {
    name == "meta" && find_u32(data, 3).is_some()
}

/// Whether a comparison holds, where that follows from the mark.
fn holds(data: &[u8], registers: &BTreeMap<u32, u32>) -> Option<bool> {
    let value = registers.get(&find_u32(data, 1)?)?;
    let with = number(data, 3)?;
    match find_u32(data, 2)? {
        EQUAL => Some(*value == with),
        NOT_EQUAL => Some(*value != with),
        _ => None,
    }
}

/// A mark in an attribute, in the host's byte order as registers have it.
fn number(data: &[u8], kind: u16) -> Option<u32> {
    let value = value_in(find(data, kind)?)?;
    Some(u32::from_ne_bytes(value.as_bytes().try_into().ok()?))
}

fn of_verdict(verdict: Verdict) -> Effect {
    match verdict {
        Verdict::Accept => Effect::Accepts,
        Verdict::Drop => Effect::Drops,
        Verdict::Return => Effect::Returns,
        Verdict::Jump(chain) => Effect::Jumps(chain),
        Verdict::Goto(chain) => Effect::Goes(chain),
        _ => Effect::Continues,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Expressions;
    use crate::expression::Reject;

    const BIT: u32 = 0x4_0000;

    #[test]
    fn a_rule_that_accepts_the_mark_is_known_in_whatever_way_it_asks_for_it() {
        let unequal = Expressions::new()
            .meta(crate::expression::Meta::Mark, crate::expression::Register::FIRST)
            .bitwise(crate::expression::Register::FIRST, &BIT.to_ne_bytes(), &[0; 4])
            .cmp(crate::expression::Register::FIRST, crate::expression::Compare::Neq, &[0; 4]);
        for rule in [
            Rule::new().mark(BIT, BIT).counter().accept(),
            Rule::new().mark(BIT, u32::MAX).accept(),
            Rule::new().counter().accept(),
            Rule::new().with(|_| unequal).accept(),
        ] {
            assert_eq!(effect(&rule, BIT), Effect::Accepts, "{rule:?}");
        }
        for rule in [
            Rule::new().mark(BIT, BIT).counter(),
            Rule::new().mark(0x1, 0x1).accept(),
            Rule::new().mark(BIT, BIT).iifname("eth0").accept(),
            Rule::new().iifname("eth0").mark(BIT, BIT).accept(),
            Rule::new().ct_state_established().accept(),
            Rule::new().set_mark(BIT, BIT),
        ] {
            assert_eq!(effect(&rule, BIT), Effect::Continues, "{rule:?}");
        }
        assert_eq!(effect(&Rule::new().mark(BIT, BIT).accept(), 0), Effect::Continues, "without the mark");
    }

    #[test]
    fn what_ends_a_chain_and_what_leads_on_is_known() {
        assert_eq!(effect(&Rule::new().counter().drop(), BIT), Effect::Drops);
        assert_eq!(effect(&Rule::new().reject(Reject::AdminProhibited), BIT), Effect::Drops);
        assert_eq!(effect(&Rule::new().back(), BIT), Effect::Returns);
        assert_eq!(effect(&Rule::new().counter().jump("next"), BIT), Effect::Jumps("next".to_owned()));
        assert_eq!(effect(&Rule::new().goto("next"), BIT), Effect::Goes("next".to_owned()));
        assert_eq!(effect(&Rule::new().oifname("eth0").drop(), BIT), Effect::Continues);
    }

    #[test]
    fn the_links_that_a_rule_names_are_found_but_not_those_it_excludes() {
        let rule = Rule::new().iifname("br0").oifname_not("br1").accept();
        assert_eq!(links(&rule), [LinkName::Exact("br0".to_owned())]);
        let prefix = LinkName::of(b"nl-");
        assert!(prefix.covers("nl-0abc") && !prefix.covers("docker0"));
        assert!(!LinkName::of(b"nl-\0").covers("nl-0abc"));
    }
}
