//! Applying operations: stage by stage, in each every place by itself, in order, as few visits as can be.
//!
//! What must not live here: messages, and what a refusal means to anybody.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;
use netloom_plan::object::{Namespace, Object, Operation, Place, Scope};
use netloom_plan::order;

use crate::handle::{Inner, Look};
use crate::netns::Pinned;
use crate::observe::Visited;
use crate::reap::{self, Reaped};
use crate::visit::{Blocked, Outcome, Visit, subject, visit};
use crate::{spare, stray};

mod pairs;

/// A run of operations in one place that is done in one go.
enum Step {
    /// Everything but removals of links and namespaces.
    Visit(Vec<usize>),
    /// Removals of links.
    Links(Vec<usize>),
    /// Removal of a namespace, with the removals of links right before it.
    Namespace(Vec<usize>, usize),
    /// Removal of a link that is in none of our places.
    Stray(usize),
}

/// What came of operations.
#[derive(Default)]
pub(crate) struct Applied {
    /// One outcome for each, in the order given.
    pub(crate) outcomes: Vec<Outcome>,
    /// What was seen of sandboxes when the last that was done to them was done.
    pub(crate) visited: Visited,
}

/// What is done in a sandbox at the end of a visit in the last stage that works on it, where all went well.
pub(crate) struct Ending {
    /// It is looked into, if it is in this scope.
    pub(crate) scope: Arc<Scope>,
    /// Sockets are opened in it, if it is one of these; see [`crate::Kernel::give_sockets`].
    pub(crate) listen: BTreeSet<SandboxId>,
}

/// Applies operations, stage by stage.
pub(crate) async fn apply(inner: &Arc<Inner>, operations: Vec<Operation>, ending: Option<&Arc<Ending>>) -> Applied {
    let mut applied = Applied::default();
    let mut rest = operations.as_slice();
    let removed = pairs::remove(inner, &operations).await;
    // What keeps strangers out of overlay networks is made on the host, before those elsewhere.
    let mut blocked = Blocked::default();
    while let Some(first) = rest.first() {
        let (stage, later) = rest.split_at(rest.partition_point(|one| order::stage(one) == order::stage(first)));
        let worked_on_later: HashSet<Place> = later.iter().map(|operation| operation.object().place()).collect();
        let ending = |place: Place| match place {
            Place::Sandbox(id) if !worked_on_later.contains(&place) => {
                ending.filter(|ending| ending.scope.sandboxes.contains_key(&id)).cloned()
            }
            _ => None,
        };
        let begin = applied.outcomes.len();
        let is_done = |index: usize| removed.contains(&(begin + index));
        let done = at_once(inner, stage.to_vec(), is_done, ending, &blocked).await;
        blocked.firewall |= stage
            .iter()
            .zip(&done.outcomes)
            .any(|(operation, outcome)| matches!(operation.object(), Object::Firewall(_)) && outcome.is_err());
        applied.outcomes.extend(done.outcomes);
        applied.visited.extend(done.visited);
        rest = later;
    }
    applied
}

/// Applies operations of one stage, but those that are done, each place by itself.
async fn at_once(
    inner: &Arc<Inner>,
    operations: Vec<Operation>,
    is_done: impl Fn(usize) -> bool,
    ending: impl Fn(Place) -> Option<Arc<Ending>>,
    blocked: &Blocked,
) -> Applied {
    let mut places: BTreeMap<Place, (Vec<usize>, Vec<Operation>)> = BTreeMap::new();
    let count = operations.len();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; count];
    for (index, operation) in operations.into_iter().enumerate() {
        if is_done(index) {
            outcomes[index] = Some(Ok(()));
            continue;
        }
        let (indexes, list) = places.entry(operation.object().place()).or_default();
        indexes.push(index);
        list.push(operation);
    }
    let runs = places.into_iter().map(|(place, (indexes, list))| {
        let ending = ending(place);
        let blocked = if place == Place::Overlay { blocked.clone() } else { Blocked::default() };
        async move { (place, indexes, in_place(inner, place, list, ending, blocked).await) }
    });
    let mut visited = Visited::new();
    for (place, indexes, (done, seen)) in join_all(runs).await {
        for (index, outcome) in indexes.into_iter().zip(done) {
            outcomes[index] = Some(outcome);
        }
        if let (Place::Sandbox(id), Some(seen)) = (place, seen) {
            visited.insert(id, seen);
        }
    }
    // Every other index is in exactly one place's list.
    Applied { outcomes: outcomes.into_iter().flatten().collect(), visited }
}

fn steps(operations: &[Operation]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        match (operation, steps.last_mut()) {
            (Operation::Delete(Object::Link(_)), Some(Step::Links(links))) => links.push(index),
            (Operation::Delete(Object::Link(_)), _) => steps.push(Step::Links(vec![index])),
            (Operation::Delete(Object::Namespace(_) | Object::OverlayNamespace), Some(Step::Links(links))) => {
                let links = std::mem::take(links);
                steps.pop();
                steps.push(Step::Namespace(links, index));
            }
            (Operation::Delete(Object::Namespace(_) | Object::OverlayNamespace), _) => {
                steps.push(Step::Namespace(Vec::new(), index))
            }
            (Operation::Delete(Object::Stray(_)), _) => steps.push(Step::Stray(index)),
            (_, Some(Step::Visit(visit))) => visit.push(index),
            _ => steps.push(Step::Visit(vec![index])),
        }
    }
    steps
}

/// Applies the operations of one place; answers what was seen there, if the last was a visit that all went well in.
async fn in_place(
    inner: &Arc<Inner>,
    place: Place,
    operations: Vec<Operation>,
    ending: Option<Arc<Ending>>,
    mut blocked: Blocked,
) -> (Vec<Outcome>, Option<Look>) {
    let operations = Arc::new(operations);
    let mut outcomes: Vec<Outcome> = vec![Ok(()); operations.len()];
    let mut seen = None;
    for step in steps(&operations) {
        seen = None;
        let mut settle = |index: usize, outcome: Outcome, blocked: &mut Blocked| {
            if outcome.is_err() {
                blocked.failed(operations[index].object());
            }
            outcomes[index] = outcome;
        };
        match step {
            Step::Visit(indexes) => {
                let done = run_visit(inner, place, &operations, &indexes, blocked.clone(), ending.clone()).await;
                (blocked, seen) = (done.blocked, done.seen);
                if let Some(settings) = done.made {
                    spare::make_next(inner, settings);
                }
                let done = done.outcomes;
                indexes.into_iter().zip(done).for_each(|(index, outcome)| settle(index, outcome, &mut blocked));
            }
            Step::Links(indexes) => {
                for (index, outcome) in remove_links(inner, place, &operations, &indexes).await {
                    settle(index, outcome, &mut blocked);
                }
            }
            Step::Stray(index) => settle(index, remove_stray(inner, &operations[index]).await, &mut blocked),
            Step::Namespace(links, index) => {
                for (index, outcome) in remove_namespace(inner, &operations, &links, index).await {
                    settle(index, outcome, &mut blocked);
                }
            }
        }
    }
    (outcomes, seen)
}

async fn run_visit(
    inner: &Arc<Inner>,
    place: Place,
    operations: &Arc<Vec<Operation>>,
    indexes: &[usize],
    blocked: Blocked,
    ending: Option<Arc<Ending>>,
) -> Visit {
    let list: Vec<Operation> = indexes.iter().map(|index| operations[*index].clone()).collect();
    let (job, lost) = (inner.clone(), list.clone());
    let done = inner.workers.run(move |worker| visit(&job, worker, place, &list, blocked, ending.as_deref())).await;
    done.unwrap_or_else(|error| {
        let refuse = |operation| Err(subject(inner, operation).refusal("kernel-refused", &error));
        let blocked = Blocked { place: true, ..Blocked::default() };
        Visit { outcomes: lost.iter().map(refuse).collect(), blocked, seen: None, made: None }
    })
}

async fn remove_links(
    inner: &Arc<Inner>,
    place: Place,
    operations: &[Operation],
    indexes: &[usize],
) -> Vec<(usize, Outcome)> {
    let links = indexes
        .iter()
        .filter_map(|index| match operations[*index].object() {
            Object::Link(link) => Some(reap::Target::from(link)),
            _ => None,
        })
        .collect();
    let reaped = reap::links(inner, place, reap::Wanted::Named(links)).await;
    indexes.iter().map(|index| (*index, link_outcome(inner, &operations[*index], &reaped))).collect()
}

fn link_outcome(inner: &Inner, operation: &Operation, reaped: &Reaped) -> Outcome {
    let Object::Link(link) = operation.object() else { return Ok(()) };
    let subject = subject(inner, operation);
    match reaped {
        Reaped::Nowhere => Ok(()),
        Reaped::Failed(words) => Err(subject.refusal("kernel-refused", words)),
        Reaped::Links(fate) => fate.stands.get(&link.name).map_or(Ok(()), |cause| Err(cause.refusal(&subject))),
    }
}

/// Removes a namespace: first what of ours is inside, by proof, because a process may keep the rest alive; then what pins it.
async fn remove_namespace(
    inner: &Arc<Inner>,
    operations: &[Operation],
    links: &[usize],
    index: usize,
) -> Vec<(usize, Outcome)> {
    let (whose, source) = match operations[index].object() {
        Object::Namespace(Namespace { sandbox, source, .. }) => (Pinned::Sandbox(*sandbox), source),
        Object::OverlayNamespace => (Pinned::Overlay, &NamespaceSource::Made),
        _ => return Vec::new(),
    };
    let place = whose.place();
    if *source != NamespaceSource::Made {
        let mut outcomes = remove_links(inner, place, operations, links).await;
        if outcomes.iter().all(|(_, outcome)| outcome.is_ok()) {
            let_go(inner, whose);
            outcomes.push((index, Ok(())));
        } else {
            outcomes.push((index, Err(subject(inner, &operations[index]).skipped())));
        }
        return outcomes;
    }
    let reaped = reap::links(inner, place, reap::Wanted::All).await;
    let mut outcomes: Vec<(usize, Outcome)> =
        links.iter().map(|link| (*link, link_outcome(inner, &operations[*link], &reaped))).collect();
    let outcome = match &reaped {
        Reaped::Nowhere => unpin(inner, whose, &operations[index]).await,
        Reaped::Links(fate) if fate.stands.is_empty() => unpin(inner, whose, &operations[index]).await,
        Reaped::Links(_) => Err(subject(inner, &operations[index]).skipped()),
        Reaped::Failed(words) => Err(subject(inner, &operations[index]).refusal("kernel-refused", words)),
    };
    outcomes.push((index, outcome));
    outcomes
}

async fn remove_stray(inner: &Arc<Inner>, operation: &Operation) -> Outcome {
    let Object::Stray(stray) = operation.object() else { return Ok(()) };
    let (job, wanted) = (inner.clone(), stray.clone());
    let removed = inner.reapers.run(move |worker| stray::remove(&job, worker, &wanted)).await;
    let subject = subject(inner, operation);
    match removed {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(subject.failed(&failure)),
        Err(error) => Err(subject.refusal("kernel-refused", error)),
    }
}

fn let_go(inner: &Inner, whose: Pinned) {
    match whose {
        Pinned::Sandbox(sandbox) => inner.registry.let_go(sandbox),
        Pinned::Overlay => inner.registry.let_go_overlay(),
    }
}

async fn unpin(inner: &Arc<Inner>, whose: Pinned, operation: &Operation) -> Outcome {
    let subject = subject(inner, operation);
    let injected = |injected| subject.refusal("kernel-refused", injected);
    netloom_fault::point("kernel.namespace.before_unmount").map_err(injected)?;
    let pins = inner.clone();
    match inner.workers.run(move |_| pins.pins.unpin(whose)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => return Err(subject.failed(&failure)),
        Err(error) => return Err(subject.refusal("kernel-refused", error)),
    }
    let_go(inner, whose);
    netloom_fault::point("kernel.namespace.after_unmount").map_err(injected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::SandboxId;
    use netloom_plan::marks::Marks;
    use netloom_plan::object::{Address, Link, LinkKind};

    fn link(name: &str) -> Object {
        Object::Link(Link {
            place: Place::Host,
            name: name.to_owned(),
            kind: LinkKind::Loopback,
            mac: None,
            mtu: None,
            up: true,
            arp: true,
            owner: String::new(),
            marks: Marks::Whole,
        })
    }

    #[test]
    fn removals_of_links_join_the_removal_of_their_namespace() {
        let sandbox = SandboxId::from_random([1; 16]);
        let namespace = Object::Namespace(Namespace { sandbox, name: "a".to_owned(), source: NamespaceSource::Made });
        let address = Object::Address(Address {
            place: Place::Host,
            link: "x".to_owned(),
            address: [192, 0, 2, 1].into(),
            prefix_length: 24,
            is_routed: true,
        });
        let list = [
            Operation::Delete(address.clone()),
            Operation::Delete(link("x")),
            Operation::Delete(link("y")),
            Operation::Delete(namespace.clone()),
            Operation::Create(namespace),
            Operation::Create(link("x")),
        ];
        let shape: Vec<String> = steps(&list)
            .iter()
            .map(|step| match step {
                Step::Visit(indexes) => format!("visit {indexes:?}"),
                Step::Links(indexes) => format!("links {indexes:?}"),
                Step::Stray(index) => format!("stray {index}"),
                Step::Namespace(links, index) => format!("namespace {links:?} {index}"),
            })
            .collect();
        assert_eq!(shape, ["visit [0]", "namespace [1, 2] 3", "visit [4, 5]"]);
    }
}
