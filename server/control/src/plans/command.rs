//! The commands that can be planned, as plans keep them.

use serde::{Deserialize, Serialize};

use crate::command::{
    CreateNetwork, CreateSandbox, Prune, PutLease, PutNetwork, PutSandbox, Reclaim, ReleaseLease, RemoveNetwork,
    RemoveSandbox, ReserveLease, UpdateLease, UpdateNetwork, UpdateSandbox,
};

/// A command that can be planned.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlannedCommand {
    CreateNetwork(CreateNetwork),
    UpdateNetwork(UpdateNetwork),
    PutNetwork(PutNetwork),
    RemoveNetwork(RemoveNetwork),
    CreateSandbox(CreateSandbox),
    UpdateSandbox(UpdateSandbox),
    PutSandbox(PutSandbox),
    RemoveSandbox(RemoveSandbox),
    ReserveLease(ReserveLease),
    UpdateLease(UpdateLease),
    PutLease(PutLease),
    ReleaseLease(ReleaseLease),
    Prune(Prune),
    Reclaim(Reclaim),
}

impl PlannedCommand {
    /// What is asked for, in a sentence.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::CreateNetwork(CreateNetwork(spec)) => format!("Create network `{}`.", spec.name),
            Self::UpdateNetwork(update) => format!("Change network `{}`.", update.network),
            Self::PutNetwork(put) => format!("Put network `{}`.", put.network),
            Self::RemoveNetwork(remove) if remove.cascade => {
                format!("Detach all that is on network `{}`, and remove it.", remove.network)
            }
            Self::RemoveNetwork(remove) => format!("Remove network `{}`.", remove.network),
            Self::CreateSandbox(CreateSandbox(spec)) => format!("Create sandbox `{}`.", spec.name),
            Self::UpdateSandbox(update) => format!("Change sandbox `{}`.", update.sandbox),
            Self::PutSandbox(put) => format!("Put sandbox `{}`.", put.sandbox),
            Self::RemoveSandbox(RemoveSandbox(sandbox)) => format!("Remove sandbox `{sandbox}`."),
            Self::ReserveLease(reserve) => {
                format!("Reserve an address as `{}` on network `{}`.", reserve.spec.key, reserve.network)
            }
            Self::UpdateLease(update) => format!("Change lease `{}` of network `{}`.", update.lease, update.network),
            Self::PutLease(put) => format!("Put lease `{}` of network `{}`.", put.lease, put.network),
            Self::ReleaseLease(release) => format!("Release `{}` of network `{}`.", release.lease, release.network),
            Self::Prune(Prune) => "Remove stopped sandboxes and networks that nothing uses.".to_owned(),
            Self::Reclaim(Reclaim) => "Release what orphans hold.".to_owned(),
        }
    }
}
