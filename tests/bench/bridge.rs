//! Bridge networks: a sandbox on one, alone and beside 1,000 over 5 networks, beside the peers; beside Docker in `docker.rs`.

use std::time::Instant;

use netloom_tests::{Host, Value, json};

use crate::Plan;
use crate::attach::{Pair, against, from_clients, peer, single};
use crate::docker;
use crate::figures::{Table, Times, millis};
use crate::floor::Floor;
use crate::floor_bridge::Bridges;
use crate::http::Connection;
use crate::peers::{On, Peer};

/// Over how many networks the endpoints are spread.
pub(crate) const NETWORKS: usize = 5;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = Host::started(&plan.netloom.to_string_lossy());
    host.bridge("n", "10.240.0.0/16");
    // While nobody is on the network, the first makes its bridge and the last removes it.
    host.sandbox("keeper", "n");
    docker::run(&host, plan);
    alone(&host, plan)?;
    first(&host, plan)?;
    beside_many(&host, plan)?;
    Ok(())
}

fn alone(host: &Host, plan: &Plan) -> anyhow::Result<()> {
    let peers: Vec<Peer> = [Peer::Netavark, Peer::Cni].into_iter().filter(|peer| peer.installed()).collect();
    let mut others: Vec<Pair> = peers.iter().map(|_| Pair::default()).collect();
    let (mut ours, mut bare) = (Pair::default(), Pair::default());
    host.net.inside(|| -> anyhow::Result<()> {
        let mut bridges = Bridges::new(&host.dir().join("bridges"))?;
        bridges.bridge(0)?;
        let base = Floor::new("parent0", &host.dir().join("floor"))?;
        let mut connection = Connection::open(&host.socket());
        // Theirs stays in use, too.
        base.namespace("kept")?;
        for (number, one) in (40_000..).zip(&peers) {
            one.attach(On::Bridge, &base.path("kept"), number, host.dir())?;
            one.detach(On::Bridge, &base.path("kept"), number, host.dir())?;
        }
        for run in 0..plan.runs {
            for turn in (0..2 + peers.len()).map(|turn| (turn + run) % (2 + peers.len())) {
                match turn {
                    0 => single(&mut connection, run, &mut ours),
                    1 => floor(&mut bridges, run, &mut bare)?,
                    other => peer(peers[other - 2], On::Bridge, &base, run, host.dir(), &mut others[other - 2])?,
                }
            }
        }
        bridges.delete_all()?;
        base.unpin("kept")
    })?;
    let mut table = Table::new(&format!("One sandbox on a bridge network in use, {} interleaved runs", plan.runs));
    let ratio = |own: &Times, floor: &Times| format!("{:.2} x the floor", own.p50() / floor.p50());
    table.times("floor: namespace and pair by bare netlink", &bare.attach, "1", "");
    table.times("Netloom: POST /sandboxes", &ours.attach, &ratio(&ours.attach, &bare.attach), "");
    table.times("floor: the pair deleted by bare netlink", &bare.detach, "1", "");
    table.times("Netloom: DELETE /sandboxes", &ours.detach, &ratio(&ours.detach, &bare.detach), "");
    against(&mut table, &peers, &others, &ours, true);
    table.print();
    Ok(())
}

/// A network with its first endpoint, of a namespace that is there, and both removed again. To the peers a network is a file until then; one of them
/// leaves the bridge.
fn first(host: &Host, plan: &Plan) -> anyhow::Result<()> {
    let peers: Vec<Peer> = [Peer::Netavark, Peer::Cni].into_iter().filter(|peer| peer.installed()).collect();
    let mut others: Vec<Pair> = peers.iter().map(|_| Pair::default()).collect();
    let mut ours = Pair::default();
    host.net.inside(|| -> anyhow::Result<()> {
        let base = Floor::new("parent0", &host.dir().join("first"))?;
        let mut connection = Connection::open(&host.socket());
        for run in 0..plan.runs {
            for turn in (0..=peers.len()).map(|turn| (turn + run) % (1 + peers.len())) {
                if turn == 0 {
                    network_and_first(&mut connection, &mut ours);
                    continue;
                }
                let (number, bridge) = (turn - 1, format!("peer-{run}"));
                peer(peers[number], On::NewBridge(&bridge), &base, run, host.dir(), &mut others[number])?;
                // The one leaves its bridge, the other removes it with the last endpoint.
                host.net.try_run(&format!("ip link del {bridge}"));
            }
        }
        Ok(())
    })?;
    let mut table = Table::new(&format!("A bridge network with its first endpoint, {} interleaved runs", plan.runs));
    table.times("Netloom: POST /networks, PATCH: its first endpoint", &ours.attach, "", "");
    table.times("Netloom: PATCH: that detached, DELETE /networks", &ours.detach, "", "");
    against(&mut table, &peers, &others, &ours, false);
    table.print();
    Ok(())
}

fn network_and_first(connection: &mut Connection, pair: &mut Pair) {
    let network =
        json!({"name": "first", "driver": "bridge", "pools": {"v4": {"subnet": "10.239.0.0/24"}}}).to_string();
    let on_it = |value: Value| json!({"networks": {"first": value}}).to_string();
    let (attached, detached) = (on_it(json!({})), on_it(Value::Null));
    pair.attach.time(|| {
        connection.must("POST", "networks", &network, 201);
        connection.must("PATCH", "sandboxes/keeper", &attached, 200);
    });
    pair.detach.time(|| {
        connection.must("PATCH", "sandboxes/keeper", &detached, 200);
        connection.must("DELETE", "networks/first", "", 204);
    });
}

/// One by bare netlink, on a bridge that is there.
fn floor(bridges: &mut Bridges, run: usize, pair: &mut Pair) -> anyhow::Result<()> {
    let (name, number) = (format!("b{run}"), u32::try_from(run)?);
    pair.attach.time(|| bridges.attach(&name, number, 0))?;
    pair.detach.time(|| bridges.delete(number))?;
    bridges.unpin(&name)
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
