//! One visit of one thread to one stack: makes and changes what it is told, in order, many requests in one send.
//!
//! Links are removed elsewhere (`reap`), because that takes a thread for 20 ms. What must not live here: retries.

mod blocked;
mod bridge;
mod firewall;
mod lent;
mod namespace;
mod object;
mod overlay;
mod subject;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Instant;

use netloom_model::plan::Refusal;
use netloom_plan::object::{Address, Link, LinkKind, Object, Observed, Operation, Place, Sysctl};

use crate::apply::Ending;
use crate::error::{Failure, Subject};
use crate::handle::{Inner, Look, Sockets};
use crate::message::{address, link};
use crate::observe::{self, Known, NewLinks};
use crate::rtnl::{self, Request, Rtnl};
use crate::sockets;
use crate::solicited;
use crate::stack::Stack;
use crate::worker::Worker;
pub(crate) use blocked::Blocked;
pub(crate) use subject::subject;

/// Whether what lies between two fault points is sent by itself, so that a test can stop there.
const STEP_BY_STEP: bool = cfg!(feature = "fault-points");

/// Most links of the host that are looked at one by one rather than all at once.
pub(crate) const FEW: usize = 16;

/// How one operation came out.
pub(crate) type Outcome = Result<(), Refusal>;

/// What a request is for, which decides what its failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Makes or changes.
    Make,
    /// Removes: that nothing is there is as good.
    Unmake,
}

struct Queued {
    operation: usize,
    purpose: Purpose,
    request: Request,
}

/// The state of one visit.
struct Visiting<'a> {
    inner: &'a Inner,
    worker: &'a mut Worker,
    place: Place,
    stack: Stack,
    /// Nobody else has been in this namespace, so that indexes and names can't be taken meanwhile.
    fresh: bool,
    /// Settings that are made already, by path.
    settings: HashMap<String, String>,
    /// Sockets that the namespace was made with.
    sockets: Option<Sockets>,
    operations: &'a [Operation],
    outcomes: Vec<Option<Outcome>>,
    links: HashMap<String, link::Seen>,
    /// The names of those that this visit made.
    made: HashSet<String>,
    addresses: Option<Vec<address::Seen>>,
    queue: Vec<Queued>,
    /// A socket in the overlay namespace, once it was needed.
    overlay: Option<Rtnl>,
    blocked: &'a mut Blocked,
}

/// What came of a visit.
pub(crate) struct Visit {
    /// One outcome for each operation.
    pub(crate) outcomes: Vec<Outcome>,
    /// What can't be built on any more.
    pub(crate) blocked: Blocked,
    /// What the stack looked like at the end, where that was asked for and nothing was refused.
    pub(crate) seen: Option<Look>,
    /// The settings of the namespace that was made, if one was: path and value.
    pub(crate) made: Option<Vec<(String, String)>>,
}

/// Applies operations in one stack, and in a sandbox does what is to be done at the end.
pub(crate) fn visit(
    inner: &Inner,
    worker: &mut Worker,
    place: Place,
    operations: &[Operation],
    mut blocked: Blocked,
    ending: Option<&Ending>,
) -> Visit {
    if blocked.place {
        let outcomes = operations.iter().map(|operation| Err(subject(inner, operation).skipped())).collect();
        return Visit { outcomes, blocked, seen: None, made: None };
    }
    let entered = match namespace::enter(inner, worker, place, operations) {
        Ok(entered) => entered,
        Err(refuse) => {
            blocked.place = true;
            let first = operations.first().map(|operation| Err(refuse(&subject(inner, operation))));
            let rest = operations.iter().skip(1).map(|operation| Err(subject(inner, operation).skipped()));
            let outcomes = first.into_iter().chain(rest).collect();
            return Visit { outcomes, blocked, seen: None, made: None };
        }
    };
    let mut visiting = Visiting {
        inner,
        worker,
        place,
        stack: entered.stack,
        fresh: entered.fresh,
        settings: entered.settings,
        sockets: entered.sockets,
        operations,
        outcomes: vec![None; operations.len()],
        links: HashMap::new(),
        made: HashSet::new(),
        addresses: None,
        queue: Vec::new(),
        overlay: None,
        blocked: &mut blocked,
    };
    visiting.run(entered.links);
    let seen = ending.and_then(|ending| visiting.end(ending));
    let made = visiting.fresh.then(|| settings_of_stack(operations));
    let outcomes = visiting.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Ok(()))).collect();
    Visit { outcomes, blocked, seen, made }
}

/// The settings among operations that hold for a whole stack.
fn settings_of_stack(operations: &[Operation]) -> Vec<(String, String)> {
    let setting = |operation: &Operation| match operation.object() {
        object @ Object::Sysctl(sysctl) if object.link().is_none() => Some((sysctl.path.clone(), sysctl.value.clone())),
        _ => None,
    };
    operations.iter().filter_map(setting).collect()
}

/// Whether two addresses differ in what goes with them alone.
fn is_same_address(one: &Address, other: &Address) -> bool {
    (one.address, one.prefix_length) == (other.address, other.prefix_length)
}

/// The links that an operation goes by.
fn meant_links(operation: &Operation) -> impl Iterator<Item = &str> {
    let from = match operation {
        Operation::Change { from, .. } => from.link(),
        _ => None,
    };
    let parent = match operation.object() {
        Object::Link(Link { kind: LinkKind::Macvlan { parent, .. }, .. }) => Some(parent.as_str()),
        _ => None,
    };
    let bridge = match operation.object() {
        Object::Link(Link { kind: LinkKind::Vxlan { bridge, .. }, .. }) => Some(bridge.as_str()),
        _ => None,
    };
    operation.object().link().into_iter().chain(from).chain(parent).chain(bridge).filter(|name| !name.is_empty())
}

impl Visiting<'_> {
    fn run(&mut self, links: Option<Vec<link::Seen>>) {
        let known = match links {
            Some(links) => {
                self.know_links(links);
                Ok(())
            }
            None => self.look_at_meant_links(),
        };
        if let Err(failure) = known {
            for index in 0..self.operations.len() {
                let refusal = self.subject(index).failed(&failure);
                self.settle(index, Err(refusal));
            }
            return;
        }
        self.give_back();
        self.firewall();
        self.beside_firewall();
        for index in 0..self.operations.len() {
            let operation = &self.operations[index];
            if self.blocked.stops(operation.object()) {
                // What is queued may still fail and be the cause; it is settled first.
                self.flush();
                let refusal = self.subject(index).skipped();
                self.settle(index, Err(refusal));
                continue;
            }
            if let Err(refusal) = self.one(index, operation) {
                self.settle(index, Err(refusal));
            }
        }
        self.flush();
        solicited::wait_for(&self.new_ipv6_addresses());
    }

    /// The IPv6 addresses that were set in this visit.
    fn new_ipv6_addresses(&self) -> Vec<solicited::OnLink> {
        let set = self.operations.iter().zip(&self.outcomes).filter_map(|(operation, outcome)| match operation {
            Operation::Create(Object::Address(address)) | Operation::Change { to: Object::Address(address), .. }
                if !matches!(outcome, Some(Err(_))) =>
            {
                Some(address)
            }
            _ => None,
        });
        set.filter_map(|address| match address.address {
            IpAddr::V6(ip) => self.links.get(&address.link).map(|link| (link.index, ip)),
            IpAddr::V4(_) => None,
        })
        .collect()
    }

    /// Starts one operation: done at once, or queued.
    fn one(&mut self, index: usize, operation: &Operation) -> Outcome {
        match operation {
            Operation::Create(Object::Namespace(_) | Object::OverlayNamespace)
            | Operation::Change { to: Object::Namespace(_) | Object::OverlayNamespace, .. } => Ok(()),
            Operation::Create(Object::Forwarding(one)) | Operation::Change { to: Object::Forwarding(one), .. } => {
                self.set_forwarding(index, one)
            }
            Operation::Create(Object::Neighbour(one)) | Operation::Change { to: Object::Neighbour(one), .. } => {
                self.set_neighbour(index, one)
            }
            Operation::Delete(object @ (Object::Forwarding(_) | Object::Neighbour(_))) => {
                self.delete_entry(index, object)
            }
            Operation::Create(Object::Sysctl(sysctl)) | Operation::Change { to: Object::Sysctl(sysctl), .. } => {
                self.setting(index, sysctl)
            }
            Operation::Create(Object::Link(link)) => self.create_link(index, link),
            Operation::Change { from: Object::Link(from), to: Object::Link(to) } => self.change_link(index, from, to),
            Operation::Create(Object::Address(address)) => self.create_address(index, address),
            Operation::Delete(Object::Address(address)) => self.delete_address(index, address),
            Operation::Change { from: Object::Address(from), to: Object::Address(to) } if is_same_address(from, to) => {
                self.route_to_subnet(index, to)
            }
            Operation::Change { from: Object::Address(from), to: Object::Address(to) } => {
                self.delete_address(index, from)?;
                self.create_address(index, to)
            }
            Operation::Create(Object::Route(route)) => self.create_route(index, route),
            Operation::Delete(Object::Route(route)) => {
                self.delete_route(index, route);
                Ok(())
            }
            Operation::Change { from: Object::Route(from), to: Object::Route(to) } => {
                self.delete_route(index, from);
                self.create_route(index, to)
            }
            Operation::Create(Object::Lent(lent)) | Operation::Change { to: Object::Lent(lent), .. } => {
                self.lend(index, lent)
            }
            // Done already.
            Operation::Create(Object::Firewall(_))
            | Operation::Change { to: Object::Firewall(_), .. }
            | Operation::Delete(Object::Firewall(_))
            | Operation::Create(Object::PassRule(_))
            | Operation::Change { to: Object::PassRule(_), .. }
            | Operation::Delete(Object::PassRule(_) | Object::Lent(_)) => Ok(()),
            Operation::Create(Object::Stray(_)) | Operation::Delete(_) | Operation::Change { .. } => {
                let why = "this can't be done to an object of its kind";
                Err(self.subject(index).refusal("kernel-refused", why))
            }
        }
    }

    /// Looks around in a sandbox where nothing was refused, and opens sockets there where they are asked for. What can't be seen now is looked at again, by who then says why.
    fn end(&mut self, ending: &Ending) -> Option<Look> {
        let Place::Sandbox(sandbox) = self.place else { return None };
        if self.outcomes.iter().flatten().any(Result::is_err) {
            return None;
        }
        self.inner.listener.take_in(&self.inner.registry);
        // The end of a namespace that had this ID before may have been heard only now.
        if let Some(ids) = self.stack.ids {
            self.inner.registry.set_ids(self.place, self.stack.id.cookie, ids);
        }
        let (began, mut observed) = (Instant::now(), Observed::default());
        let new_links = if self.fresh { NewLinks::All } else { NewLinks::Named(&self.made) };
        let known = Known { counters: link::Counters::With, settings: &self.settings, new_links };
        let (inner, worker, stack) = (self.inner, &mut *self.worker, &mut self.stack);
        let found = observe::inside(inner, worker, &ending.scope, sandbox, stack, known, &mut observed).ok()?;
        let listens = ending.listen.contains(&sandbox);
        let sockets = listens.then(|| self.listen()).flatten().map(|sockets| (sandbox, sockets)).into_iter().collect();
        Some(Look { began, observed, interfaces: BTreeMap::from([(sandbox, found)]), sockets })
    }

    /// The sockets that the namespace was made with, or new ones. Where that fails, whoever wants them asks for them and hears why.
    fn listen(&mut self) -> Option<Sockets> {
        let here = || self.inner.sockets_at.get().and_then(|at| sockets::here(*at).ok());
        self.sockets.take().or_else(here)
    }

    fn subject(&self, index: usize) -> Subject {
        subject(self.inner, &self.operations[index])
    }

    fn setting(&mut self, index: usize, sysctl: &Sysctl) -> Outcome {
        if self.settings.get(&sysctl.path) == Some(&sysctl.value) {
            return Ok(());
        }
        // A link's settings are there only once the link is.
        self.flush();
        if self.blocked.stops(self.operations[index].object()) {
            return Err(self.subject(index).skipped());
        }
        self.stack
            .settings
            .write(&sysctl.path, &sysctl.value)
            .map_err(|error| self.subject(index).failed(&error.into()))
    }

    /// Looks at the links that the operations are about. In a sandbox those are nearly all there are; a host may have a thousand.
    fn look_at_meant_links(&mut self) -> Result<(), Failure> {
        let names: BTreeSet<&str> = self.operations.iter().flat_map(meant_links).collect();
        if matches!(self.place, Place::Sandbox(_)) || names.len() > FEW {
            return self.look_at_links();
        }
        let found: Result<Vec<_>, _> = names.iter().map(|name| link::by_name(&mut self.stack.rtnl, name)).collect();
        self.know_links(found?.into_iter().flatten().collect());
        Ok(())
    }

    fn look_at_links(&mut self) -> Result<(), Failure> {
        let links = link::dump(&mut self.stack.rtnl, link::Counters::Without)?;
        self.know_links(links);
        Ok(())
    }

    fn know_links(&mut self, links: Vec<link::Seen>) {
        self.links = links.into_iter().map(|link| (link.name.clone(), link)).collect();
    }

    fn push(&mut self, operation: usize, purpose: Purpose, request: Request) {
        self.queue.push(Queued { operation, purpose, request });
    }

    /// Sends what is queued and settles what comes back.
    fn flush(&mut self) {
        let queued = std::mem::take(&mut self.queue);
        if queued.is_empty() {
            return;
        }
        let (whats, requests): (Vec<_>, Vec<_>) =
            queued.into_iter().map(|queued| ((queued.operation, queued.purpose), queued.request)).unzip();
        let answers = self.stack.rtnl.execute(requests);
        for ((index, purpose), answer) in whats.into_iter().zip(answers) {
            let Err(failure) = answer else { continue };
            if purpose == Purpose::Unmake && rtnl::is_absent(&failure) {
                continue;
            }
            let outcome = self.judge(index, &failure);
            if outcome.is_err() {
                self.settle(index, outcome);
            }
        }
    }

    /// The first failure of an operation is its outcome; what fails with it is said to have been skipped.
    fn settle(&mut self, index: usize, outcome: Outcome) {
        if self.outcomes[index].is_some() {
            return;
        }
        if outcome.is_err() {
            self.blocked.failed(self.operations[index].object());
        }
        self.outcomes[index] = Some(outcome);
    }

    /// Passes a fault point in a build that has them live: everything before it is sent first.
    fn point(&mut self, index: usize, name: &'static str) -> Outcome {
        if STEP_BY_STEP {
            self.flush();
            if let Some(Err(refusal)) = &self.outcomes[index] {
                return Err(refusal.clone());
            }
        }
        netloom_fault::point(name).map_err(|injected| self.subject(index).refusal("kernel-refused", injected))
    }
}
