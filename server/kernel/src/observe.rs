//! Looking: what of ours is there, and what of others stands beside it.
//!
//! What must not live here: comparing, deciding.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;
use netloom_model::sandbox::InterfaceStatus;
use netloom_plan::object::{
    Address, Key, Link, LinkKind, Mark, Namespace, Object, Observed, Place, Route, Scope, Sysctl,
};

use crate::error::Failure;
use crate::handle::{Inner, Look, WORKERS};
use crate::message::link::{Counters, Mark as Whose};
use crate::message::{address, link, route};
use crate::registry::LinkKnown;
use crate::stack::{self, Absent, Stack};
use crate::worker::Worker;
use crate::{Error, interfaces, stray, sysctl};

/// What was seen of sandboxes at the end of visits.
pub(crate) type Visited = BTreeMap<SandboxId, Look>;

/// Most sandboxes that one thread looks at in one job.
const PER_JOB: usize = 64;
/// What the tunnel modules put into every namespace by themselves.
const FALLBACK_TUNNELS: &[&str] =
    &["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

/// Looks at what a scope names; not again into the sandboxes that were looked into at the end of a visit.
pub(crate) async fn observe(inner: &Arc<Inner>, scope: Arc<Scope>, visited: Visited) -> Result<Look, Error> {
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
    let mut looks = Vec::new();
    if scope.host || scope.everything || scope.sysctls.iter().any(|(place, _)| *place == Place::Host) {
        let (inner, scope) = (inner.clone(), scope.clone());
        looks.push(inner.clone().workers.start(move |worker| host(&inner, worker, &scope)));
    }
    let sandboxes: Vec<SandboxId> = sandboxes.into_iter().collect();
    let share = sandboxes.len().div_ceil(WORKERS).clamp(1, PER_JOB);
    for some in sandboxes.chunks(share) {
        let (inner, scope, some) = (inner.clone(), scope.clone(), some.to_vec());
        looks.push(inner.clone().workers.start(move |worker| several(&inner, worker, &scope, &some)));
    }
    let mut observed = Observed::default();
    let mut add = |part: Observed| {
        observed.ours.extend(part.ours);
        observed.foreign.extend(part.foreign);
        observed.gone.extend(part.gone);
    };
    let (mut interfaces, mut sockets) = (BTreeMap::new(), BTreeMap::new());
    for look in visited.into_values() {
        interfaces.extend(look.interfaces);
        sockets.extend(look.sockets);
        add(look.observed);
    }
    for look in looks {
        add(look.await.map_err(|_| Error::WorkerGone)??);
    }
    strays(inner, &scope, &mut observed).await?;
    Ok(Look { began, observed, interfaces, sockets })
}

/// Learns which links are in their place, and looks elsewhere for those that are missed.
async fn strays(inner: &Arc<Inner>, scope: &Scope, observed: &mut Observed) -> Result<(), Error> {
    let mut found = HashSet::new();
    for object in observed.ours.values() {
        if let Object::Link(link) = object
            && let Place::Sandbox(sandbox) = link.place
            && link.kind != LinkKind::Loopback
        {
            inner.registry.learn_link(sandbox, &link.owner, LinkKnown::Seen);
            found.insert(link.owner.as_str());
        }
    }
    let missed: Vec<Mark> = stray::missed(inner, &scope.marks, &found).cloned().collect();
    if missed.is_empty() {
        return Ok(());
    }
    let job = inner.clone();
    let strays = inner.workers.run(move |worker| stray::search(&job, worker, &missed)).await?;
    let strays = strays.map_err(|failure| Error::system("look for links that are not in their sandbox", failure))?;
    strays.into_iter().for_each(|stray| put(&mut observed.ours, Object::Stray(stray)));
    Ok(())
}

fn several(inner: &Inner, worker: &mut Worker, scope: &Scope, sandboxes: &[SandboxId]) -> Result<Observed, Error> {
    let mut observed = Observed::default();
    for sandbox in sandboxes {
        enter_and_look(inner, worker, scope, *sandbox, &mut observed)?;
    }
    Ok(observed)
}

/// Looks into one sandbox. A namespace of ours that is not there is simply not observed.
fn enter_and_look(
    inner: &Inner,
    worker: &mut Worker,
    scope: &Scope,
    sandbox: SandboxId,
    observed: &mut Observed,
) -> Result<(), Error> {
    let source = inner.registry.source(sandbox);
    if source == NamespaceSource::Host {
        return Ok(());
    }
    let mut stack = match stack::enter(inner, worker, Place::Sandbox(sandbox)) {
        Ok(stack) => stack,
        Err(Absent::Gone(found)) => {
            if source != NamespaceSource::Made {
                observed.gone.insert(sandbox, found);
            }
            return Ok(());
        }
        Err(failed) => return Err(failed.into()),
    };
    let known = Known { counters: Counters::Without, settings: &HashMap::new() };
    inside(inner, worker, scope, sandbox, &mut stack, known, observed).map(drop)
}

/// How a sandbox is looked at.
pub(crate) struct Known<'a> {
    /// Whether the interfaces' counters are wanted.
    pub(crate) counters: Counters,
    /// Settings that were read already, by path.
    pub(crate) settings: &'a HashMap<String, String>,
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
    let seen = look(stack, worker, route::Filter::Main, known.counters)
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
    settings(scope, place, known.settings, observed)?;
    Ok(interfaces::statuses(seen.links.values(), &seen.addresses))
}

/// Looks at the host's stack: ours by their marks, and foreign links under names that are wanted.
fn host(inner: &Inner, worker: &mut Worker, scope: &Scope) -> Result<Observed, Error> {
    let mut observed = Observed::default();
    let mut stack = stack::enter(inner, worker, Place::Host)?;
    if scope.host || scope.everything {
        let seen = look(&mut stack, worker, route::Filter::Ours, Counters::Without)
            .map_err(|failure| Error::system("look at the host's links", failure))?;
        for found in seen.links.values() {
            let object = Object::Link(seen.link(Place::Host, found));
            if found.is_ours() {
                put(&mut observed.ours, object);
            } else if scope.host_links.contains(&found.name) {
                put(&mut observed.foreign, object);
            }
        }
        for found in seen.addresses.iter().filter(|address| address.ours) {
            put(&mut observed.ours, Object::Address(seen.address(Place::Host, found)));
        }
        for found in &seen.routes {
            put(&mut observed.ours, Object::Route(seen.route(Place::Host, found)));
        }
    }
    settings(scope, Place::Host, &HashMap::new(), &mut observed)?;
    Ok(observed)
}

fn settings(
    scope: &Scope,
    place: Place,
    known: &HashMap<String, String>,
    observed: &mut Observed,
) -> Result<(), Error> {
    for (_, path) in scope.sysctls.iter().filter(|(wanted, _)| *wanted == place) {
        let value = match known.get(path) {
            Some(value) => Some(value.clone()),
            None => sysctl::read(path).map_err(|error| Error::system(format!("read the setting {path}"), error))?,
        };
        if let Some(value) = value {
            put(&mut observed.ours, Object::Sysctl(Sysctl { place, path: path.clone(), value }));
        }
    }
    Ok(())
}

fn put(objects: &mut BTreeMap<Key, Object>, object: Object) {
    objects.insert(object.key(), object);
}

/// What one stack holds.
struct Seen {
    links: BTreeMap<u32, link::Seen>,
    addresses: Vec<address::Seen>,
    routes: Vec<route::Seen>,
    /// Names of links below ours, by index, in the host's namespace.
    parents: HashMap<u32, String>,
    host_nsid: Option<i32>,
}

fn look(stack: &mut Stack, worker: &mut Worker, routes: route::Filter, counters: Counters) -> Result<Seen, Failure> {
    let links: BTreeMap<u32, link::Seen> =
        link::dump(&mut stack.rtnl, counters)?.into_iter().map(|link| (link.index, link)).collect();
    let addresses = address::dump(&mut stack.rtnl)?;
    let routes = route::dump(&mut stack.rtnl, routes)?;
    let mut seen = Seen { links, addresses, routes, parents: HashMap::new(), host_nsid: stack.host_nsid() };
    if stack.host_nsid().is_some() {
        for link in seen.links.values().filter(|link| link.mode.is_some() && link.parent_nsid == stack.host_nsid()) {
            let Some(parent) = link.parent else { continue };
            if let Some(found) = link::by_index(worker.home_socket()?, parent)? {
                seen.parents.insert(parent, found.name);
            }
        }
    }
    Ok(seen)
}

impl Seen {
    fn name(&self, link: u32) -> String {
        self.links.get(&link).map(|link| link.name.clone()).unwrap_or_default()
    }

    /// The name of a macvlan's parent, if it is in the host's namespace; else empty.
    fn parent(&self, link: &link::Seen) -> String {
        let Some(parent) = link.parent else { return String::new() };
        match (link.parent_nsid, self.host_nsid) {
            (None, None) => self.name(parent),
            (theirs, host) if theirs == host => self.parents.get(&parent).cloned().unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn link(&self, place: Place, link: &link::Seen) -> Link {
        let owner = match link.mark() {
            Whose::Ours(owner) => owner.to_owned(),
            Whose::Foreign => String::new(),
        };
        if link.is_loopback() {
            let (name, up) = (link.name.clone(), link.is_up());
            return Link { place, name, kind: LinkKind::Loopback, mac: None, mtu: None, up, owner };
        }
        let kind = match link.macvlan_mode() {
            Some(mode) => LinkKind::Macvlan { parent: self.parent(link), mode },
            None => LinkKind::Other(link.kind.clone().unwrap_or_else(|| "hardware".to_owned())),
        };
        let (name, up) = (link.name.clone(), link.is_up());
        Link { place, name, kind, mac: link.mac, mtu: Some(link.mtu), up, owner }
    }

    fn address(&self, place: Place, found: &address::Seen) -> Address {
        Address { place, link: self.name(found.link), address: found.address, prefix_length: found.prefix_length }
    }

    fn route(&self, place: Place, found: &route::Seen) -> Route {
        Route {
            place,
            destination: found.destination,
            gateway: found.gateway,
            link: found.link.map(|link| self.name(link)).unwrap_or_default(),
            source: found.source,
        }
    }
}
