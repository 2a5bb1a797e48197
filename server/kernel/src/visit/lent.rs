//! What the host's links lend: given back before the rules go that keep others from using it, and lent after they are there.

use netloom_plan::lent::Lent;
use netloom_plan::object::{Object, Operation};

use super::{Outcome, Visiting};

impl Visiting<'_> {
    /// Gives back all that is not needed any more.
    pub(super) fn give_back(&mut self) {
        for index in 0..self.operations.len() {
            let Operation::Delete(Object::Lent(lent)) = &self.operations[index] else { continue };
            if let Err(error) = self.inner.ledger.give_back(lent.family, &lent.link) {
                let refusal = self.subject(index).failed(&error.into());
                self.settle(index, Err(refusal));
            }
        }
    }

    /// Has a link of the host's forward.
    pub(super) fn lend(&self, index: usize, lent: &Lent) -> Outcome {
        let lent = self.inner.ledger.lend(lent.family, &lent.link);
        lent.map_err(|error| self.subject(index).failed(&error.into()))
    }
}
