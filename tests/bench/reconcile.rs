//! A cold start: nothing of the daemon's is in the kernel, as after a reboot, and 1,000 endpoints over 5 bridge networks are to be made and
//! verified; against the same objects by bare netlink, in turns.

use std::time::{Duration, Instant};

use anyhow::ensure;
use netloom_tests::{Host, json};

use crate::Plan;
use crate::attach::from_clients;
use crate::bridge::NETWORKS;
use crate::figures::{Table, Times, verdict};
use crate::floor::GROUP;
use crate::floor_bridge::Bridges;

/// How often each is measured.
const ROUNDS: usize = 3;
/// Most that it may take, in terms of the floor.
const GOAL: f64 = 1.5;
/// The group of Netloom's links (docs/adr/0002).
const NETLOOM: u32 = 0x6e6c;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = Host::started(&plan.netloom.to_string_lossy());
    for i in 0..NETWORKS {
        host.bridge(&format!("n{i}"), &format!("10.{}.0.0/16", 230 + i));
    }
    let names = (0..plan.endpoints).map(|i| format!("e{i}")).collect();
    from_clients(&host, names, |connection, name| {
        let network = name[1..].parse::<usize>().unwrap_or(0) % NETWORKS;
        let body = json!({"name": name, "networks": {format!("n{network}"): {}}}).to_string();
        connection.must("POST", "sandboxes", &body, 201);
    });
    let (mut ours, mut alone, mut together) = (Times::default(), Times::default(), Times::default());
    host.kill();
    wipe(&host)?;
    for round in 0..ROUNDS {
        for turn in 0..3 {
            match (turn + round) % 3 {
                0 => ours.add(cold(&host, plan)?),
                1 => alone.add(floor(&host, plan, 1)?),
                _ => together.add(floor(&host, plan, 2)?),
            }
            if !host.has_ended() {
                host.kill();
            }
            wipe(&host)?;
        }
    }
    let title = format!("A cold start with {} endpoints over {NETWORKS} bridge networks", plan.endpoints);
    let mut table = Table::new(&title);
    table.times("floor: the objects by bare netlink, one thread", &alone, "", "");
    table.times("the same, two threads", &together, "", "");
    // The faster of the two is the floor.
    let best = alone.p50().min(together.p50());
    let ratio = ours.p50() / best;
    let met = verdict(ratio <= GOAL, &format!("at most {GOAL} x the floor"));
    table.times("Netloom: from the start to verified", &ours, &format!("{ratio:.2} x the faster floor"), &met);
    table.print();
    Ok(())
}

/// From the start of the process until it is ready, which is after its first full pass; what it made is then looked at by itself and by `ip`.
fn cold(host: &Host, plan: &Plan) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    host.start();
    let mut took = begin.elapsed();
    // Where that pass left something over, it counts until that is made, too.
    while host.client().get("drift").is(200)["items"].as_array().is_none_or(|items| !items.is_empty()) {
        took = begin.elapsed();
        ensure!(took < Duration::from_secs(120), "the kernel differs from what is wanted for two minutes");
    }
    let ports = host.net.shell(&format!("ip -o link show group {NETLOOM} type veth | wc -l"));
    ensure!(
        ports.trim() == plan.endpoints.to_string(),
        "there are {} ports for {} endpoints",
        ports.trim(),
        plan.endpoints
    );
    Ok(took)
}

/// The same objects by hand, the endpoints shared out to threads.
fn floor(host: &Host, plan: &Plan, threads: usize) -> anyhow::Result<Duration> {
    let dir = host.dir().join("floor");
    let endpoints: Vec<u32> = (0..u32::try_from(plan.endpoints)?).collect();
    let bridges = u32::try_from(NETWORKS)?;
    host.net.inside(|| -> anyhow::Result<Duration> {
        let mut base = Bridges::new(&dir)?;
        let begin = Instant::now();
        for bridge in 0..bridges {
            base.bridge(bridge)?;
        }
        std::thread::scope(|scope| -> anyhow::Result<()> {
            let share = |own: Vec<u32>| -> anyhow::Result<()> {
                let mut base = Bridges::new(&dir)?;
                own.into_iter().try_for_each(|number| base.attach(&format!("c{number}"), number, number % bridges))
            };
            let shares = (0..threads).map(|first| endpoints.iter().copied().skip(first).step_by(threads).collect());
            let running: Vec<_> = shares.map(|own: Vec<u32>| scope.spawn(move || share(own))).collect();
            running
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        let took = begin.elapsed();
        endpoints.iter().try_for_each(|number| base.unpin(&format!("c{number}")))?;
        Ok(took)
    })
}

/// Takes everything of Netloom's and of the floor's off the host, and waits until the kernel is through with it.
fn wipe(host: &Host) -> anyhow::Result<()> {
    host.net.shell(&format!(
        r#"ip link del group {NETLOOM} 2>/dev/null; ip link del group {GROUP} 2>/dev/null
        umount -l {0}/netns 2>/dev/null
        grep -o ' {0}/netns[^ ]*' /proc/self/mountinfo | sort -r | xargs -r umount -l 2>/dev/null
        nft delete table inet netloom 2>/dev/null
        rm -rf {0} && mkdir {0}"#,
        host.run_dir().display()
    ));
    host.net.inside(|| Bridges::new(&host.dir().join("floor"))?.settle())
}
