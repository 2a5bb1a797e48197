//! Sandboxes as answered: rows, what the node says and what control itself found, put together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netloom_model::assignment::Key;
use netloom_model::condition::{self, Condition};
use netloom_model::lease::LeaseState;
use netloom_model::net::Family;
use netloom_model::network::{Driver, Scope};
use netloom_model::report::{LiveObject, Survey};
use netloom_model::sandbox::{EndpointState, EndpointStatus, Sandbox, SandboxState, SandboxStatus};
use netloom_model::{EndpointId, NodeId, SandboxId, Timestamp};
use netloom_store::{
    EndpointRow, LeaseRow, Orphaned, ReadTx, SandboxRow, SandboxStanding, WriteTx, endpoints, leases, sandboxes,
};

use crate::allocation::by_address;
use crate::conditions;
use crate::error::Error;
use crate::reports::findings::Finding;

/// All that the store holds of one sandbox.
#[derive(Debug, Clone)]
pub(crate) struct SandboxParts {
    pub(crate) row: SandboxRow,
    pub(crate) endpoints: Vec<EndpointParts>,
}

impl SandboxParts {
    /// Marks it, its endpoints and its leases as on their way out: the rows, and what is known of them here.
    pub(crate) async fn mark_deleting(
        &mut self,
        tx: &mut WriteTx<'_>,
        revision: u64,
        now: Timestamp,
    ) -> Result<(), Error> {
        sandboxes::mark_deleting(tx, self.row.id, revision, now);
        (self.row.deleting, self.row.revision, self.row.updated_at) = (true, revision, now);
        self.detach(tx, |_| true).await.map(drop)
    }

    /// Marks those endpoints that stay so far and are named as on their way out, and their leases as `releasing`: nobody gets the addresses
    /// until the kernel is proven clean. Answers which. In the revision and at the time of the sandbox's row.
    pub(crate) async fn detach(
        &mut self,
        tx: &mut WriteTx<'_>,
        is_named: impl Fn(&EndpointRow) -> bool,
    ) -> Result<Vec<EndpointId>, Error> {
        let mut ids = Vec::new();
        for endpoint in self.endpoints.iter_mut().filter(|one| !one.row.deleting && is_named(&one.row)) {
            ids.push(endpoint.row.id);
            endpoint.row.deleting = true;
            endpoint.set_leases(tx, LeaseState::Releasing, &self.row);
        }
        if !ids.is_empty() {
            endpoints::mark_deleting(tx, &ids).await?;
        }
        Ok(ids)
    }

    /// Takes endpoints that are on their way out back, with the addresses and the Ethernet addresses that they had: their leases are
    /// `releasing`, so nobody else has them. Whether their links are still in the kernel does not matter.
    pub(crate) async fn take_back(&mut self, tx: &mut WriteTx<'_>, back: &[EndpointId]) -> Result<(), Error> {
        let state = self.lease_state();
        for endpoint in self.endpoints.iter_mut().filter(|one| one.row.deleting && back.contains(&one.row.id)) {
            endpoint.row.deleting = false;
            endpoint.set_leases(tx, state, &self.row);
        }
        Ok(endpoints::mark_staying(tx, back).await?)
    }

    /// Marks it as one whose adopted namespace is gone, or is there again, and its leases with it. Those of endpoints on their way out stay
    /// `releasing`. The row keeps its revision: nobody changed what is wanted.
    pub(crate) async fn set_orphaned(
        &mut self,
        tx: &mut WriteTx<'_>,
        orphaned: Option<Orphaned>,
        revision: u64,
        now: Timestamp,
    ) -> Result<(), Error> {
        sandboxes::set_orphaned(tx, self.row.id, orphaned.as_ref()).await?;
        self.row.orphaned = orphaned;
        let (state, stamp) = (self.lease_state(), SandboxRow { revision, updated_at: now, ..self.row.clone() });
        for endpoint in self.endpoints.iter_mut().filter(|one| !one.row.deleting) {
            endpoint.set_leases(tx, state, &stamp);
        }
        Ok(())
    }

    /// The state of the leases of its endpoints that stay.
    const fn lease_state(&self) -> LeaseState {
        match (&self.row.orphaned, self.row.running) {
            (Some(_), _) => LeaseState::Orphaned,
            (None, true) => LeaseState::Bound,
            (None, false) => LeaseState::Held,
        }
    }
}

/// All that the store holds of one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct EndpointParts {
    pub(crate) row: EndpointRow,
    /// Its leases, IPv4 first.
    pub(crate) leases: Vec<LeaseRow>,
}

impl EndpointParts {
    /// Sets the state of its leases, where it is another, in the revision and at the time of its sandbox's row.
    pub(crate) fn set_leases(&mut self, tx: &mut WriteTx<'_>, state: LeaseState, sandbox: &SandboxRow) {
        let changed: Vec<LeaseRow> = self.leases.iter().filter(|lease| lease.state != state).cloned().collect();
        leases::set_state(tx, &changed, state, sandbox.revision, sandbox.updated_at);
        for lease in self.leases.iter_mut().filter(|lease| lease.state != state) {
            lease.state = state;
            (lease.until, lease.revision, lease.updated_at) = (None, sandbox.revision, sandbox.updated_at);
            lease.orphaned = sandbox.orphaned.clone().filter(|_| state == LeaseState::Orphaned);
        }
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.leases.iter().map(|lease| lease.address).collect()
    }
}

/// Reads what belongs to these sandboxes, in a constant number of queries.
pub(crate) async fn parts(tx: &mut ReadTx<'_>, rows: Vec<SandboxRow>) -> Result<Vec<SandboxParts>, Error> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let endpoint_rows = endpoints::of_sandboxes(tx, &ids).await?;
    let endpoint_ids: Vec<_> = endpoint_rows.iter().map(|row| row.id).collect();
    let leases = leases::of_endpoints(tx, &endpoint_ids).await?;
    let mut by_sandbox: BTreeMap<_, Vec<EndpointParts>> = BTreeMap::new();
    for endpoint in with_leases(endpoint_rows, leases) {
        by_sandbox.entry(endpoint.row.sandbox_id).or_default().push(endpoint);
    }
    let part = |row: SandboxRow| SandboxParts { endpoints: by_sandbox.remove(&row.id).unwrap_or_default(), row };
    Ok(rows.into_iter().map(part).collect())
}

/// Reads one sandbox with what belongs to it.
pub(crate) async fn parts_of(tx: &mut ReadTx<'_>, id: SandboxId) -> Result<Option<SandboxParts>, Error> {
    Ok(sandboxes::whole(tx, id).await?.map(SandboxParts::from))
}

impl From<sandboxes::Whole> for SandboxParts {
    fn from((row, endpoints, leases): sandboxes::Whole) -> Self {
        Self { row, endpoints: with_leases(endpoints, leases) }
    }
}

fn with_leases(endpoints: Vec<EndpointRow>, leases: Vec<LeaseRow>) -> Vec<EndpointParts> {
    let mut by_endpoint: BTreeMap<EndpointId, Vec<LeaseRow>> = BTreeMap::new();
    for lease in leases {
        if let Some(endpoint) = lease.endpoint_id {
            by_endpoint.entry(endpoint).or_default().push(lease);
        }
    }
    by_endpoint.values_mut().for_each(|leases| leases.sort_by(by_address));
    let part = |row: EndpointRow| EndpointParts { leases: by_endpoint.remove(&row.id).unwrap_or_default(), row };
    endpoints.into_iter().map(part).collect()
}

/// One sandbox as answered.
pub(crate) fn compose(parts: SandboxParts, live: Option<&LiveObject>, found: &[Finding], node: NodeId) -> Sandbox {
    let row = parts.row;
    let state = state(&row, live);
    let mut conditions = conditions::of(live);
    conditions.extend(found.iter().map(Finding::condition));
    if let Some(orphaned) = &row.orphaned {
        match conditions.iter_mut().find(|condition| condition.kind == condition::NAMESPACE_GONE) {
            Some(known) => known.since = known.since.or(Some(orphaned.since)),
            None => conditions.push(Condition {
                since: Some(orphaned.since),
                ..Condition::new(condition::NAMESPACE_GONE, "Orphaned", orphaned.reason.clone())
            }),
        }
    }
    let mut endpoints: BTreeMap<String, EndpointStatus> = BTreeMap::new();
    // A network that was detached and attached again is there twice for a while: the one that stays is shown.
    for endpoint in parts.endpoints {
        let name = endpoint.row.network_name.clone();
        if !(endpoint.row.deleting && endpoints.contains_key(&name)) {
            endpoints.insert(name, endpoint_status(endpoint, state, found));
        }
    }
    Sandbox {
        id: row.id,
        revision: row.revision,
        spec_revision: row.spec_revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
        status: SandboxStatus {
            state,
            reconciling: matches!(state, SandboxState::Pending | SandboxState::Failed | SandboxState::Deleting),
            conditions,
            scope: Scope::Local,
            node,
            netns: live.and_then(|live| live.netns.clone()),
            endpoints,
            interfaces: live.and_then(|live| live.interfaces.clone()),
        },
        spec: row.spec,
    }
}

/// The state that a sandbox is in, by its row and by what the node says of it.
fn state(row: &SandboxRow, live: Option<&LiveObject>) -> SandboxState {
    state_of(row.standing(), live.is_some_and(|live| live.refusal.is_some()), live.and_then(|live| live.verified))
}

/// The state of a sandbox by what the store and the node know of all.
pub(crate) fn state_by(one: SandboxStanding, survey: &Survey) -> SandboxState {
    let live = survey.remarkable.objects.get(&Key::Sandbox(one.id));
    state_of(one, live.is_some_and(|live| live.refusal.is_some()), survey.verified.get(&one.id).copied())
}

/// The same, by whether the node refused it, and by the revision that it was last verified at.
fn state_of(sandbox: SandboxStanding, refused: bool, verified: Option<u64>) -> SandboxState {
    if sandbox.deleting {
        SandboxState::Deleting
    } else if sandbox.orphaned {
        SandboxState::Orphaned
    } else if refused {
        SandboxState::Failed
    } else if verified.is_none_or(|verified| verified < sandbox.revision) {
        SandboxState::Pending
    } else if sandbox.running {
        SandboxState::Running
    } else {
        SandboxState::Stopped
    }
}

fn endpoint_status(parts: EndpointParts, sandbox: SandboxState, found: &[Finding]) -> EndpointStatus {
    let row = parts.row;
    let held = parts.leases.iter().any(|lease| lease.state == LeaseState::Held);
    let state = match sandbox {
        _ if row.deleting => EndpointState::Detaching,
        SandboxState::Deleting => EndpointState::Detaching,
        SandboxState::Stopped => EndpointState::Held,
        SandboxState::Failed | SandboxState::Orphaned => EndpointState::Failed,
        SandboxState::Running => EndpointState::Attached,
        SandboxState::Pending if held => EndpointState::Held,
        SandboxState::Pending => EndpointState::Pending,
    };
    let of = |family: Family| parts.leases.iter().find(|lease| Family::of(lease.address) == family);
    let (four, six) = (of(Family::V4), of(Family::V6));
    // Nobody answers at an overlay network's gateway: the way out is another endpoint.
    let leads_out = row.driver != Driver::Overlay;
    let gateway = |lease: Option<&LeaseRow>| {
        lease.filter(|_| leads_out).and_then(|lease| lease.gateway).map(|address| address.to_string())
    };
    EndpointStatus {
        state,
        network_id: row.network_id,
        endpoint_id: row.id,
        lease_ids: parts.leases.iter().map(|lease| lease.id).collect(),
        interface: row.interface,
        mac: row.mac,
        address: four.map(|lease| lease.address.to_string()),
        prefix_length: four.map(|lease| lease.prefix_length),
        gateway: gateway(four),
        address6: six.map(|lease| lease.address.to_string()),
        prefix_length6: six.map(|lease| lease.prefix_length),
        gateway6: gateway(six),
        ports: row.ports,
        conditions: found.iter().filter(|f| f.endpoint == Some(row.id)).map(Finding::condition).collect(),
    }
}
