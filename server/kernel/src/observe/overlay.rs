//! Looking into the overlay namespace: everything on our links there is ours, for nobody else has any business in it.
//!
//! Forwarding and neighbours are dumped only by who looks at everything: there may be thousands, of which a pass is about one. What must not
//! live here: comparing.

use std::collections::HashMap;

use netloom_plan::object::{Key, Object, Observed, Place, Scope};
use netloom_plan::overlay::{Forwarding, Neighbour, Way};

use super::seen::{self, Seen};
use super::{FALLBACK_TUNNELS, Known, NewLinks, put, settings};
use crate::Error;
use crate::error::Failure;
use crate::handle::Inner;
use crate::message::link::{self, Counters};
use crate::message::neighbour::{self, Entry};
use crate::message::route;
use crate::rtnl::Rtnl;
use crate::stack::{self, Absent};
use crate::worker::Worker;

/// Looks at what a scope names. Where there is no such namespace nothing is seen.
pub(super) fn look(inner: &Inner, worker: &mut Worker, scope: &Scope) -> Result<Observed, Error> {
    let mut observed = Observed::default();
    let mut stack = match stack::enter(inner, worker, Place::Overlay) {
        Ok(stack) => stack,
        Err(Absent::Gone(_)) => return Ok(observed),
        Err(failed) => return Err(failed.into()),
    };
    put(&mut observed.ours, Object::OverlayNamespace);
    let doing = "look into the overlay namespace";
    let asked = scope.overlay.clone().unwrap_or_default();
    let all = scope.everything || asked.all_links;
    let (names, routes) = ((!all).then_some(asked.links.as_slice()), route::Filter::Ours);
    let on_host = stack.id.nsid;
    let gone_before = inner.listener.gone_from(on_host);
    let seen = seen::look(inner, &mut stack, worker, names, routes, Counters::Without)
        .map_err(|failure| Error::system(doing, failure))?;
    if all && on_host.is_some() {
        inner.listener.know(on_host, seen.links.values().cloned(), gone_before);
    }
    links(&seen, &mut observed);
    let entries = if scope.everything {
        everything(&mut stack.rtnl, &seen, &mut observed)
    } else {
        one_by_one(&mut stack.rtnl, &seen, asked.entries.iter(), &mut observed)
    };
    entries.map_err(|failure| Error::system(doing, failure))?;
    let known = Known { counters: Counters::Without, settings: &HashMap::new(), new_links: NewLinks::None };
    settings::look(inner, scope, Place::Overlay, &stack, &known, &mut observed)?;
    Ok(observed)
}

fn links(seen: &Seen, observed: &mut Observed) {
    for found in seen.links.values().filter(|found| !found.is_loopback()) {
        let object = Object::Link(seen.link(Place::Overlay, found));
        if found.is_ours() {
            put(&mut observed.ours, object);
        } else if !FALLBACK_TUNNELS.contains(&found.name.as_str()) {
            put(&mut observed.foreign, object);
        }
    }
    for found in seen.addresses.iter().filter(|address| !address.automatic) {
        put(&mut observed.foreign, Object::Address(seen.address(Place::Overlay, found)));
    }
}

fn everything(rtnl: &mut Rtnl, seen: &Seen, observed: &mut Observed) -> Result<(), Failure> {
    for found in neighbour::dump(rtnl)? {
        let Some(link) = seen.links.get(&found.link).filter(|link| link.is_ours()) else { continue };
        let Some(mut object) = object(link, &found) else { continue };
        // One that goes to several nodes is told once for each.
        let is_there = observed.ours.contains_key(&object.key());
        if let (Object::Forwarding(Forwarding { way: way @ Way::Node(_), .. }), true) = (&mut object, is_there) {
            *way = Way::Node(None);
        }
        put(&mut observed.ours, object);
    }
    Ok(())
}

fn one_by_one<'k>(
    rtnl: &mut Rtnl,
    seen: &Seen,
    keys: impl Iterator<Item = &'k Key>,
    observed: &mut Observed,
) -> Result<(), Failure> {
    let mut links: HashMap<String, Option<link::Seen>> =
        seen.links.values().map(|link| (link.name.clone(), Some(link.clone()))).collect();
    for key in keys {
        let Some(name) = key.link() else { continue };
        let link = match links.get(name) {
            Some(known) => known.clone(),
            None => {
                let found = link::by_name(rtnl, name)?;
                links.insert(name.to_owned(), found.clone());
                found
            }
        };
        let Some(link) = link.filter(link::Seen::is_ours) else { continue };
        let found = match key {
            Key::Forwarding(_, mac, table) => neighbour::forwarding(rtnl, link.index, *mac, *table)?,
            Key::Neighbour(_, address) => neighbour::neighbour(rtnl, link.index, *address)?,
            _ => None,
        };
        let object = found.and_then(|found| object(&link, &found));
        object.into_iter().for_each(|object| put(&mut observed.ours, object));
    }
    Ok(())
}

/// An entry as an object: forwarding by our VXLAN devices, neighbours on our bridges.
fn object(link: &link::Seen, found: &neighbour::Seen) -> Option<Object> {
    let name = link.name.clone();
    match (&found.entry, link.kind.as_deref()) {
        (Entry::Forwarding(mac, way), Some("vxlan")) => {
            Some(Object::Forwarding(Forwarding { link: name, mac: *mac, way: *way }))
        }
        (Entry::Neighbour(address, Some(mac)), Some("bridge")) => {
            Some(Object::Neighbour(Neighbour { link: name, address: *address, mac: *mac }))
        }
        _ => None,
    }
}
