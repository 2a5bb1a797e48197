//! A node that is told of 10,000 endpoints of others: after a cut, after a reboot with its manager and without, and after a mere restart; until all that forwards
//! to them is in its kernel. Beside it, the same entries by bare netlink. The others are simulated (`members.rs`).

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use netloom_model::NetworkId;
use netloom_pki::JoinTokenText;
use netloom_tests::echo::inside;
use netloom_tests::{Lab, LabHost, json, until};

use crate::Plan;
use crate::figures::{Table, Times, millis};
use crate::floor_overlay;
use crate::http::Connection;
use crate::members::Worker;

/// How many nodes the others are on.
const NODES: usize = 10;
/// How often each is measured.
const ROUNDS: usize = 3;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many sandboxes are made beside all that.
const SANDBOXES: usize = 20;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let lab = Lab::new(&plan.netloom.to_string_lossy(), 2);
    let (manager, node) = (lab.host(1), lab.host(2));
    let (token, networks) = swarm(&manager, &node)?;
    node.cut();
    let begin = Instant::now();
    let address = format!("{}:2377", manager.address).parse()?;
    inside(&lab.machine.outside(&manager.netns), || others(address, &token, networks[0], plan.peers))?;
    println!("Giving {} places to {NODES} nodes took {:.1} s.\n", plan.peers, begin.elapsed().as_secs_f64());
    let healed = healed(&node, plan.peers)?;
    let (mut floor, mut rebooted, mut alone, mut again) =
        (Times::default(), Times::default(), Times::default(), Times::default());
    for _ in 0..ROUNDS {
        floor.add(floor_overlay::entries(plan.peers)?);
        rebooted.add(reboot(&node, plan.peers)?);
        again.add(restart(&node, plan.peers)?);
        node.cut();
        alone.add(reboot(&node, plan.peers)?);
        node.heal();
    }
    let title = format!("{} endpoints of others: {} entries in a node's kernel", plan.peers, plan.peers * 3);
    let mut table = Table::new(&title);
    let compared = |times: &Times| format!("{:.2} x the floor", times.p50() / floor.p50());
    table.times("floor: the entries by bare netlink", &floor, "1", "");
    table.times("after a reboot: from the start to all of them", &rebooted, &compared(&rebooted), "");
    table.times("the same without a manager", &alone, &compared(&alone), "");
    table.times("a restart that finds them: until ready", &again, &compared(&again), "");
    let healed = healed.map(|took| format!("{:.0} ms", millis(took)));
    table.figure("after a cut in which all of them came: until the manager is heard", &healed[0], "", "");
    table.figure("from then to all of them", &healed[1], "", "");
    table.print();
    beside(&node, plan)?;
    lab.netloom("lab down").ok();
    Ok(())
}

/// A manager and a node, with networks `n` and `few`, each with a sandbox of the node's.
fn swarm(manager: &LabHost<'_>, node: &LabHost<'_>) -> anyhow::Result<(JoinTokenText, Vec<NetworkId>)> {
    let mut connection = Connection::open(&manager.run_dir.join("netloom.sock"));
    let made = connection.must("PUT", "swarm", &json!({"advertise_address": manager.address}).to_string(), 201);
    let secret = made["join_token"]["secret"].as_str().context("a join token")?;
    let join = json!({"token": secret, "manager": format!("{}:2377", manager.address), "address": node.address});
    node.client().put("swarm/membership", &join).is(201);
    let mut networks = Vec::new();
    for (name, subnet) in [("n", "10.244.0.0/16"), ("few", "10.245.0.0/16")] {
        let body = json!({"name": name, "driver": "overlay", "pools": {"v4": {"subnet": subnet}}}).to_string();
        let made = connection.must("POST", "networks", &body, 201);
        networks.push(made["id"].as_str().context("an ID")?.parse()?);
        until("the node knows the network", PATIENCE, || {
            (node.client().get(&format!("networks/{name}")).status == 200).then_some(())
        });
        let sandbox = json!({"name": format!("on-{name}"), "networks": {name: {}}});
        node.client().post("sandboxes", &sandbox).is(201);
    }
    Ok((secret.parse()?, networks))
}

/// Endpoints of other nodes come onto the network.
fn others(
    manager: std::net::SocketAddr,
    token: &JoinTokenText,
    network: NetworkId,
    peers: usize,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let joins = (0..u32::try_from(NODES)?).map(|number| Worker::join(manager, token, number));
        let workers: Vec<Worker> = stream::iter(joins).buffered(NODES / 2).try_collect().await?;
        let each = u32::try_from(peers / NODES)?;
        let all = workers.iter().map(|worker| async move {
            for number in 0..each {
                worker.attach(network, number).await?;
            }
            anyhow::Ok(())
        });
        stream::iter(all).buffer_unordered(NODES).try_collect::<Vec<()>>().await?;
        anyhow::Ok(())
    })
}

/// The way is there again: until the manager is heard, and from then until all is in the kernel.
fn healed(node: &LabHost<'_>, peers: usize) -> anyhow::Result<[Duration; 2]> {
    node.heal();
    let begin = Instant::now();
    // The first entries come with the first word of the networks.
    while neighbours(node) == 0 {
        ensure!(begin.elapsed() < PATIENCE, "the node hears nothing of its manager");
        std::thread::sleep(Duration::from_millis(10));
    }
    let heard = begin.elapsed();
    all_there(node, peers, begin)?;
    Ok([heard, begin.elapsed() - heard])
}

/// All that a reboot takes is taken; from the start until all is in the kernel.
fn reboot(node: &LabHost<'_>, peers: usize) -> anyhow::Result<Duration> {
    node.stop();
    node.forget_kernel();
    let begin = Instant::now();
    node.start();
    all_there(node, peers, begin)
}

/// Until it is ready again, which is after its first look at everything.
fn restart(node: &LabHost<'_>, peers: usize) -> anyhow::Result<Duration> {
    node.stop();
    // Its process lets go of the machine's port a moment after its lock.
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    node.start();
    let took = begin.elapsed();
    all_there(node, peers, begin)?;
    Ok(took)
}

fn all_there(node: &LabHost<'_>, peers: usize, begin: Instant) -> anyhow::Result<Duration> {
    loop {
        // Neighbours are made last.
        if neighbours(node) == peers {
            let took = begin.elapsed();
            let entries = forwarding(node);
            ensure!(entries == 2 * peers, "{entries} entries of forwarding for {peers} peers");
            return Ok(took);
        }
        ensure!(begin.elapsed() < PATIENCE, "{} of {peers} peers are in the kernel", neighbours(node));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn neighbours(node: &LabHost<'_>) -> usize {
    node.try_in_overlay("ip neigh show nud permanent").stdout.lines().filter(|line| line.starts_with("10.244.")).count()
}

/// Entries of the network's addresses: their Ethernet addresses have them in.
fn forwarding(node: &LabHost<'_>) -> usize {
    let listed = node.try_in_overlay("bridge fdb show").stdout;
    listed.lines().filter(|line| line.starts_with("02:42:0a:f4:") && line.contains("nl-v")).count()
}

/// A sandbox more on the network of many, and on one of few, in turns.
fn beside(node: &LabHost<'_>, plan: &Plan) -> anyhow::Result<()> {
    let mut connection = Connection::open(&node.run_dir.join("netloom.sock"));
    until("the node reaches its manager", PATIENCE, || {
        let body = json!({"name": "first", "networks": {"n": {}}});
        (node.client().post("sandboxes", &body).status == 201).then_some(())
    });
    let mut times = [[Times::default(), Times::default()], [Times::default(), Times::default()]];
    for round in 0..SANDBOXES {
        for turn in [round % 2, (round + 1) % 2] {
            let network = ["few", "n"][turn];
            let body = json!({"name": "more", "networks": {network: {}}}).to_string();
            let [made, removed] = &mut times[turn];
            made.time(|| connection.must("POST", "sandboxes", &body, 201));
            removed.time(|| connection.must("DELETE", "sandboxes/more", "", 204));
        }
    }
    let [few, many] = &times;
    let mut table = Table::new(&format!("One sandbox more, beside {} endpoints of others", plan.peers));
    for (what, place) in [("POST /sandboxes", 0), ("DELETE /sandboxes", 1)] {
        table.times(&format!("{what} on a network of nobody else's"), &few[place], "1", "");
        let compared = format!("{:.2} x", many[place].p50() / few[place].p50());
        table.times(&format!("{what} on the one of {}", plan.peers), &many[place], &compared, "");
    }
    table.print();
    Ok(())
}
