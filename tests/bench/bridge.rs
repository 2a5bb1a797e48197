//! Bridge networks: made and removed; a sandbox on one, alone and beside 1,000 over 5 networks, beside the peers; published ports, few and
//! beside 16,000 others; a network removed with its endpoints.

use std::time::Instant;

use netloom_tests::{Host, Value, json};

use crate::Plan;
use crate::attach::{Pair, against, from_clients, peer, single};
use crate::figures::{Table, Times, millis};
use crate::floor::Floor;
use crate::http::Connection;
use crate::peers::{On, Peer};

/// Over how many networks the endpoints are spread.
const NETWORKS: usize = 5;
/// Ports that one sandbox publishes.
const PORTS: u32 = 32;
/// Sandboxes with that many ports.
const PUBLISHERS: usize = 500;
/// Endpoints of the network that is removed with them.
const CASCADE: usize = 200;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = Host::started(&plan.netloom.to_string_lossy());
    networks(&host, plan);
    host.bridge("n", "10.240.0.0/16");
    // While nobody is on the network, the first makes its bridge and the last removes it.
    host.sandbox("keeper", "n");
    alone(&host, plan)?;
    beside_many(&host, plan)?;
    ports(&host, plan);
    cascade(&host);
    Ok(())
}

fn networks(host: &Host, plan: &Plan) {
    let (mut make, mut remove) = (Times::default(), Times::default());
    host.net.inside(|| {
        let mut connection = Connection::open(&host.socket());
        for run in 0..plan.runs {
            let body = json!({"name": format!("b{run}"), "driver": "bridge"}).to_string();
            make.time(|| connection.must("POST", "networks", &body, 201));
            remove.time(|| connection.must("DELETE", &format!("networks/b{run}"), "", 204));
        }
    });
    let mut table = Table::new("A bridge network without endpoints");
    table.times("Netloom: POST /networks", &make, "", "");
    table.times("Netloom: DELETE /networks", &remove, "", "");
    table.print();
}

fn alone(host: &Host, plan: &Plan) -> anyhow::Result<()> {
    let peers: Vec<Peer> = [Peer::Netavark, Peer::Cni].into_iter().filter(|peer| peer.installed()).collect();
    let mut others: Vec<Pair> = peers.iter().map(|_| Pair::default()).collect();
    let mut ours = Pair::default();
    host.net.inside(|| -> anyhow::Result<()> {
        let base = Floor::new("parent0", &host.dir().join("floor"))?;
        let mut connection = Connection::open(&host.socket());
        // Theirs stays in use, too.
        base.namespace("kept")?;
        for (number, one) in (40_000..).zip(&peers) {
            one.attach(On::Bridge, &base.path("kept"), number, host.dir())?;
            one.detach(On::Bridge, &base.path("kept"), number, host.dir())?;
        }
        for run in 0..plan.runs {
            for turn in (0..=peers.len()).map(|turn| (turn + run) % (1 + peers.len())) {
                match turn {
                    0 => single(&mut connection, run, &mut ours),
                    other => peer(peers[other - 1], On::Bridge, &base, run, host.dir(), &mut others[other - 1])?,
                }
            }
        }
        base.unpin("kept")
    })?;
    let mut table = Table::new(&format!("One sandbox on a bridge network in use, {} interleaved runs", plan.runs));
    table.times("Netloom: POST /sandboxes", &ours.attach, "", "");
    table.times("Netloom: DELETE /sandboxes", &ours.detach, "", "");
    against(&mut table, &peers, &others, &ours);
    table.print();
    Ok(())
}

fn beside_many(host: &Host, plan: &Plan) -> anyhow::Result<()> {
    for i in 0..NETWORKS {
        host.bridge(&format!("n{i}"), &format!("10.{}.0.0/16", 230 + i));
    }
    let names = || (0..plan.endpoints).map(|i| format!("e{i}")).collect::<Vec<_>>();
    let made = from_clients(host, names(), |connection, name| {
        let network = name[1..].parse::<usize>().unwrap_or(0) % NETWORKS;
        let body = json!({"name": name, "networks": {format!("n{network}"): {}}}).to_string();
        connection.must("POST", "sandboxes", &body, 201);
    });
    let mut ours = Pair::default();
    host.net.inside(|| {
        let mut connection = Connection::open(&host.socket());
        (0..plan.runs).for_each(|run| single(&mut connection, run, &mut ours));
    });
    let begin = Instant::now();
    host.stop();
    host.start();
    let restart = millis(begin.elapsed());
    let removed = from_clients(host, names(), |connection, name| {
        connection.must("DELETE", &format!("sandboxes/{name}"), "", 204);
    });
    let mut table = Table::new(&format!("Beside {} endpoints over {NETWORKS} bridge networks", plan.endpoints));
    table.times("Netloom: POST /sandboxes", &ours.attach, "", "");
    table.times("Netloom: DELETE /sandboxes", &ours.detach, "", "");
    for (what, took) in [("making them", made), ("a restart with them", restart), ("removing them", removed)] {
        table.figure(what, &format!("{took:.0} ms"), "", "");
    }
    table.print();
    Ok(())
}

/// A sandbox with 32 ports, by the automatic numbers.
fn publisher(name: &str) -> String {
    let ports: serde_json::Map<String, Value> =
        (0..PORTS).map(|i| (format!("p{i}"), json!({"target": 1000 + i}))).collect();
    json!({"name": name, "networks": {"n": {"ports": ports}}}).to_string()
}

fn ports(host: &Host, plan: &Plan) {
    let publishers = PUBLISHERS.min(plan.endpoints / 2);
    let runs = plan.runs.min(50);
    let measure = || {
        let mut pair = Pair::default();
        host.net.inside(|| {
            let mut connection = Connection::open(&host.socket());
            for run in 0..runs {
                let body = publisher(&format!("p{run}"));
                pair.attach.time(|| connection.must("POST", "sandboxes", &body, 201));
                pair.detach.time(|| connection.must("DELETE", &format!("sandboxes/p{run}"), "", 204));
            }
        });
        pair
    };
    let first = measure();
    let names = || (0..publishers).map(|i| format!("many{i}")).collect::<Vec<_>>();
    let made = from_clients(host, names(), |connection, name| {
        connection.must("POST", "sandboxes", &publisher(name), 201);
    });
    let last = measure();
    let mut table = Table::new(&format!("A sandbox that publishes {PORTS} ports"));
    table.times("Netloom: POST /sandboxes", &first.attach, "", "");
    table.times("Netloom: DELETE /sandboxes", &first.detach, "", "");
    let more = format!("beside {publishers} such: ");
    let ratio = |now: &Times, before: &Times| format!("{:.1} x alone", now.p50() / before.p50());
    table.times(&format!("{more}POST"), &last.attach, &ratio(&last.attach, &first.attach), "");
    table.times(&format!("{more}DELETE"), &last.detach, &ratio(&last.detach, &first.detach), "");
    table.figure(&format!("making the {publishers}"), &format!("{made:.0} ms"), "", "");
    table.print();
    from_clients(host, names(), |connection, name| {
        connection.must("DELETE", &format!("sandboxes/{name}"), "", 204);
    });
}

/// A network that goes with its endpoints, against sandboxes removed one after another.
fn cascade(host: &Host) {
    host.bridge("gone", "10.239.0.0/16");
    let names = || (0..CASCADE).map(|i| format!("g{i}")).collect::<Vec<_>>();
    let make = || {
        from_clients(host, names(), |connection, name| {
            let body = json!({"name": name, "networks": {"gone": {}}}).to_string();
            connection.must("POST", "sandboxes", &body, 201);
        })
    };
    let (mut one_by_one, mut at_once) = (Times::default(), Times::default());
    host.net.inside(|| {
        let mut connection = Connection::open(&host.socket());
        make();
        one_by_one.time(|| {
            for name in names() {
                connection.must("DELETE", &format!("sandboxes/{name}"), "", 204);
            }
        });
        make();
        at_once.time(|| connection.must("DELETE", "networks/gone?cascade=endpoints", "", 204));
    });
    let mut table = Table::new(&format!("A network with {CASCADE} endpoints"));
    table.times("its sandboxes removed, one after another", &one_by_one, "1", "");
    let ratio = format!("{:.2}", at_once.p50() / one_by_one.p50());
    table.times("DELETE /networks/gone?cascade=endpoints", &at_once, &ratio, "");
    table.print();
}
