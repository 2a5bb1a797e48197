//! Looking: what of ours is there, and what of others stands beside it.
//!
//! What must not live here: comparing, deciding.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;
use netloom_model::sandbox::InterfaceStatus;
use netloom_plan::foreign_chains::ForeignChains;
use netloom_plan::object::{Key, Link, LinkKind, Namespace, Object, Observed, Place, Scope};

use crate::error::Failure;
use crate::handle::{Inner, Look, WORKERS};
use crate::message::link::Counters;
use crate::message::{address, link, route};
use crate::stack::{self, Absent, Stack};
use crate::visit::FEW;
use crate::worker::Worker;
use crate::{Error, interfaces, stray};

mod beyond;
mod overlay;
mod seen;
mod settings;

use seen::{Seen, look};

/// What was seen of sandboxes at the end of visits.
pub(crate) type Visited = BTreeMap<SandboxId, Look>;

/// Most sandboxes that one thread looks at in one job.
const PER_JOB: usize = 64;
/// What the tunnel modules put into every namespace by themselves.
const FALLBACK_TUNNELS: &[&str] =
    &["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

/// What one of the threads saw that look side by side.
#[derive(Default)]
struct Part {
    observed: Observed,
    interfaces: BTreeMap<SandboxId, Vec<InterfaceStatus>>,
}

impl From<Observed> for Part {
    fn from(observed: Observed) -> Self {
        Self { observed, ..Self::default() }
    }
}

/// Looks at what a scope names; not again into the sandboxes that were looked into at the end of a visit. With counters the look has the interfaces
/// of all of them.
pub(crate) async fn observe(
    inner: &Arc<Inner>,
    scope: Arc<Scope>,
    visited: Visited,
    counters: Counters,
) -> Result<Look, Error> {
    inner.registry.learn(&scope.sandboxes);
    inner.listener.take_in(&inner.registry);
    let began = visited.values().map(|look| look.began).min().unwrap_or_else(Instant::now);
    let unseen = scope.sandboxes.iter().filter(|(id, source)| {
        !visited.contains_key(*id)
            && (scope.everything || **source != NamespaceSource::Made || inner.pins.is_there(**id))
    });
    let mut sandboxes: BTreeSet<SandboxId> = unseen.map(|(id, _)| *id).collect();
    if scope.everything {
        let pins = inner.clone();
        let found = inner.workers.run(move |_| pins.pins.list()).await?;
        let found = found.map_err(|error| Error::system("read the directory of namespaces", error))?;
        sandboxes.extend(found.into_iter().filter(|id| !visited.contains_key(id)));
    }
    let mut observed = Observed::default();
    if !scope.everything {
        sandboxes.retain(|id| !scope.only_there.contains(id) || !only_there(inner, *id, &mut observed));
    }
    let mut looks = Vec::new();
    if scope.host || scope.firewall || scope.everything || scope.sysctls.contains_key(&Place::Host) {
        let (inner, scope) = (inner.clone(), scope.clone());
        looks.push(inner.clone().workers.start(move |worker| host(&inner, worker, &scope).map(Part::from)));
    }
    if scope.overlay.is_some() || scope.everything || scope.sysctls.contains_key(&Place::Overlay) {
        let (inner, scope) = (inner.clone(), scope.clone());
        looks.push(inner.clone().workers.start(move |worker| overlay::look(&inner, worker, &scope).map(Part::from)));
    }
    let sandboxes: Vec<SandboxId> = sandboxes.into_iter().collect();
    let share = sandboxes.len().div_ceil(WORKERS).clamp(1, PER_JOB);
    for some in sandboxes.chunks(share) {
        let (inner, scope, some) = (inner.clone(), scope.clone(), some.to_vec());
        looks.push(inner.clone().workers.start(move |worker| several(&inner, worker, &scope, &some, counters)));
    }
    let mut add = |part: Observed| {
        observed.ours.extend(part.ours);
        observed.foreign.extend(part.foreign);
        observed.gone.extend(part.gone);
        // Only the look at the host has any.
        if part.foreign_chains != ForeignChains::default() {
            observed.foreign_chains = part.foreign_chains;
        }
    };
    let (mut interfaces, mut sockets) = (BTreeMap::new(), BTreeMap::new());
    for look in visited.into_values() {
        interfaces.extend(look.interfaces);
        sockets.extend(look.sockets);
        add(look.observed);
    }
    for look in looks {
        let part = look.await.map_err(|_| Error::WorkerGone)??;
        interfaces.extend(part.interfaces);
        add(part.observed);
    }
    stray::look(inner, &scope, &mut observed).await?;
    Ok(Look { began, observed, interfaces, sockets })
}

/// Sees of a sandbox only that its namespace is there; unless it is one that we did not make.
fn only_there(inner: &Inner, sandbox: SandboxId, observed: &mut Observed) -> bool {
    let source = inner.registry.source(sandbox);
    if source != NamespaceSource::Made {
        return false;
    }
    put(&mut observed.ours, Object::Namespace(Namespace { sandbox, name: inner.registry.name(sandbox), source }));
    true
}

fn several(
    inner: &Inner,
    worker: &mut Worker,
    scope: &Scope,
    sandboxes: &[SandboxId],
    counters: Counters,
) -> Result<Part, Error> {
    let mut part = Part::default();
    for sandbox in sandboxes {
        let interfaces = enter_and_look(inner, worker, scope, *sandbox, counters, &mut part.observed)?;
        let interfaces = interfaces.filter(|_| counters == Counters::With);
        part.interfaces.extend(interfaces.map(|interfaces| (*sandbox, interfaces)));
    }
    Ok(part)
}

/// Looks into one sandbox; answers its interfaces. A namespace of ours that is not there is simply not observed.
fn enter_and_look(
    inner: &Inner,
    worker: &mut Worker,
    scope: &Scope,
    sandbox: SandboxId,
    counters: Counters,
    observed: &mut Observed,
) -> Result<Option<Vec<InterfaceStatus>>, Error> {
    let source = inner.registry.source(sandbox);
    if source == NamespaceSource::Host {
        return Ok(None);
    }
    let mut stack = match stack::enter(inner, worker, Place::Sandbox(sandbox)) {
        Ok(stack) => stack,
        Err(Absent::Gone(found)) => {
            if source != NamespaceSource::Made {
                observed.gone.insert(sandbox, found);
            }
            return Ok(None);
        }
        Err(failed) => return Err(failed.into()),
    };
    let known = Known { counters, settings: &HashMap::new(), new_links: NewLinks::None };
    inside(inner, worker, scope, sandbox, &mut stack, known, observed).map(Some)
}

/// How a sandbox is looked at.
pub(crate) struct Known<'a> {
    /// Whether the interfaces' counters are wanted.
    pub(crate) counters: Counters,
    /// Settings that were read already, by path.
    pub(crate) settings: &'a HashMap<String, String>,
    /// The links that were made just now: their settings are watched a moment later.
    pub(crate) new_links: NewLinks<'a>,
}

/// Links of a stack that were made just now.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NewLinks<'a> {
    /// All: nobody else has been there yet, and they have the settings that they inherited.
    All,
    /// Those of these names.
    Named(&'a HashSet<String>),
    /// None that is known of.
    None,
}

impl NewLinks<'_> {
    /// Whether a link is one of them.
    fn contains(self, link: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(link),
            Self::None => false,
        }
    }
}

/// Looks around in the stack of a sandbox; answers its interfaces.
pub(crate) fn inside(
    inner: &Inner,
    worker: &mut Worker,
    scope: &Scope,
    sandbox: SandboxId,
    stack: &mut Stack,
    known: Known<'_>,
    observed: &mut Observed,
) -> Result<Vec<InterfaceStatus>, Error> {
    let place = Place::Sandbox(sandbox);
    let source = inner.registry.source(sandbox);
    let made = source == NamespaceSource::Made;
    put(&mut observed.ours, Object::Namespace(Namespace { sandbox, name: inner.registry.name(sandbox), source }));
    let seen = look(inner, stack, worker, None, route::Filter::Main, known.counters)
        .map_err(|failure| Error::system(format!("look into {}", inner.registry.name(sandbox)), failure))?;
    for found in seen.links.values() {
        let object = Object::Link(seen.link(place, found));
        let ours = if found.is_loopback() { made } else { found.is_ours() };
        if ours {
            put(&mut observed.ours, object);
        } else if !FALLBACK_TUNNELS.contains(&found.name.as_str()) {
            put(&mut observed.foreign, object);
        }
    }
    for found in seen.addresses.iter().filter(|address| address.ours || !address.automatic) {
        let object = Object::Address(seen.address(place, found));
        put(if found.ours { &mut observed.ours } else { &mut observed.foreign }, object);
    }
    for found in seen.routes.iter().filter(|route| route.is_ours() || !route.is_automatic()) {
        let object = Object::Route(seen.route(place, found));
        put(if found.is_ours() { &mut observed.ours } else { &mut observed.foreign }, object);
    }
    settings::look(inner, scope, place, stack, &known, observed)?;
    Ok(interfaces::statuses(seen.links.values(), &seen.addresses))
}

/// Looks at the host's stack: ours by their marks, and foreign links under names that are wanted.
fn host(inner: &Inner, worker: &mut Worker, scope: &Scope) -> Result<Observed, Error> {
    let mut observed = Observed::default();
    let mut stack = stack::enter(inner, worker, Place::Host)?;
    if scope.firewall || scope.everything {
        let seen = inner.firewall.look(scope).map_err(|error| Error::Firewall(error.to_string()))?;
        seen.parts.into_iter().for_each(|part| put(&mut observed.ours, Object::Firewall(part)));
        let rules = seen.around.rules.iter().cloned();
        rules.for_each(|rule| put(&mut observed.ours, Object::PassRule(rule)));
        observed.foreign_chains = seen.around.foreign_chains.clone();
        let lent = inner.ledger.list().map_err(|error| Error::system("read what the host's links lend", error))?;
        lent.into_iter().for_each(|lent| put(&mut observed.ours, Object::Lent(lent)));
    }
    if scope.host || scope.everything {
        let gone_before = inner.listener.gone_from(None);
        // A host may have a thousand ports: what is not asked for is not looked at.
        let names = (!scope.everything).then_some(scope.host_links.as_slice());
        let mut seen = look(inner, &mut stack, worker, names, route::Filter::Ours, Counters::Without)
            .map_err(|failure| Error::system("look at the host's links", failure))?;
        let through = routes_through_ours(&mut stack, &mut seen)
            .map_err(|failure| Error::system("look at routes through the host's links", failure))?;
        if scope.everything {
            inner.listener.know(None, seen.links.values().cloned(), gone_before);
        }
        for found in seen.links.values() {
            let object = Object::Link(seen.link(Place::Host, found));
            let is_port_of_ours = matches!(&object, Object::Link(Link { kind: LinkKind::ForeignPort { .. }, .. }));
            if found.is_ours() {
                put(&mut observed.ours, object);
            } else if scope.host_links.contains(&found.name) || (scope.everything && is_port_of_ours) {
                put(&mut observed.foreign, object);
            }
        }
        let on_ours = |address: &address::Seen| seen.links.get(&address.link).is_some_and(link::Seen::is_ours);
        for found in seen.addresses.iter().filter(|address| address.ours || (on_ours(address) && !address.automatic)) {
            let object = Object::Address(seen.address(Place::Host, found));
            put(if found.ours { &mut observed.ours } else { &mut observed.foreign }, object);
        }
        for found in &seen.routes {
            put(&mut observed.ours, Object::Route(seen.route(Place::Host, found)));
        }
        // They are only told of, so that a look at a few links does without.
        if scope.everything {
            for found in through.iter().filter(|route| !route.is_ours() && !route.is_automatic()) {
                put(&mut observed.foreign, Object::Route(seen.route(Place::Host, found)));
            }
        }
    }
    let known = Known { counters: Counters::Without, settings: &HashMap::new(), new_links: NewLinks::None };
    settings::look(inner, scope, Place::Host, &stack, &known, &mut observed)?;
    Ok(observed)
}

fn put(objects: &mut BTreeMap<Key, Object>, object: Object) {
    objects.insert(object.key(), object);
}

/// Routes through bridges and shims of ours, and with them which addresses of ours miss theirs. The host's other routes are none of our business, and
/// there may be very many: they are passed over by the kernel, or where it would have to be asked often, here.
fn routes_through_ours(stack: &mut Stack, seen: &mut Seen) -> Result<Vec<route::Seen>, Failure> {
    let is_way = |link: &&link::Seen| link.is_ours() && link.controller.is_none();
    let ways: BTreeSet<u32> = seen.links.values().filter(is_way).map(|link| link.index).collect();
    let mut routes = Vec::new();
    if ways.len() > FEW {
        routes = route::dump(&mut stack.rtnl, route::Filter::Main)?;
    } else {
        for link in &ways {
            routes.extend(route::dump(&mut stack.rtnl, route::Filter::Through(*link))?);
        }
    }
    seen.unrouted = seen.without_routes(&routes);
    if !seen.unrouted.is_empty() {
        seen.unrouted = seen.without_routes(&route::dump(&mut stack.rtnl, route::Filter::Main)?);
    }
    routes.retain(|route| route.link.is_some_and(|link| ways.contains(&link)));
    Ok(routes)
}
