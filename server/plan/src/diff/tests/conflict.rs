//! A foreign object under a wanted name.

use super::*;

#[test]
fn a_foreign_link_under_our_name_is_reported_with_what_it_is() {
    let id = sandbox_id(1);
    let place = Place::Sandbox(id);
    let mut wanted = Compiled::default();
    wanted.names.insert(id, "macvlan1".to_owned());
    wanted.scope.sandboxes.insert(id, NamespaceSource::Made);
    let link = |kind, owner: &str| {
        Object::Link(Link {
            place,
            name: "eth0".to_owned(),
            kind,
            mac: None,
            mtu: None,
            up: true,
            arp: true,
            owner: owner.to_owned(),
            marks: Marks::Whole,
        })
    };
    let ours = link(LinkKind::Macvlan { parent: "p0".to_owned(), mode: MacvlanMode::Bridge }, "ept");
    wanted.owners.insert(ours.key(), AssignedKey::Sandbox(id));
    wanted.desired.insert(ours.key(), ours.clone());
    let veth = link(LinkKind::Other("veth".to_owned()), "");
    let observed = Observed { foreign: [(veth.key(), veth)].into(), ..Observed::default() };
    let comparison = diff(&wanted, &observed);
    assert!(comparison.operations.is_empty());
    let refusal = &comparison.refusals(&wanted)[&AssignedKey::Sandbox(id)];
    assert_eq!(refusal.code, "name-conflict");
    assert!(refusal.message.contains("link eth0 in sandbox macvlan1") && refusal.message.contains("veth"));
}
