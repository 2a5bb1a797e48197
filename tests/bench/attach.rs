//! Attach and detach: one endpoint alone, interleaved with the floor and the peers; then 200 from 16 clients.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use netloom_tests::host::macvlan;
use netloom_tests::{Host, json};

use crate::Plan;
use crate::figures::{Table, Times, millis, verdict};
use crate::floor::Floor;
use crate::http::Connection;
use crate::leases::Commits;
use crate::peers::{On, Peer};

/// How many at once, from how many clients.
const MANY: usize = 200;
const CLIENTS: usize = 16;

/// Times of making and of removing.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    /// Making.
    pub(crate) attach: Times,
    /// Removing.
    pub(crate) detach: Times,
}

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = Host::started(&plan.netloom.to_string_lossy());
    host.client().post("networks", &macvlan("n", "10.240.0.0/16")).is(201);
    let peers: Vec<Peer> = [Peer::Netavark, Peer::Cni].into_iter().filter(|peer| peer.installed()).collect();
    let (mut ours, mut floor) = (Pair::default(), Pair::default());
    let (commits, mut commit) = (Commits::new()?, Times::default());
    let mut others: Vec<Pair> = peers.iter().map(|_| Pair::default()).collect();
    host.net.inside(|| -> anyhow::Result<()> {
        let base = Floor::new("parent0", &host.dir().join("floor"))?;
        let mut connection = Connection::open(&host.socket());
        for run in 0..plan.runs {
            // Each is as often the first: who comes after another finds warm what that one used of the kernel.
            for turn in (0..3 + peers.len()).map(|turn| (turn + run) % (3 + peers.len())) {
                match turn {
                    0 => single(&mut connection, run, &mut ours),
                    1 => bare(&base, run, &mut floor)?,
                    2 => commits.once(&mut commit)?,
                    other => {
                        peer(peers[other - 3], On::Macvlan("parent0"), &base, run, host.dir(), &mut others[other - 3])?
                    }
                }
            }
        }
        Ok(())
    })?;
    let mut table =
        Table::new(&format!("One sandbox with one macvlan endpoint, {} interleaved runs, probing off", plan.runs));
    let goal = 2.0 * floor.attach.p50() + commit.p50();
    let ratio = |pair: &Times, base: &Times| format!("{:.2} x the floor", pair.p50() / base.p50());
    table.times("floor: attach by bare netlink", &floor.attach, "1", "");
    table.times("one durable commit", &commit, "", "");
    let met = verdict(ours.attach.p50() <= goal, &format!("at most 2 x floor + commit = {goal:.3}"));
    table.times("Netloom: POST /sandboxes", &ours.attach, &ratio(&ours.attach, &floor.attach), &met);
    table.times("floor: detach by bare netlink", &floor.detach, "1", "");
    table.times("Netloom: DELETE /sandboxes", &ours.detach, &ratio(&ours.detach, &floor.detach), "");
    against(&mut table, &peers, &others, &ours, true);
    table.print();
    many(&host)?;
    Ok(())
}

/// One of ours, made and removed.
pub(crate) fn single(connection: &mut Connection, run: usize, pair: &mut Pair) {
    let body = json!({"name": format!("s{run}"), "networks": {"n": {}}}).to_string();
    let path = format!("sandboxes/s{run}");
    pair.attach.time(|| connection.must("POST", "sandboxes", &body, 201));
    pair.detach.time(|| connection.must("DELETE", &path, "", 204));
}

/// One by bare netlink.
pub(crate) fn bare(base: &Floor, run: usize, pair: &mut Pair) -> anyhow::Result<()> {
    let name = format!("f{run}");
    pair.attach.time(|| base.attach(&name, address(run), Ipv4Addr::new(10, 251, 0, 1)))?;
    pair.detach.time(|| base.detach(&name))
}

fn address(run: usize) -> Ipv4Addr {
    let [c, d] = u16::try_from(run + 2).unwrap_or(u16::MAX).to_be_bytes();
    Ipv4Addr::new(10, 251, c, d)
}

/// One of a peer's, in a namespace that is there already.
pub(crate) fn peer(
    peer: Peer,
    on: On<'_>,
    base: &Floor,
    run: usize,
    dir: &Path,
    pair: &mut Pair,
) -> anyhow::Result<()> {
    let name = format!("p{run}");
    base.namespace(&name)?;
    let (path, id) = (base.path(&name), u32::try_from(run)?);
    pair.attach.time(|| peer.attach(on, &path, id, dir))?;
    pair.detach.time(|| peer.detach(on, &path, id, dir))?;
    base.unpin(&name)
}

/// How much faster than the peers, with what is asked for both together, where anything is.
pub(crate) fn against(table: &mut Table, peers: &[Peer], others: &[Pair], ours: &Pair, is_asked: bool) {
    for (peer, pair) in peers.iter().zip(others) {
        let factor = if *peer == Peer::Cni { 3.0 } else { 5.0 };
        for (what, theirs, own) in [("attach", &pair.attach, &ours.attach), ("detach", &pair.detach, &ours.detach)] {
            let times = theirs.p50() / own.p50();
            table.times(&format!("{}: {what}", peer.name()), theirs, &format!("Netloom is {times:.1} x faster"), "");
        }
        let both = |pair: &Pair| pair.attach.p50() + pair.detach.p50();
        let times = both(pair) / both(ours);
        let met = verdict(times >= factor, &format!("Netloom {factor} x faster"));
        let met = if is_asked { met } else { String::new() };
        let sum = format!("{:.1} ms", both(pair));
        table.figure(&format!("{}: both", peer.name()), &sum, &format!("Netloom is {times:.1} x faster"), &met);
    }
    for peer in [Peer::Netavark, Peer::Cni].iter().filter(|peer| !peer.installed()) {
        table.figure(peer.name(), "NOT INSTALLED", "", "");
    }
}

/// 200 at once, from 16 clients.
fn many(host: &Host) -> anyhow::Result<()> {
    let mut table = Table::new(&format!("{MANY} sandboxes at once from {CLIENTS} clients"));
    let names = |prefix: &str| (0..MANY).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
    let (attach, detach) = host.net.inside(|| -> anyhow::Result<(f64, f64)> {
        let base = Floor::new("parent0", &host.dir().join("floor"))?;
        let begin = Instant::now();
        for (i, name) in names("m").iter().enumerate() {
            base.attach(name, address(i), Ipv4Addr::new(10, 251, 0, 1))?;
        }
        let attach = millis(begin.elapsed());
        let begin = Instant::now();
        for name in names("m") {
            base.detach(&name)?;
        }
        Ok((attach, millis(begin.elapsed())))
    })?;
    let ours_attach = from_clients(host, names("m"), |connection, name| {
        let body = json!({"name": name, "networks": {"n": {}}}).to_string();
        connection.must("POST", "sandboxes", &body, 201);
    });
    let ours_detach = from_clients(host, names("m"), |connection, name| {
        connection.must("DELETE", &format!("sandboxes/{name}"), "", 204);
    });
    for (what, ours, floor) in [("attach", ours_attach, attach), ("detach", ours_detach, detach)] {
        let each =
            |total: f64| format!("{total:.0} ms, {:.3} each", total / f64::from(u32::try_from(MANY).unwrap_or(1)));
        table.figure(&format!("floor: {what}, one after another"), &each(floor), "1", "");
        table.figure(&format!("Netloom: {what}"), &each(ours), &format!("{:.2} x the floor", ours / floor), "");
    }
    table.print();
    Ok(())
}

/// Shares names out to clients, each with a kept connection; gives the milliseconds until the last is done.
pub(crate) fn from_clients(host: &Host, names: Vec<String>, work: impl Fn(&mut Connection, &str) + Sync) -> f64 {
    let rest = Mutex::new(names);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::open(&host.socket());
                loop {
                    let next = rest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
                    let Some(name) = next else { return };
                    work(&mut connection, &name);
                }
            });
        }
    });
    millis(begin.elapsed())
}
