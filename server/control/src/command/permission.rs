//! What each command needs, what it is called in the audit, and which object it names. One line per command: the API's document and
//! the audit take theirs from here.

use netloom_model::event::ObjectKind;
use netloom_model::sandbox::SandboxSpec;

use super::*;

/// Something that can be asked for.
pub trait Command {
    /// What it is called in the audit: a stable dotted word.
    const ACTION: &'static str;
    /// The least permission that it needs, whatever is in it.
    const PERMISSION: Permission;

    /// The permission it needs.
    fn permission(&self) -> Permission {
        Self::PERMISSION
    }

    /// The object that it names, by name or ID.
    fn object(&self) -> Option<(ObjectKind, &str)> {
        None
    }
}

macro_rules! commands {
    ($($name:ty => $permission:ident $action:literal $(, $kind:ident $object:expr)?;)*) => {
        $(impl Command for $name {
            const ACTION: &'static str = $action;
            const PERMISSION: Permission = Permission::$permission;

            $(fn object(&self) -> Option<(ObjectKind, &str)> {
                let reference: fn(&Self) -> &str = $object;
                Some((ObjectKind::$kind, reference(self)))
            })?
        })*
    };
}

commands! {
    ListNetworks => Read "network.list";
    GetNetwork => Read "network.get", Network |c| &c.0;
    GetNetworkHealth => Read "network.health", Network |c| &c.network;
    GetPoolMap => Read "network.map", Network |c| &c.network;
    CreateNetwork => Write "network.create", Network |c| &c.0.name;
    UpdateNetwork => Write "network.update", Network |c| &c.network;
    PutNetwork => Write "network.put", Network |c| &c.network;
    RemoveNetwork => Write "network.remove", Network |c| &c.network;
    ListEndpoints => Read "endpoint.list";
    GetTopology => Read "topology.get";
    ListSandboxes => Read "sandbox.list";
    GetSandbox => Read "sandbox.get", Sandbox |c| &c.0;
    UpdateSandbox => Write "sandbox.update", Sandbox |c| &c.sandbox;
    RemoveSandbox => Write "sandbox.remove", Sandbox |c| &c.0;
    ListLeases => Read "lease.list";
    GetLease => Read "lease.get", Lease |c| &c.lease;
    ReserveLease => Write "lease.reserve", Lease |c| &c.spec.key;
    UpdateLease => Write "lease.update", Lease |c| &c.lease;
    PutLease => Write "lease.put", Lease |c| &c.lease;
    ReleaseLease => Write "lease.release", Lease |c| &c.lease;
    GetAddress => Read "address.get";
    ListPools => Read "pool.list";
    FindFreeSubnets => Read "subnet.find";
    ListFreeRanges => Read "free_range.list", Network |c| &c.network;
    Search => Read "search";
    Reclaim => Write "reclaim";
    Prune => Write "prune";
    Probe => Write "probe", Sandbox |c| &c.0.from;
    GetDrift => Read "drift.list";
    GetFacts => Read "host.get";
    ListEvents => Read "event.list";
    ListHistory => Read "history.list";
    WatchEvents => Read "event.watch";
    GetOverview => Read "overview.get";
    CreateLoginLink => Administer "login_link.create";
    CreateBackup => Administer "backup.create";
    ListTokens => Administer "token.list";
    GetToken => Administer "token.get", Token |c| &c.0;
    CreateToken => Administer "token.create", Token |c| &c.0.name;
    RevokeToken => Administer "token.revoke", Token |c| &c.0;
    GetSwarm => Read "swarm.get";
    PutSwarm => Administer "swarm.put", Swarm |c| c.0.name.as_deref().unwrap_or("default");
    UpdateSwarm => Administer "swarm.update";
    GetInfo => Read "info.get";
    JoinSwarm => Administer "swarm.join";
    LeaveSwarm => Administer "swarm.leave";
    ListJoinTokens => Read "join_token.list";
    GetJoinToken => Read "join_token.get", JoinToken |c| &c.0;
    CreateJoinToken => Administer "join_token.create", JoinToken |c| &c.0.name;
    RotateJoinToken => Administer "join_token.rotate", JoinToken |c| &c.0;
    RevokeJoinToken => Administer "join_token.revoke", JoinToken |c| &c.0;
    ListNodes => Read "node.list";
    GetNode => Read "node.get", Node |c| &c.0;
    UpdateNode => Administer "node.update", Node |c| &c.node;
    RemoveNode => Administer "node.remove", Node |c| &c.node;
    ReadmitNode => Administer "node.readmit", Node |c| &c.0;
    ListAudit => Administer "audit.list";
    ListPlans => Read "plan.list";
    GetPlan => Read "plan.get";
    ApplyPlan => Write "plan.apply";
    DiscardPlan => Write "plan.discard";
    DiscardAnothersPlan => Administer "plan.discard";
}

impl Command for CreateSandbox {
    const ACTION: &'static str = "sandbox.create";
    const PERMISSION: Permission = Permission::Write;

    /// Adopting a foreign namespace reaches into somebody else's process: that is the administrator's to decide.
    fn permission(&self) -> Permission {
        adopting(&self.0)
    }

    fn object(&self) -> Option<(ObjectKind, &str)> {
        Some((ObjectKind::Sandbox, &self.0.name))
    }
}

impl Command for PutSandbox {
    const ACTION: &'static str = "sandbox.put";
    const PERMISSION: Permission = Permission::Write;

    /// As for [`CreateSandbox`], which it may come to.
    fn permission(&self) -> Permission {
        adopting(&self.spec)
    }

    fn object(&self) -> Option<(ObjectKind, &str)> {
        Some((ObjectKind::Sandbox, &self.sandbox))
    }
}

const fn adopting(spec: &SandboxSpec) -> Permission {
    if spec.netns.is_some() || spec.pid.is_some() { Permission::Administer } else { Permission::Write }
}
