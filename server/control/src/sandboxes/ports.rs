//! Which of the host's ports an endpoint gets: the ones asked for, if nobody has them, else the next beyond the highest that is published,
//! and once those are used up the lowest free ones. So a number that was just given back is not at once another's, and is found
//! without a look at all that are published.
//!
//! Where nothing is translated (gateway mode `routed`) the port is the sandbox's own, and nobody else can have it.
//!
//! Taken is what another endpoint publishes, and what a program of the host listens on. The first the store knows; the second the node,
//! which is asked only for the ports in question: the transaction says which, and is run again with the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netloom_model::invalid::Code;
use netloom_model::net::Family;
use netloom_model::network::Driver;
use netloom_model::port::{AUTOMATIC, HostPort, PortTrouble, Protocol, PublishedPort};
use netloom_model::{EndpointId, Invalid};
use netloom_store::{EndpointRow, NetworkRow, WriteTx, endpoints, ports};

use super::ways::{Way, Ways, direct};
use crate::error::{Error, ErrorKind};
use crate::journal::sandbox_of_endpoint;
use crate::validate::port::WantedPort;
use crate::validate::sandbox::WantedAttachment;

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
    let mut choice = Choice {
        looked,
        endpoint,
        others: ports::meeting(tx, &meant(endpoint, wanted), endpoint.id).await?,
        chosen: BTreeMap::new(),
        unlooked: BTreeSet::new(),
        needed: needed(wanted),
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
    endpoint: &'a EndpointRow,
    chosen: BTreeMap<String, PublishedPort>,
    unlooked: BTreeSet<HostPort>,
    /// What others publish of the numbers that are asked for, or held already.
    others: Vec<(EndpointId, PublishedPort)>,
    /// How many numbers are to be found, by protocol.
    needed: BTreeMap<Protocol, u32>,
    /// The automatic numbers that others publish, or that are not needed, as runs in order, by protocol, once they were read.
    taken: BTreeMap<Protocol, Vec<(u16, u16)>>,
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

    /// Reads which automatic numbers others leave.
    async fn read_taken(&mut self, tx: &mut WriteTx<'_>, protocol: Protocol) -> Result<(), Error> {
        if !self.taken.contains_key(&protocol) {
            let automatic = AUTOMATIC.into_inner();
            // What was looked at may be no use: so much more is wanted, and the window beside it.
            let looked = u32::try_from(self.looked.0.len()).unwrap_or(u32::MAX);
            let enough = self.needed.get(&protocol).copied().unwrap_or_default() + 2 * looked.max(WINDOW.into());
            let free = ports::free(tx, protocol, automatic, enough, self.endpoint.id).await?;
            self.taken.insert(protocol, between_runs(&free, automatic));
        }
        Ok(())
    }

    /// The first of so many ports in a row that nobody has.
    async fn next_free(&mut self, tx: &mut WriteTx<'_>, want: &WantedPort, address: IpAddr) -> Result<u16, Error> {
        let WantedPort { protocol, target, count, .. } = *want;
        let (low, high) = AUTOMATIC.into_inner();
        let nowhere = |(port, trouble): (&HostPort, &Option<PortTrouble>)| {
            port.address == address && *trouble == Some(PortTrouble::NoSuchAddress)
        };
        if self.looked.0.iter().any(nowhere) {
            return Err(no_such_address(want, address));
        }
        self.read_taken(tx, protocol).await?;
        let anywhere = PublishedPort {
            protocol,
            host_address: address,
            published: low,
            target,
            count: high - low + 1,
            direct: false,
        };
        let in_the_way = |other: &PublishedPort| meet(other, &anywhere).then_some((other.published, other.last()));
        let held = self.taken.get(&protocol).into_iter().flatten();
        let busy = self.looked.0.iter().filter(|(_, trouble)| trouble.is_some()).map(|(port, _)| single(*port));
        let mine = self.chosen.values().cloned().chain(busy);
        let taken = runs(mine.filter_map(|port| in_the_way(&port)).chain(held.copied()));
        let at = |port: u16| HostPort { protocol, address, port };
        // Numbers that were looked at come first: many may be at it, and the next is another's by the time it was looked at.
        if let Some(known) = first_run(&taken, count, |port| self.looked.next(at(port))) {
            return Ok(known);
        }
        let first = first_run(&taken, count, Some).ok_or_else(|| none_left(want))?;
        let window = count.saturating_add(u16::try_from(self.looked.0.len()).unwrap_or(u16::MAX).max(WINDOW));
        let looked_at = (first..=first.saturating_add(window)).map(at);
        self.unlooked.extend(looked_at.filter(|port| !self.looked.0.contains_key(port)));
        Ok(first)
    }
}

/// The runs of numbers that mappings ask for, or have already.
fn meant(endpoint: &EndpointRow, wanted: &[WantedPort]) -> Vec<(Protocol, u16, u16)> {
    let run = |want: &WantedPort, first: u16| (want.protocol, first, first.saturating_add(want.count - 1));
    let asked = wanted.iter().filter_map(|want| Some(run(want, want.published?)));
    let held = wanted.iter().filter_map(|want| Some(run(want, endpoint.ports.get(&want.name)?.published)));
    asked.chain(held).collect()
}

/// How many numbers are to be found for those that ask for none.
fn needed(wanted: &[WantedPort]) -> BTreeMap<Protocol, u32> {
    let mut needed = BTreeMap::new();
    for want in wanted.iter().filter(|want| want.published.is_none()) {
        *needed.entry(want.protocol).or_default() += u32::from(want.count);
    }
    needed
}

/// What lies between runs in order, from the first to the last number there is.
fn between_runs(runs: &[(u16, u16)], (low, high): (u16, u16)) -> Vec<(u16, u16)> {
    let mut between = Vec::with_capacity(runs.len() + 1);
    let mut from = Some(low);
    for (first, last) in runs {
        between.extend(from.filter(|from| from < first).map(|from| (from, first - 1)));
        from = last.checked_add(1);
    }
    between.extend(from.filter(|from| *from <= high).map(|from| (from, high)));
    between
}

/// Runs of ports in order, those that touch as one.
fn runs(ports: impl Iterator<Item = (u16, u16)>) -> Vec<(u16, u16)> {
    let mut ports: Vec<(u16, u16)> = ports.collect();
    ports.sort_unstable();
    ports.dedup_by(|next, run| {
        let touch = u32::from(next.0) <= u32::from(run.1) + 1;
        run.1 = if touch { run.1.max(next.1) } else { run.1 };
        touch
    });
    ports
}

/// The first of so many automatic ports in a row that are not taken (runs in order) and may be had: `next` is the first such from a port on.
fn first_run(taken: &[(u16, u16)], count: u16, next: impl Fn(u16) -> Option<u16>) -> Option<u16> {
    let (lowest, highest) = AUTOMATIC.into_inner();
    let mut taken = taken.iter().peekable();
    let mut first = next(lowest)?;
    loop {
        let last = first.checked_add(count - 1).filter(|last| *last <= highest)?;
        while taken.next_if(|(_, end)| *end < first).is_some() {}
        let from = match taken.peek() {
            Some((begin, end)) if *begin <= last => end.checked_add(1)?,
            _ => match (first..=last).find(|port| next(*port) != Some(*port)) {
                Some(port) => port,
                None => return Some(first),
            },
        };
        first = next(from)?;
    }
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
    fn runs_that_touch_or_overlap_are_one() {
        let ports = [(5, 6), (1, 2), (3, 3), (9, 20), (10, 12), (65535, 65535)];
        assert_eq!(runs(ports.into_iter()), [(1, 3), (5, 6), (9, 20), (65535, 65535)]);
    }

    #[test]
    fn what_lies_between_runs_is_all_that_is_in_none() {
        assert_eq!(between_runs(&[], (5, 9)), [(5, 9)]);
        assert_eq!(between_runs(&[(5, 9)], (5, 9)), []);
        assert_eq!(between_runs(&[(6, 6), (8, 8)], (5, 9)), [(5, 5), (7, 7), (9, 9)]);
        assert_eq!(between_runs(&[(49160, 65535)], (49152, 65535)), [(49152, 49159)]);
    }

    #[test]
    fn the_first_run_that_fits_is_found_between_what_is_taken() {
        let taken = [(49152, 49153), (49152, 49152), (49156, 49156), (49160, 65534)];
        let run = |count: u16| first_run(&taken, count, Some);
        let from = |lowest: u16| move |port: u16| Some(port.max(lowest));
        assert_eq!((run(1), run(2), run(3), run(4)), (Some(49154), Some(49154), Some(49157), None));
        assert_eq!(first_run(&taken, 1, from(49156)), Some(49157), "only what may be had");
        assert_eq!(first_run(&taken, 1, from(49161)), Some(65535), "the last one");
        assert_eq!(first_run(&[(49152, 65535)], 1, Some), None);
    }

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
