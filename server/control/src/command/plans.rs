//! The commands about plans that are kept.

use netloom_model::lease::Lease;
use netloom_model::network::Network;
use netloom_model::sandbox::Sandbox;

use super::{PageRequest, Pruned, Reclaimed, Reference, Written};

/// Lists the plans that are kept, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPlans {
    /// Which part.
    pub page: PageRequest,
}

/// Gets a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetPlan(pub Reference);

/// Does what a plan says, and nothing else. Whoever asks needs the permission of the command that was planned, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyPlan(pub Reference);

/// Forgets a plan. Whoever did not make it needs what [`DiscardAnothersPlan`] needs, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscardPlan(pub Reference);

/// What discarding comes to, of somebody else's plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscardAnothersPlan;

/// What came of a planned write of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was made.
    Made(Written<T>),
    /// It was changed.
    Changed(Written<T>),
    /// It was as planned already.
    Unchanged(Written<T>),
    /// It was removed.
    Removed(Written<T>),
}

/// What came of applying a plan: what the planned command comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// A network.
    Network(Outcome<Network>),
    /// A sandbox.
    Sandbox(Outcome<Sandbox>),
    /// A lease.
    Lease(Outcome<Lease>),
    /// What nothing uses was removed.
    Pruned(Written<Pruned>),
    /// What orphans held was reclaimed.
    Reclaimed(Written<Reclaimed>),
}
