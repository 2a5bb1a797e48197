//! Which of the host's ports an endpoint gets: the ones asked for, if nobody has them, else the next beyond the highest that is published,
//! and once those are used up the lowest free ones. So a number that was just given back is not at once another's, and is found
//! without a look at all that are published.
//!
//! Where nothing is translated (gateway mode `routed`) the port is the sandbox's own, and nobody else can have it.
//!
//! Taken is what another endpoint publishes, and what a program of the host listens on. The first the store knows; the second the node,
//! which is asked only for the ports in question: the transaction says which, and is run again with the answer.

mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::assignment::AssignedUnderlay;
use netloom_model::invalid::Code;
use netloom_model::net::Family;
use netloom_model::network::Driver;
use netloom_model::port::{AUTOMATIC, HostPort, PortTrouble, Protocol, PublishedPort};
use netloom_model::{EndpointId, Invalid};
use netloom_store::{EndpointRow, NetworkRow, WriteTx, endpoints, ports};

use super::ways::{Way, Ways, direct};
use crate::error::{Error, ErrorKind};
use crate::journal::sandbox_of_endpoint;
use crate::overlay::own_ports;
use crate::validate::port::WantedPort;
use crate::validate::sandbox::WantedAttachment;
use runs::{first_run, runs};

/// How many ports are looked at beyond those that are needed, at least; with each look twice as many.
const WINDOW: u16 = 64;

/// What the node said of the host's ports: what is the trouble with each, if any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Looked(BTreeMap<HostPort, Option<PortTrouble>>);

impl Looked {
    /// Adds an answer.
    pub(crate) fn add(&mut self, asked: &[HostPort], mut troubles: BTreeMap<HostPort, PortTrouble>) {
        self.0.extend(asked.iter().map(|port| (*port, troubles.remove(port))));
    }

    /// The first port that was looked at, from one on, of its protocol and address.
    fn next(&self, from: HostPort) -> Option<u16> {
        let (next, _) = self.0.range(from..).next()?;
        (next.protocol == from.protocol && next.address == from.address).then_some(next.port)
    }
}

/// Ports that nobody has looked at yet.
#[derive(Debug, thiserror::Error)]
#[error("ports of the host were not looked at")]
struct Unlooked(Vec<HostPort>);

/// The ports that the node must be asked for before a use case is run again.
pub(crate) fn wants_look(error: &Error) -> Option<&[HostPort]> {
    error.source.as_ref()?.downcast_ref::<Unlooked>().map(|unlooked| unlooked.0.as_slice())
}

/// Refuses ports where none can be published.
///
/// # Errors
/// Invalid.
pub(crate) fn check_network(network: &NetworkRow, wanted: &WantedAttachment) -> Result<(), Error> {
    if wanted.ports.is_empty() {
        return Ok(());
    }
    let refused = |message: String, hint: &str| {
        let invalid = Invalid::new(&wanted.at("ports"), Code::NotAllowedHere, "", message);
        Err(Invalid { value: None, ..invalid }.hint(hint).into())
    };
    match network.driver {
        Driver::Bridge if network.spec.internal == Some(true) => refused(
            format!("network `{}` is internal: nothing outside reaches it", network.name),
            "leave the ports out, or use a bridge network that is not internal",
        ),
        Driver::Bridge if network.spec.unmanaged_bridge().is_some() => refused(
            format!("the bridge of network `{}` is not Netloom's to send packets on to", network.name),
            "leave the ports out: a sandbox on such a network is reached at an address of its own",
        ),
        Driver::Bridge => Ok(()),
        driver => refused(
            format!("ports are published on bridge networks, and `{}` is of driver {}", network.name, driver.as_str()),
            "leave the ports out: a sandbox on such a network is reached at an address of its own",
        ),
    }
}

/// Chooses the ports of an endpoint; `endpoint.ports` are those that it has already.
///
/// # Errors
/// `port-taken` with the holder; invalid; what [`wants_look`] knows.
pub(crate) async fn choose(
    tx: &mut WriteTx<'_>,
    looked: &Looked,
    endpoint: &EndpointRow,
    ways: &Ways<'_>,
    wanted: &[WantedPort],
) -> Result<BTreeMap<String, PublishedPort>, Error> {
    let own = match wanted {
        [] => None,
        _ => own_ports::of_this_node(tx).await?,
    };
    let mut choice = Choice {
        looked,
        own,
        endpoint,
        others: ports::meeting(tx, &meant(endpoint, wanted), endpoint.id).await?,
        chosen: BTreeMap::new(),
        unlooked: BTreeSet::new(),
        beyond: BTreeMap::new(),
        taken: BTreeMap::new(),
    };
    // What is there already comes first, then numbers that are asked for: none of them is given away to a mapping that takes any.
    let mut wanted: Vec<&WantedPort> = wanted.iter().collect();
    wanted.sort_by_key(|want| (!endpoint.ports.contains_key(&want.name), want.published.is_none()));
    for want in wanted {
        choice.add(tx, ways, want).await?;
    }
    if choice.unlooked.is_empty() {
        return Ok(choice.chosen);
    }
    let mut error =
        Error::new(ErrorKind::Internal, "internal", "ports were to be published without a look at the host");
    error.source = Some(Box::new(Unlooked(choice.unlooked.into_iter().collect())));
    Err(error)
}

struct Choice<'a> {
    looked: &'a Looked,
    /// What of the host's ports is the swarm's.
    own: Option<AssignedUnderlay>,
    endpoint: &'a EndpointRow,
    chosen: BTreeMap<String, PublishedPort>,
    unlooked: BTreeSet<HostPort>,
    /// What others publish of the numbers that are asked for, or held already.
    others: Vec<(EndpointId, PublishedPort)>,
    /// The number after the highest that others publish, by protocol, once it was read.
    beyond: BTreeMap<Protocol, u32>,
    /// What others publish on an address, as runs in order, once that was read.
    taken: BTreeMap<(Protocol, IpAddr), Vec<(u16, u16)>>,
}

/// Where free numbers are looked for: first beyond all that are published, then between those of the address.
#[derive(Clone, Copy)]
enum Where {
    Beyond,
    Between,
}

impl Choice<'_> {
    async fn add(&mut self, tx: &mut WriteTx<'_>, ways: &Ways<'_>, want: &WantedPort) -> Result<(), Error> {
        let port = match ways.to(want)? {
            Way::Direct(address) => direct(want, address)?,
            Way::Translated(address) => self.on_host(tx, want, address).await?,
        };
        if let Some((other, _)) = self.chosen.iter().find(|(_, chosen)| meet(chosen, &port)) {
            let message = format!("`{other}` publishes {port}, or a part of it, too");
            return Err(Invalid::new(&want.pointer, Code::NotAllowedHere, &port.to_string(), message).into());
        }
        self.chosen.insert(want.name.clone(), port);
        Ok(())
    }

    /// Ports of the host.
    async fn on_host(
        &mut self,
        tx: &mut WriteTx<'_>,
        want: &WantedPort,
        host_address: IpAddr,
    ) -> Result<PublishedPort, Error> {
        let WantedPort { protocol, target, count, .. } = *want;
        let of = |published: u16| PublishedPort { protocol, host_address, published, target, count, direct: false };
        let held = self.endpoint.ports.get(&want.name).map(|held| PublishedPort { target, ..held.clone() });
        let held = held.filter(|held| *held == of(held.published));
        if let Some(published) = want.published {
            self.check_own(want, &of(published))?;
        }
        match (want.published, held) {
            // What it has no program is asked about again. Nobody else can have it, unless it is given back after a while.
            (None, Some(held)) => self.still_free(tx, want, held).await,
            (Some(published), Some(held)) if held.published == published => self.still_free(tx, want, held).await,
            (Some(published), _) => {
                let port = of(published);
                self.check_store(tx, want, &port).await?;
                self.check_host(want, &port)?;
                Ok(port)
            }
            (None, None) => Ok(of(self.next_free(tx, want, host_address).await?)),
        }
    }

    async fn still_free(
        &self,
        tx: &mut WriteTx<'_>,
        want: &WantedPort,
        held: PublishedPort,
    ) -> Result<PublishedPort, Error> {
        self.check_store(tx, want, &held).await.map(|()| held)
    }

    async fn check_store(&self, tx: &mut WriteTx<'_>, want: &WantedPort, port: &PublishedPort) -> Result<(), Error> {
        let Some((holder, other)) = self.others.iter().find(|(_, other)| meet(other, port)) else { return Ok(()) };
        let holder = endpoints::by_id(tx, *holder).await?;
        let name = holder.as_ref().map_or("another sandbox", |holder| holder.sandbox_name.as_str());
        let leaving = holder.as_ref().is_some_and(|holder| holder.deleting);
        let message = format!("{port} is taken: sandbox `{name}` publishes {other}");
        let error = taken(want, port, message).retryable(leaving);
        Err(error.blockers(holder.as_ref().map(sandbox_of_endpoint).into_iter().collect()))
    }

    /// What nodes send each other comes before what sandboxes publish, on whatever address.
    fn check_own(&self, want: &WantedPort, port: &PublishedPort) -> Result<(), Error> {
        let Some(own) = &self.own else { return Ok(()) };
        let Some((number, _)) = port.pairs().find(|(number, _)| own.has(port.protocol, *number)) else { return Ok(()) };
        let what = own_ports::purpose(port.protocol);
        let message = format!(
            "{port} can't be published on a node of a swarm: port {number}/{} is the swarm's own; {what}",
            port.protocol
        );
        Err(taken(want, port, message))
    }

    fn check_host(&mut self, want: &WantedPort, port: &PublishedPort) -> Result<(), Error> {
        for one in port.on_host() {
            match self.looked.0.get(&one) {
                None => drop(self.unlooked.insert(one)),
                Some(None) => {}
                Some(Some(PortTrouble::InUse(program))) => {
                    let program = program.as_ref().map_or_else(|| "a program of the host".to_owned(), Clone::clone);
                    return Err(taken(want, port, format!("{one} is taken: {program} listens there")));
                }
                Some(Some(PortTrouble::NoSuchAddress)) => return Err(no_such_address(want, one.address)),
                Some(Some(PortTrouble::Refused(why))) => {
                    return Err(taken(want, port, format!("{one} can't be published: {why}")));
                }
            }
        }
        Ok(())
    }

    /// What others publish of the automatic numbers, as far as it is in the way there.
    async fn held(
        &mut self,
        tx: &mut WriteTx<'_>,
        place: Where,
        of: (Protocol, IpAddr),
    ) -> Result<Vec<(u16, u16)>, Error> {
        let (low, high) = AUTOMATIC.into_inner();
        match place {
            Where::Beyond => {
                let beyond = match self.beyond.get(&of.0) {
                    Some(beyond) => *beyond,
                    None => ports::beyond(tx, of.0, self.endpoint.id).await?,
                };
                self.beyond.insert(of.0, beyond);
                let last = u16::try_from(beyond.saturating_sub(1)).unwrap_or(high);
                Ok(if last < low { Vec::new() } else { vec![(low, last)] })
            }
            Where::Between => {
                if !self.taken.contains_key(&of) {
                    let taken = ports::taken(tx, of.0, of.1, self.endpoint.id).await?;
                    self.taken.insert(of, taken);
                }
                Ok(self.taken.get(&of).cloned().unwrap_or_default())
            }
        }
    }

    /// The first of so many ports in a row that nobody has.
    async fn next_free(&mut self, tx: &mut WriteTx<'_>, want: &WantedPort, address: IpAddr) -> Result<u16, Error> {
        let nowhere = |(port, trouble): (&HostPort, &Option<PortTrouble>)| {
            port.address == address && *trouble == Some(PortTrouble::NoSuchAddress)
        };
        if self.looked.0.iter().any(nowhere) {
            return Err(no_such_address(want, address));
        }
        for place in [Where::Beyond, Where::Between] {
            let held = self.held(tx, place, (want.protocol, address)).await?;
            if let Some(first) = self.next_free_of(want, address, held) {
                return Ok(first);
            }
        }
        Err(none_left(want))
    }

    /// The same among numbers that others leave. What was not looked at yet is noted, and some more.
    fn next_free_of(&mut self, want: &WantedPort, address: IpAddr, held: Vec<(u16, u16)>) -> Option<u16> {
        let WantedPort { protocol, target, count, .. } = *want;
        let (low, high) = AUTOMATIC.into_inner();
        let anywhere = PublishedPort {
            protocol,
            host_address: address,
            published: low,
            target,
            count: high - low + 1,
            direct: false,
        };
        let in_the_way = |other: &PublishedPort| meet(other, &anywhere).then_some((other.published, other.last()));
        let busy = self.looked.0.iter().filter(|(_, trouble)| trouble.is_some()).map(|(port, _)| single(*port));
        let own =
            self.own.iter().flat_map(own_ports::runs).map(|(protocol, port, _)| HostPort { protocol, address, port });
        let mine = self.chosen.values().cloned().chain(busy).chain(own.map(single));
        let taken = runs(mine.filter_map(|port| in_the_way(&port)).chain(held));
        let at = |port: u16| HostPort { protocol, address, port };
        // Numbers that were looked at come first: many may be at it, and the next is another's by the time it was looked at.
        if let Some(known) = first_run(&taken, count, |port| self.looked.next(at(port))) {
            return Some(known);
        }
        let first = first_run(&taken, count, Some)?;
        let window = count.saturating_add(u16::try_from(self.looked.0.len()).unwrap_or(u16::MAX).max(WINDOW));
        let looked_at = (first..=first.saturating_add(window)).map(at);
        self.unlooked.extend(looked_at.filter(|port| !self.looked.0.contains_key(port)));
        Some(first)
    }
}

/// The runs of numbers that mappings ask for, or have already.
fn meant(endpoint: &EndpointRow, wanted: &[WantedPort]) -> Vec<(Protocol, u16, u16)> {
    let run = |want: &WantedPort, first: u16| (want.protocol, first, first.saturating_add(want.count - 1));
    let asked = wanted.iter().filter_map(|want| Some(run(want, want.published?)));
    let held = wanted.iter().filter_map(|want| Some(run(want, endpoint.ports.get(&want.name)?.published)));
    asked.chain(held).collect()
}

fn single(HostPort { protocol, address, port }: HostPort) -> PublishedPort {
    PublishedPort { protocol, host_address: address, published: port, target: port, count: 1, direct: false }
}

/// Whether some port of the host is in both.
fn meet(a: &PublishedPort, b: &PublishedPort) -> bool {
    let same_address = a.host_address == b.host_address
        || (Family::of(a.host_address) == Family::of(b.host_address)
            && (a.host_address.is_unspecified() || b.host_address.is_unspecified()));
    a.protocol == b.protocol && same_address && a.published <= b.last() && b.published <= a.last()
}

fn no_such_address(want: &WantedPort, address: IpAddr) -> Error {
    let (pointer, given) = (format!("{}/host_address", want.pointer), address.to_string());
    let hint = "give one that `ip address` shows, `0.0.0.0` or `::` for all of a family, or leave it out for 127.0.0.1";
    Invalid::new(&pointer, Code::NotFound, &given, format!("this host has no address {given}")).hint(hint).into()
}

/// What is said when one look after another finds programs on the ports that nobody publishes.
pub(crate) fn too_many_looks() -> Error {
    let (low, high) = AUTOMATIC.into_inner();
    let detail = format!("programs of the host listen on too many of the ports from {low} to {high}");
    Error::conflict("port-taken", detail).hint("ask for a port by number with `published`")
}

fn taken(want: &WantedPort, port: &PublishedPort, message: String) -> Error {
    let pointer = format!("{}/published", want.pointer);
    let hint = "choose another port or host address, or leave `published` out for a free one";
    let mut error = Error::conflict("port-taken", message.clone()).fact("port", port);
    error.errors = vec![Invalid::new(&pointer, Code::NotAvailable, &port.published.to_string(), message).hint(hint)];
    error.hint(hint)
}

fn none_left(want: &WantedPort) -> Error {
    let (low, high) = AUTOMATIC.into_inner();
    let detail = format!("there are no {} free ports in a row from {low} to {high} ({})", want.count, want.protocol);
    Error::conflict("port-taken", detail).hint("ask for ports by number with `published`, or remove what is not needed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_meet_on_one_address_or_on_every_address_of_a_family() {
        let port = |address: &str, published: u16, count: u16| PublishedPort {
            protocol: Protocol::Tcp,
            host_address: address.parse().expect("an address"),
            published,
            target: 1,
            count,
            direct: false,
        };
        for (a, b, wanted) in [
            (port("127.0.0.1", 80, 1), port("127.0.0.1", 80, 1), true),
            (port("127.0.0.1", 80, 1), port("127.0.0.2", 80, 1), false),
            (port("0.0.0.0", 80, 1), port("127.0.0.2", 80, 1), true),
            (port("::", 80, 1), port("127.0.0.2", 80, 1), false),
            (port("::", 80, 1), port("::1", 80, 1), true),
            (port("::", 80, 5), port("::1", 84, 3), true),
            (port("::", 80, 5), port("::1", 85, 3), false),
        ] {
            assert_eq!((meet(&a, &b), meet(&b, &a)), (wanted, wanted), "{a} {b}");
        }
        let udp = PublishedPort { protocol: Protocol::Udp, ..port("127.0.0.1", 80, 1) };
        assert!(!meet(&udp, &port("127.0.0.1", 80, 1)));
    }
}
