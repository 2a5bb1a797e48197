//! What must happen to one found object so that it becomes the wanted one: nothing, a change in place, or to be made anew.
//!
//! What must not live here: what happens to other objects by that.

use crate::firewall::Part;
use crate::object::{Link, LinkKind, Object, Place};
use crate::overlay::Way;

/// What must happen to a found object so that it becomes a wanted one.
pub(super) enum Verdict {
    Same,
    InPlace,
    Remake,
}

/// A port, by name and owner.
pub(super) type Port<'a> = (&'a str, &'a str);

/// A pair's end in a sandbox, by place and name.
pub(super) type End<'a> = (Place, &'a str);

/// The port, by name and owner, that a pair's end in a sandbox has on the host or in the overlay namespace; and that end.
pub(super) fn other_end(object: &Object) -> Option<(Port<'_>, End<'_>)> {
    match object {
        Object::Link(Link { kind: LinkKind::Veth { port, .. }, owner, place, name, .. }) => {
            Some(((port, owner), (*place, name)))
        }
        _ => None,
    }
}

pub(super) fn is_removable_link(object: &Object) -> bool {
    matches!(object, Object::Link(link) if link.kind != LinkKind::Loopback)
}

/// What must happen to `found` so that it becomes `want`; both have the same key.
pub(super) fn verdict(want: &Object, found: &Object) -> Verdict {
    let in_place = |same: bool| if same { Verdict::Same } else { Verdict::InPlace };
    match (want, found) {
        (Object::Namespace(_), Object::Namespace(_)) | (Object::OverlayNamespace, Object::OverlayNamespace) => {
            Verdict::Same
        }
        (Object::Sysctl(want), Object::Sysctl(found)) => in_place(want.value.trim() == found.value.trim()),
        (Object::Link(want), Object::Link(found)) => match want.kind {
            LinkKind::Loopback => in_place(want.up == found.up),
            _ if want.marks != found.marks => Verdict::InPlace,
            _ if !is_same_making(want, found) => Verdict::Remake,
            _ => {
                let same_mtu = want.mtu.is_none() || want.mtu == found.mtu;
                let same_flags = want.up == found.up && want.arp == found.arp;
                in_place(same_flags && same_mtu && is_same_port(want, found))
            }
        },
        (Object::Address(want), Object::Address(found)) if want.prefix_length == found.prefix_length => {
            in_place(want.is_routed == found.is_routed)
        }
        (Object::Route(want), Object::Route(found)) => {
            in_place(want.gateway == found.gateway && want.link == found.link && want.source == found.source)
        }
        // Replaced, and not for a moment gone.
        (Object::Forwarding(want), Object::Forwarding(found)) => match found.way {
            // The kernel replaces one of several.
            Way::Node(None) => Verdict::Remake,
            _ => in_place(want == found),
        },
        (Object::Neighbour(want), Object::Neighbour(found)) => in_place(want == found),
        (Object::PassRule(want), Object::PassRule(found)) => in_place(want == found),
        (Object::Lent(_), Object::Lent(found)) => found.on.map_or(Verdict::Remake, in_place),
        (Object::Firewall(want), Object::Firewall(found)) => match (want, found) {
            (Part::Element(want), Part::Element(found)) if want != found => Verdict::Remake,
            _ => in_place(want == found),
        },
        _ => Verdict::Remake,
    }
}

/// Whether two links agree in what can't change, or must not, after making.
fn is_same_making(want: &Link, found: &Link) -> bool {
    let kind = match (&want.kind, &found.kind) {
        (LinkKind::Macvlan { parent: want, mode: a }, LinkKind::Macvlan { parent: found, mode: b }) => {
            // A parent that can't be resolved from inside the sandbox is not known to differ.
            a == b && (want == found || found.is_empty())
        }
        // To which bridge it belongs, and how, can be changed.
        (LinkKind::Veth { port: want, at: a, .. }, LinkKind::Veth { port: found, at: b, .. }) => {
            want == found && a == b
        }
        (LinkKind::Vxlan { tunnel: want, .. }, LinkKind::Vxlan { tunnel: found, .. }) => want == found,
        (LinkKind::Bridge { .. }, LinkKind::Bridge { .. }) => true,
        (LinkKind::OverlayBridge { .. }, LinkKind::OverlayBridge { .. }) => true,
        (want, found) => want == found,
    };
    kind && (want.mac.is_none() || want.mac == found.mac) && want.owner == found.owner
}

/// Whether what of a link's kind can be changed while it stands is the same.
fn is_same_port(want: &Link, found: &Link) -> bool {
    match want.kind {
        LinkKind::Veth { .. } | LinkKind::Vxlan { .. } => want.kind == found.kind,
        LinkKind::Bridge { .. } | LinkKind::OverlayBridge { .. } => want.kind == found.kind,
        _ => true,
    }
}
