//! A state as a word in a chip. The tone is shown by colour and by the shape of a sign, so that neither is needed alone.

use askama::Template;
use netloom_model::drift::Difference;
use netloom_model::health::Reachable;
use netloom_model::lease::{AddressState, LeaseState};
use netloom_model::network::NetworkState;
use netloom_model::sandbox::{EndpointState, SandboxState};
use netloom_model::swarm::{Availability, JoinTokenState, NodeState};
use netloom_model::swarm_endpoint::SwarmEndpointState;

/// How a state should be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// Deliberately at rest.
    Quiet,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
}

impl Tone {
    /// The class that the stylesheet knows.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Quiet => "quiet",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A state on a page.
#[derive(Debug, Clone, Template)]
#[template(path = "component/chip.html")]
pub struct Chip {
    tone: &'static str,
    word: String,
}

impl askama::filters::HtmlSafe for Chip {}

impl Chip {
    /// A word with a tone.
    pub fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self { tone: tone.class(), word: word.into() }
    }
}

impl From<NetworkState> for Chip {
    fn from(state: NetworkState) -> Self {
        match state {
            NetworkState::Pending => Self::new(Tone::Busy, "pending"),
            NetworkState::Ready => Self::new(Tone::Good, "ready"),
            NetworkState::Degraded => Self::new(Tone::Warn, "degraded"),
            NetworkState::Failed => Self::new(Tone::Bad, "failed"),
            NetworkState::Deleting => Self::new(Tone::Busy, "deleting"),
        }
    }
}

impl From<SwarmEndpointState> for Chip {
    fn from(state: SwarmEndpointState) -> Self {
        let tone = match state {
            SwarmEndpointState::Running => Tone::Good,
            SwarmEndpointState::Stopped => Tone::Quiet,
            SwarmEndpointState::Orphaned => Tone::Bad,
            SwarmEndpointState::Unknown => Tone::Warn,
        };
        Self::new(tone, state.as_str())
    }
}

impl From<Reachable> for Chip {
    fn from(reachable: Reachable) -> Self {
        match reachable {
            Reachable::Yes => Self::new(Tone::Good, "reached"),
            Reachable::Unknown => Self::new(Tone::Quiet, "unknown"),
            Reachable::No => Self::new(Tone::Bad, "not reached"),
        }
    }
}

impl From<SandboxState> for Chip {
    fn from(state: SandboxState) -> Self {
        match state {
            SandboxState::Pending => Self::new(Tone::Busy, "pending"),
            SandboxState::Running => Self::new(Tone::Good, "running"),
            SandboxState::Stopped => Self::new(Tone::Quiet, "stopped"),
            SandboxState::Failed => Self::new(Tone::Bad, "failed"),
            SandboxState::Deleting => Self::new(Tone::Busy, "deleting"),
            SandboxState::Orphaned => Self::new(Tone::Bad, "orphaned"),
        }
    }
}

impl From<EndpointState> for Chip {
    fn from(state: EndpointState) -> Self {
        match state {
            EndpointState::Pending => Self::new(Tone::Busy, "pending"),
            EndpointState::Attached => Self::new(Tone::Good, "attached"),
            EndpointState::Held => Self::new(Tone::Quiet, "held"),
            EndpointState::Failed => Self::new(Tone::Bad, "failed"),
            EndpointState::Detaching => Self::new(Tone::Busy, "detaching"),
        }
    }
}

impl From<LeaseState> for Chip {
    fn from(state: LeaseState) -> Self {
        let tone = match state {
            LeaseState::Bound => Tone::Good,
            LeaseState::Held => Tone::Quiet,
            LeaseState::Releasing => Tone::Busy,
            LeaseState::Quarantined => Tone::Bad,
            LeaseState::Orphaned => Tone::Warn,
        };
        Self::new(tone, state.as_str())
    }
}

impl From<AddressState> for Chip {
    fn from(state: AddressState) -> Self {
        match state {
            AddressState::Leased => Self::new(Tone::Good, "taken"),
            AddressState::Unusable => Self::new(Tone::Quiet, "unusable"),
            AddressState::Free => Self::new(Tone::Quiet, "free"),
            AddressState::Unmanaged => Self::new(Tone::Quiet, "in no pool"),
            AddressState::Unknown => Self::new(Tone::Quiet, "not known here"),
        }
    }
}

impl From<Difference> for Chip {
    fn from(difference: Difference) -> Self {
        match difference {
            Difference::Missing => Self::new(Tone::Bad, "missing"),
            Difference::Changed => Self::new(Tone::Warn, "changed"),
            Difference::Leftover => Self::new(Tone::Warn, "leftover"),
            Difference::Foreign => Self::new(Tone::Quiet, "foreign"),
        }
    }
}

impl From<NodeState> for Chip {
    fn from(state: NodeState) -> Self {
        let tone = match state {
            NodeState::Ready => Tone::Good,
            NodeState::Down => Tone::Bad,
            NodeState::Unknown => Tone::Busy,
        };
        Self::new(tone, state.as_str())
    }
}

impl From<Availability> for Chip {
    fn from(availability: Availability) -> Self {
        // What somebody wants of a node says nothing of how it is: a node that is down is no better for being active.
        Self::new(Tone::Quiet, availability.as_str())
    }
}

impl From<JoinTokenState> for Chip {
    fn from(state: JoinTokenState) -> Self {
        match state {
            JoinTokenState::Active => Self::new(Tone::Good, "active"),
            JoinTokenState::Expired => Self::new(Tone::Quiet, "expired"),
            JoinTokenState::UsedUp => Self::new(Tone::Quiet, "used up"),
        }
    }
}
