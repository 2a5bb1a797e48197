//! Marks of links: which of our two one carries, and which link is still ours although somebody took one of them away.
//!
//! What must not live here: reading and setting them (the kernel crate).

use std::collections::BTreeSet;

use crate::compile::Compiled;
use crate::object::{Key, Link, LinkKind, Object, Observed};

/// Our marks on a link: its group, and the alias with its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Marks {
    /// Neither.
    None,
    /// The group alone, beside an alias of somebody else's.
    Group,
    /// The alias alone.
    Alias,
    /// All that it should have: then it is ours. Also one that was left half-made, with our group and no alias yet, and any loopback.
    #[default]
    Whole,
}

/// Links that count as foreign, because they lack one of our marks, but are those that are wanted: name, kind and Ethernet address are the same,
/// and so is the mark that is left. They get the other one back.
pub(crate) fn to_be_restored(wanted: &Compiled, observed: &Observed) -> BTreeSet<Key> {
    let lost_one = |(key, found): &(&Key, &Object)| match (wanted.desired.get(key), found) {
        (Some(Object::Link(want)), Object::Link(found)) => {
            let left = found.marks == Marks::Group || (found.marks == Marks::Alias && found.owner == want.owner);
            left && is_alike(want, found)
        }
        _ => false,
    };
    observed.foreign.iter().filter(lost_one).map(|(key, _)| key.clone()).collect()
}

/// Whether a link without any mark looks like the one that is wanted. That is no proof, so that it is left alone.
pub(crate) fn has_lost_both(want: &Link, found: &Link) -> bool {
    found.marks == Marks::None && is_alike(want, found)
}

/// Whether two links have the same kind and Ethernet address. To what a link of another's is joined is not looked into.
fn is_alike(want: &Link, found: &Link) -> bool {
    let same_kind = match (&want.kind, &found.kind) {
        (LinkKind::Macvlan { mode: want, .. }, LinkKind::Macvlan { mode: found, .. }) => want == found,
        (LinkKind::Veth { port: want, .. }, LinkKind::Veth { port: found, .. }) => want == found,
        (LinkKind::Vxlan { tunnel: want, .. }, LinkKind::Vxlan { tunnel: found, .. }) => want == found,
        (LinkKind::Bridge { .. }, LinkKind::Bridge { .. }) => true,
        (LinkKind::OverlayBridge { .. }, LinkKind::OverlayBridge { .. }) => true,
        (want, found) => want == found,
    };
    same_kind && want.mac.is_some() && want.mac == found.mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff;
    use crate::object::{AssignedKey, Operation, Place};
    use netloom_model::{MacAddr, NetworkId};

    fn bridge() -> Link {
        Link {
            place: Place::Host,
            name: "br-web".to_owned(),
            kind: LinkKind::Bridge { spanning_tree: false },
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            mtu: Some(1500),
            up: true,
            arp: true,
            owner: "net_a".to_owned(),
            marks: Marks::Whole,
        }
    }

    #[test]
    fn a_link_that_lost_one_mark_gets_it_back_and_any_other_is_left_alone() {
        let want = bridge();
        let found = |marks, owner: &str| Link { marks, owner: owner.to_owned(), ..bridge() };
        let wanted = {
            let mut wanted = Compiled::default();
            let key = Object::Link(want.clone()).key();
            wanted.owners.insert(key.clone(), AssignedKey::Network(NetworkId::from_random([1; 16])));
            wanted.desired.insert(key, Object::Link(want.clone()));
            wanted.look_everywhere();
            wanted
        };
        for (found, is_restored) in [
            (found(Marks::Alias, "net_a"), true),
            (found(Marks::Group, ""), true),
            (found(Marks::Alias, "net_b"), false),
            (found(Marks::None, ""), false),
            (Link { mac: Some(MacAddr([2, 0, 0, 0, 0, 2])), ..found(Marks::Group, "") }, false),
            (Link { kind: LinkKind::Other("dummy".to_owned()), ..found(Marks::Group, "") }, false),
        ] {
            let key = Object::Link(found.clone()).key();
            let observed = Observed { foreign: [(key, Object::Link(found.clone()))].into(), ..Observed::default() };
            let comparison = diff(&wanted, &observed);
            let change = Operation::Change { from: Object::Link(found.clone()), to: Object::Link(want.clone()) };
            let operations = if is_restored { vec![change] } else { Vec::new() };
            assert_eq!(
                (comparison.operations.clone(), comparison.conflicts.is_empty()),
                (operations, is_restored),
                "{found:?}"
            );
            let said = comparison.refusals(&wanted).into_values().next().map(|refusal| refusal.message);
            let both_gone = said.is_some_and(|said| said.contains("neither Netloom's group nor its alias"));
            assert_eq!(both_gone, found.marks == Marks::None, "{found:?}");
        }
    }
}
