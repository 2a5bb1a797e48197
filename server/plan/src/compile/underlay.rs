//! What keeps strangers out of overlay networks: VXLAN packets for one of them are let in from the nodes that are on it, and from nobody else.
//!
//! In the hook for what is for the host itself, where packets are whole again. Other people's VXLANs have other numbers, and are left alone; what
//! the host itself sends does not come by there. What must not live here: the overlay networks themselves (`compile::overlay`).

use std::net::IpAddr;
use std::sync::LazyLock;

use netloom_model::NetworkId;
use netloom_model::assignment::AssignedOverlay;
use netloom_nftables::expression::Nfproto;
use netloom_nftables::rule::Field;
use netloom_nftables::{Chain, Comment, DataType, Element, Hook, Policy, Rule, Set, Value};

use super::firewall::{INPUT_PRIORITY, chain, commented, element};
use crate::firewall::{Part, UNDERLAY, VNIS, VTEPS};
use crate::object::{Key, Object};

/// UDP, by IANA's number.
const UDP: u8 = 17;

/// What the table holds for all overlay networks.
pub(super) static SHARED: LazyLock<Vec<(Key, Object)>> = LazyLock::new(|| {
    let object = |part: Part| (Key::Firewall(part.key()), Object::Firewall(part));
    shared().into_iter().map(object).collect()
});

fn shared() -> Vec<Part> {
    let stranger = |version, set: &str| {
        let ours = Rule::new().nfproto(version).l4proto(UDP).within(&[Field::Dport, Field::Vni], VNIS);
        let rule = ours.not_within(&[Field::Saddr(version), Field::Vni], set).counter().drop();
        commented(rule, "overlay networks are for their nodes")
    };
    let [vteps4, vteps6] = VTEPS;
    let rules = vec![stranger(Nfproto::Ipv4, vteps4), stranger(Nfproto::Ipv6, vteps6)];
    vec![
        Part::Table,
        Part::Set(Set::new(VNIS, DataType::concatenation(&[DataType::INET_SERVICE, DataType::VNI]))),
        Part::Set(Set::new(vteps4, DataType::concatenation(&[DataType::IPV4_ADDR, DataType::VNI]))),
        Part::Set(Set::new(vteps6, DataType::concatenation(&[DataType::IPV6_ADDR, DataType::VNI]))),
        chain(Chain::filter(UNDERLAY, Hook::INPUT, INPUT_PRIORITY, Policy::Accept), rules),
    ]
}

/// What it holds for one network: its number, and the nodes on it.
pub(super) fn of_network(network: NetworkId, overlay: &AssignedOverlay) -> Vec<Part> {
    let comment = Comment::new(network.to_string()).ok();
    let member = |set: &str, first: Value| {
        let key = Value::concatenation(&[first, Value::vni(overlay.vni)]);
        element(set, Element { comment: comment.clone(), ..Element::new(key) })
    };
    let [vteps4, vteps6] = VTEPS;
    let set_of = |vtep: &IpAddr| if vtep.is_ipv4() { vteps4 } else { vteps6 };
    let mut parts = vec![member(VNIS, Value::inet_service(overlay.data_path_port))];
    parts.extend(overlay.vteps.iter().map(|vtep| member(set_of(vtep), Value::address(*vtep))));
    parts
}
