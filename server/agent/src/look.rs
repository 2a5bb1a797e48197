//! Looking without touching: plans, drift, and what is known of a key.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use netloom_kernel::Error;
use netloom_model::SandboxId;
use netloom_model::assignment::{AssignedSandbox, Assignment, Key, NamespaceSource};
use netloom_model::condition::{self, Condition};
use netloom_model::drift::Drift;
use netloom_model::plan::{NodePlan, Refusal};
use netloom_model::probe::ProbeSpec;
use netloom_model::report::{Live, LiveObject, Survey};
use netloom_model::sandbox::InterfaceStatus;
use netloom_plan::{Object, Operation, Place, compile, describe, diff, drift as plan_drift, interruptions};

use crate::agent::Inner;
use crate::pass::Work;
use crate::state::{Assigned, Tracked};
use crate::{beside, compiled, holders, host};

/// How old what a verification saw may be to count as looked at afresh, once.
const JUST_NOW: Duration = Duration::from_millis(10);

/// How long an answer waits for the kernel to say what interfaces a sandbox has.
const LOOK: Duration = Duration::from_secs(2);

/// What would be done for these objects. An address that would be probed first counts as free.
pub(crate) async fn plan(inner: &Arc<Inner>, assignment: &Assignment) -> Result<NodePlan, Refusal> {
    let facts = host::refresh(inner).await.map_err(|error| refusal_of(&error, "the host's links and routes"))?;
    let assignment = &beside::completed(&inner.state(), assignment);
    let gates = inner.state().gates(assignment.sandboxes.keys());
    let mut wanted = compile(assignment, &facts, &gates);
    compiled::look_for_former_probes(&inner.state(), assignment, &mut wanted);
    for id in assignment.sandboxes.keys() {
        inner.state().addresses_of(*id).into_iter().for_each(|address| wanted.claim(*id, address));
    }
    // A network's trouble is no reason against what is planned on it, and something that goes or stands still needs nothing of the host.
    let needed = |key: &Key| match key {
        Key::Network(_) | Key::Peer(_) => false,
        Key::Sandbox(id) => assignment.sandboxes.get(id).is_some_and(|sandbox| sandbox.running && !sandbox.deleting),
    };
    if let Some((_, refusal)) = wanted.refusals.iter().find(|(key, _)| needed(key)) {
        return Err(refusal.clone());
    }
    let observed =
        inner.kernel.observe(wanted.scope.clone()).await.map_err(|error| refusal_of(&error, "the kernel"))?.observed;
    wanted.admit(&observed);
    let probed = wanted.assume_clear();
    for sandbox in assignment.sandboxes.values().filter(|s| s.running && !s.deleting) {
        if let Some(found) = observed.gone.get(&sandbox.id) {
            return Err(namespace_gone(&sandbox.name, found));
        }
    }
    let comparison = diff(&wanted, &observed);
    if let Some((_, refusal)) = comparison.refusals(&wanted).into_iter().find(|(key, _)| needed(key)) {
        return Err(refusal);
    }
    let requested = requested(assignment);
    let planned = |operation: &Operation| {
        let mut planned = describe::planned(operation, &wanted.names);
        let object = operation.object();
        if let (true, Object::Address(address)) = (probed.contains(&object.key()), object) {
            planned.summary.push_str(if requested.contains(&(address.place, address.address)) {
                " It is asked for on the wire first, and refused when somebody answers."
            } else {
                " It is asked for on the wire first, and another is taken when somebody answers."
            });
        }
        planned
    };
    Ok(NodePlan {
        interruptions: interruptions(&comparison.operations, &wanted, assignment),
        operations: comparison.operations.iter().map(planned).collect(),
    })
}

/// Addresses that were asked for by number, with where they go.
fn requested(assignment: &Assignment) -> BTreeSet<(Place, IpAddr)> {
    let of = |sandbox: &AssignedSandbox| {
        let place = Place::Sandbox(sandbox.id);
        let addresses = sandbox.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
        addresses.filter(|address| address.requested).map(|address| (place, address.address)).collect::<Vec<_>>()
    };
    assignment.sandboxes.values().flat_map(of).collect()
}

/// Where the kernel differs from what is assigned.
pub(crate) async fn drift(inner: &Arc<Inner>) -> Result<Vec<Drift>, Refusal> {
    let _alone = inner.exclusion.write().await;
    let mut assignment = inner.source.full().await.map_err(|error| Refusal {
        code: "assignment-unavailable".to_owned(),
        object: "the assignment".to_owned(),
        operation: "read".to_owned(),
        errno: None,
        message: format!("the assignment can't be read: {error}"),
        hint: None,
    })?;
    {
        let mut state = inner.state();
        beside::complete(&state, &mut assignment, None);
        holders::give_way(&mut state, &mut assignment);
    }
    let facts = host::refresh(inner).await.map_err(|error| refusal_of(&error, "the host's links and routes"))?;
    let gates = inner.state().gates(assignment.sandboxes.keys());
    let mut wanted = compile(&assignment, &facts, &gates);
    wanted.look_everywhere();
    wanted.look_for_strangers();
    let observed =
        inner.kernel.observe(wanted.scope.clone()).await.map_err(|error| refusal_of(&error, "the kernel"))?.observed;
    wanted.admit(&observed);
    Ok(plan_drift::drift(&wanted, &observed, &assignment))
}

/// What is known of keys.
pub(crate) async fn live(inner: &Arc<Inner>, keys: Vec<Key>, interfaces: bool) -> Live {
    let mut live = Live::default();
    {
        let mut state = inner.state();
        for key in keys {
            let Some(tracked) = state.tracked.get_mut(&key) else { continue };
            let Some(assigned) = &tracked.assigned else { continue };
            let mut object = known(inner, tracked, assigned);
            if interfaces && object.netns.is_some() {
                let verified = tracked.interfaces.take().filter(|(looked, _)| looked.elapsed() < JUST_NOW);
                object.interfaces = verified.map(|(_, found)| found);
            }
            live.objects.insert(key, object);
        }
    }
    if interfaces {
        let unseen = |object: &LiveObject| object.netns.is_some() && object.interfaces.is_none();
        let asked = live.objects.iter().filter(|(_, object)| unseen(object)).filter_map(|(key, _)| match key {
            Key::Sandbox(id) => Some(*id),
            Key::Network(_) | Key::Peer(_) => None,
        });
        let looked = join_all(asked.map(async |id| (id, interfaces_of(inner, id).await))).await;
        for (id, found) in looked {
            let Some(object) = live.objects.get_mut(&Key::Sandbox(id)) else { continue };
            match found {
                Ok(found) => object.interfaces = found,
                Err(late) => object.conditions.push(late),
            }
        }
    }
    live
}

/// What is to be said of anything.
pub(crate) fn survey(inner: &Arc<Inner>) -> Survey {
    let state = inner.state();
    let mut survey = Survey::default();
    for (key, tracked) in &state.tracked {
        let Some(assigned) = &tracked.assigned else { continue };
        if tracked.refusal.is_some() || !tracked.conditions.is_empty() {
            survey.remarkable.objects.insert(*key, known(inner, tracked, assigned));
        }
        if let (Key::Sandbox(id), Some(verified)) = (key, tracked.verified) {
            survey.verified.insert(*id, verified);
        }
    }
    survey
}

fn known(inner: &Inner, tracked: &Tracked, assigned: &Assigned) -> LiveObject {
    let netns = match assigned {
        Assigned::Sandbox(sandbox) if tracked.present => Some(match &sandbox.namespace {
            NamespaceSource::Made => inner.kernel.netns_path(sandbox.id).display().to_string(),
            NamespaceSource::Adopted(adoption) => adoption.path.clone(),
            NamespaceSource::Host => format!("/proc/{}/ns/net", std::process::id()),
        }),
        Assigned::Sandbox(_) | Assigned::Network(_) | Assigned::Peer(_) => None,
    };
    LiveObject {
        verified: tracked.verified,
        refusal: tracked.refusal.clone(),
        conditions: tracked.conditions.clone(),
        netns,
        interfaces: None,
    }
}

/// A sandbox's interfaces; none, where they can't be read, which the next pass explains. A kernel that keeps a reader waiting
/// is told in their place: what is known without it is answered nevertheless.
async fn interfaces_of(inner: &Arc<Inner>, sandbox: SandboxId) -> Result<Option<Vec<InterfaceStatus>>, Condition> {
    let shares_host = inner.state().source_of(sandbox) == NamespaceSource::Host;
    let place = if shares_host { Place::Host } else { Place::Sandbox(sandbox) };
    match tokio::time::timeout(LOOK, inner.kernel.interfaces(place)).await {
        Ok(Ok(interfaces)) => Ok(Some(interfaces)),
        Ok(Err(error)) => {
            tracing::debug!(%sandbox, %error, "a sandbox's interfaces can't be read");
            Ok(None)
        }
        Err(_) => {
            let words = format!("the kernel did not say within {} s what interfaces there are", LOOK.as_secs());
            tracing::warn!(%sandbox, "{words}");
            Err(Condition::new(condition::INTERFACES_UNKNOWN, "KernelBusy", words))
        }
    }
}

/// Whether the namespace of a sandbox was there after a pass.
pub(crate) fn is_present(key: Key, work: &Work) -> bool {
    let Key::Sandbox(id) = key else { return false };
    let Some(sandbox) = work.assignment.sandboxes.get(&id) else { return false };
    match sandbox.namespace {
        NamespaceSource::Made => work.observed.ours.contains_key(&netloom_plan::object::Key::Namespace(id)),
        NamespaceSource::Host => sandbox.running && !sandbox.deleting,
        NamespaceSource::Adopted(_) => !work.observed.gone.contains_key(&id),
    }
}

/// The kernel could not be asked at all.
pub(crate) fn refusal_of(error: &Error, object: &str) -> Refusal {
    Refusal {
        code: "kernel-refused".to_owned(),
        object: object.to_owned(),
        operation: "read".to_owned(),
        errno: None,
        message: format!("{object} can't be read: {error}"),
        hint: None,
    }
}

/// A probe's target that was not checked before.
pub(crate) fn not_an_address(spec: &ProbeSpec) -> Refusal {
    Refusal {
        code: "kernel-refused".to_owned(),
        object: format!("probe to {}", spec.to),
        operation: "send".to_owned(),
        errno: Some("EINVAL".to_owned()),
        message: format!("the probe was not sent: {} is not an IP address", spec.to),
        hint: None,
    }
}

/// The adopted namespace of a sandbox is not there.
pub(crate) fn namespace_gone(sandbox: &str, found: &str) -> Refusal {
    Refusal {
        code: "namespace-gone".to_owned(),
        object: format!("namespace of sandbox {sandbox}"),
        operation: "open".to_owned(),
        errno: None,
        message: format!("the adopted namespace of sandbox {sandbox} is gone: {found}"),
        hint: Some("remove the sandbox, and adopt the namespace anew if it was made anew".to_owned()),
    }
}

/// The same as a condition.
pub(crate) fn namespace_gone_condition(found: &str) -> Condition {
    Condition::new(condition::NAMESPACE_GONE, "NotFound", format!("the adopted namespace is gone: {found}"))
}
