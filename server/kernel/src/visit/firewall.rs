//! Rules: our table's, all changes of a visit at once; and ours among others', each for itself.

use netloom_model::port::Protocol;
use netloom_plan::firewall::Part;
use netloom_plan::object::{Object, Operation};

use super::Visiting;
use crate::conntrack;
use crate::error::Failure;
use crate::firewall;

impl Visiting<'_> {
    /// Does what there is to do in the firewall, all of it at once.
    pub(super) fn firewall(&mut self) {
        let is_part = |operation: &&Operation| matches!(operation.object(), Object::Firewall(_));
        let operations: Vec<&Operation> = self.operations.iter().filter(is_part).collect();
        if operations.is_empty() || self.blocked.lent {
            return;
        }
        let Err((why, errno)) = self.change_firewall(&operations) else { return };
        for index in 0..self.operations.len() {
            if is_part(&&self.operations[index]) {
                self.refused_rules(index, &why, errno);
            }
        }
    }

    /// Does what there is to do in others' tables, each for itself: what is refused there is no reason against our own.
    pub(super) fn beside_firewall(&mut self) {
        for index in 0..self.operations.len() {
            let operation = &self.operations[index];
            if !matches!(operation.object(), Object::PassRule(_)) {
                continue;
            }
            if let Err((why, errno)) = self.change_beside(operation) {
                self.refused_rules(index, &why, errno);
            }
        }
    }

    /// Answers why it could not be done, in words and as the kernel's errno, where it was the kernel.
    fn change_firewall(&self, operations: &[&Operation]) -> Result<(), (String, Option<i32>)> {
        let injected = |injected: netloom_fault::Injected| (injected.to_string(), None);
        netloom_fault::point("kernel.firewall.before_change").map_err(injected)?;
        self.inner.firewall.apply(operations).map_err(|error| firewall::explained(&error))?;
        forget_ports(operations);
        netloom_fault::point("kernel.firewall.after_change").map_err(injected)
    }

    fn change_beside(&self, operation: &Operation) -> Result<(), (String, Option<i32>)> {
        let injected = |injected: netloom_fault::Injected| (injected.to_string(), None);
        netloom_fault::point("kernel.firewall.before_pass_rule").map_err(injected)?;
        self.inner.firewall.apply_beside(operation).map_err(|error| (error.to_string(), error.errno()))
    }

    fn refused_rules(&mut self, index: usize, why: &str, errno: Option<i32>) {
        let mut refusal = self.subject(index).refusal("kernel-refused", why);
        refusal.errno = errno.map(|errno| Failure { errno, text: None }.name());
        self.settle(index, Err(refusal));
    }
}

/// Has the kernel forget the connections to ports that lead elsewhere now: their packets would go on to where they led before. To a port
/// that led nowhere only UDP's are worth the kernel's time: TCP begins each connection anew. Not a reason to refuse: each of them ends by
/// itself once nobody answers.
fn forget_ports(operations: &[&Operation]) {
    let port = |operation: &&Operation| match operation.object() {
        Object::Firewall(Part::Element(element)) => {
            let (port, _) = element.published()?;
            let led_nowhere = matches!(operation, Operation::Create(_)) && port.protocol == Protocol::Tcp;
            (!led_nowhere).then_some(port)
        }
        _ => None,
    };
    let ports = operations.iter().filter_map(port).collect();
    if let Err(error) = conntrack::forget_ports(&ports) {
        tracing::warn!(%error, "connections to ports that changed hands could not be forgotten");
    }
}
