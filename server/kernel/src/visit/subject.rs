//! What operations are about, for messages.

use netloom_model::plan::Action;
use netloom_plan::object::{Object, Operation, Place};

use crate::error::Subject;
use crate::handle::Inner;

/// What an operation is about, for messages.
pub(crate) fn subject(inner: &Inner, operation: &Operation) -> Subject {
    let object = operation.object();
    let whereabouts = match object.place() {
        Place::Host => "on the host".to_owned(),
        Place::Overlay => "in the overlay namespace".to_owned(),
        Place::Sandbox(sandbox) => format!("in sandbox {}", inner.registry.name(sandbox)),
    };
    let object = match object {
        Object::Namespace(namespace) => format!("the namespace of sandbox {}", namespace.name),
        Object::OverlayNamespace => "the overlay namespace".to_owned(),
        Object::Forwarding(one) => format!("forwarding to {} by {} {whereabouts}", one.mac, one.link),
        Object::Neighbour(one) => format!("neighbour {} on {} {whereabouts}", one.address, one.link),
        Object::Sysctl(sysctl) => format!("setting {} {whereabouts}", sysctl.path),
        Object::Link(link) => format!("link {} {whereabouts}", link.name),
        Object::Address(address) => {
            format!("address {}/{} on {} {whereabouts}", address.address, address.prefix_length, address.link)
        }
        Object::Route(route) => format!("route {} {whereabouts}", route.destination),
        Object::Firewall(part) => format!("{} on the host", netloom_plan::describe::part_name(part)),
        Object::PassRule(rule) => format!("{} on the host", netloom_plan::describe::pass_rule_name(rule)),
        Object::Lent(lent) => format!("setting {} on the host", lent.path()),
        Object::Stray(stray) => match stray.sandbox {
            Some(sandbox) => {
                format!("link {} of sandbox {} in another namespace", stray.name, inner.registry.name(sandbox))
            }
            None => {
                format!("link {} of endpoint {}, which is not known, in another namespace", stray.name, stray.owner)
            }
        },
    };
    let action = match operation {
        Operation::Create(_) => Action::Create,
        Operation::Change { .. } => Action::Change,
        Operation::Delete(_) => Action::Delete,
    };
    Subject { object, action }
}
