//! What a pass leaves to be told, or done, once the state is unlocked.

use netloom_model::SandboxId;
use netloom_model::assignment::Key;
use netloom_model::plan::Refusal;

/// What is to be done once the state is unlocked.
#[derive(Default)]
pub(super) struct Failures {
    /// With the object that each is told of.
    pub(super) untold: Vec<(Key, Key, Refusal)>,
    pub(super) forgotten: Vec<SandboxId>,
}

impl Failures {
    /// Notes one. Of the ways to endpoints on other nodes, of which there may be thousands, one stands for those of its network, and none is told
    /// that only lacks what the network lacks.
    pub(super) fn leave_untold(&mut self, key: Key, told_with: Key, refusal: Refusal) {
        let stands_for_it = |(_, other, _): &(Key, Key, Refusal)| *other == told_with;
        if key != told_with && (refusal.code == "skipped" || self.untold.iter().any(stands_for_it)) {
            return;
        }
        self.untold.push((key, told_with, refusal));
    }
}

/// What makes a failure the same as one that was told.
pub(super) fn cause_of(refusal: &Refusal) -> (String, String, Option<String>) {
    (refusal.code.clone(), refusal.object.clone(), refusal.errno.clone())
}
