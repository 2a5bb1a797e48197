//! Attach on one node to the first reply from another, on an overlay network that both nodes use already; in turns with the same of two of Docker's
//! engines in a swarm, who stand still while ours are measured, and ours while theirs are. The address is asked every millisecond from the moment at which the attach is
//! sent.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netloom_tests::{Lab, LabHost, json, until};

use crate::Plan;
use crate::engines::{self, Engines};
use crate::figures::{Table, Times, verdict};
use crate::http::Connection;
use crate::prober::{Prober, Took};
use crate::turns::Still;

/// Most that the p99 may be, in milliseconds; the median is below it then.
const GOAL: f64 = 50.0;
/// The networks of ours and of theirs.
const SUBNET: &str = "10.239.0.0/16";

/// What is measured in one direction.
#[derive(Default)]
struct Steps {
    answer: Times,
    reply: Times,
    detach: Times,
}

impl Steps {
    fn add(&mut self, took: &Took) {
        self.answer.add(took.act);
        self.reply.add(took.reply);
    }
}

/// Measures and prints.
///
/// # Panics
/// Where something can't be made, or nobody answers.
pub(crate) fn run(plan: &Plan) {
    let rounds = plan.runs / 2;
    let netloom = plan.netloom.to_string_lossy();
    let lab = Lab::joined(&netloom, 2);
    let hosts = lab.hosts();
    let ours = Nodes::new(&hosts);
    let elsewhere = engines::are_installed().then(|| engines::hosts(&netloom));
    let theirs = elsewhere.as_ref().map(|hosts| Engines::start(hosts, SUBNET));
    let their_probers: Vec<Prober> = theirs.iter().flat_map(|both| (0..2).map(|one| prober(&both.user(one)))).collect();
    let mut figures: [[Steps; 2]; 2] = Default::default();
    let each = [
        hosts.iter().filter_map(LabHost::pid).collect::<Vec<i32>>(),
        theirs.as_ref().map(Engines::pids).unwrap_or_default(),
    ];
    for round in 0..rounds {
        for turn in [round % 2, (round + 1) % 2] {
            let _still = Still::of(&each[1 - turn]);
            for at in 0..2 {
                let (steps, to) = (&mut figures[turn][at], address(round, at));
                match &theirs {
                    _ if turn == 0 => ours.once(at, to, steps),
                    Some(engines) => {
                        let mut connection = engines.connect(at);
                        let attach = || engines::attach(&mut connection, to);
                        let took = their_probers[1 - at].first_reply(to, attach);
                        steps.add(&took.expect("Docker's container answers"));
                        steps.detach.time(|| engines::detach(&mut connection));
                    }
                    None => {}
                }
            }
        }
    }
    print(rounds, &figures, theirs.is_some());
    drop((their_probers, theirs));
    drop(ours);
    lab.netloom("lab down").ok();
}

/// An address that was not asked for before: nobody has an old answer.
fn address(round: usize, at: usize) -> Ipv4Addr {
    let number = 1000 + u32::try_from(round * 2 + at).unwrap_or(0);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 239, 0, 0)) + number)
}

fn prober(namespace: &Path) -> Prober {
    Prober::new(namespace).expect("a socket can be had in the namespace")
}

/// Two nodes of ours, the first the manager. On each, `keeper` is on a bridge network, and `user` on the overlay network.
struct Nodes {
    sockets: Vec<PathBuf>,
    probers: Vec<Prober>,
}

impl Nodes {
    fn new(hosts: &[LabHost<'_>]) -> Self {
        let pools = json!({"v4": {"subnet": SUBNET}});
        let overlay = json!({"name": "bench", "driver": "overlay", "pools": pools});
        hosts[0].client().post("networks", &overlay).is(201);
        for host in hosts {
            until("the node knows the network", Duration::from_secs(10), || {
                (host.client().get("networks/bench").status == 200).then_some(())
            });
            host.client().post("networks", &json!({"name": "home", "driver": "bridge"})).is(201);
            for (name, network) in [("keeper", "home"), ("user", "bench")] {
                host.client().post("sandboxes", &json!({"name": name, "networks": {network: {}}})).is(201);
            }
        }
        Self {
            sockets: hosts.iter().map(|host| host.run_dir.join("netloom.sock")).collect(),
            probers: hosts.iter().map(|host| prober(&host.netns_of("user"))).collect(),
        }
    }

    fn once(&self, at: usize, to: Ipv4Addr, steps: &mut Steps) {
        let on = json!({"networks": {"bench": {"address4": to.to_string()}}}).to_string();
        let off = json!({"networks": {"bench": null}}).to_string();
        // One that was idle while the others had their turn is closed.
        let mut connection = Connection::open(&self.sockets[at]);
        let attach = || drop(connection.must("PATCH", "sandboxes/keeper", &on, 200));
        steps.add(&self.probers[1 - at].first_reply(to, attach).expect("the sandbox answers"));
        steps.detach.time(|| connection.must("PATCH", "sandboxes/keeper", &off, 200));
    }
}

fn print(rounds: usize, figures: &[[Steps; 2]; 2], measured: bool) {
    let title = format!("An overlay network in use on two nodes, beside Docker's swarm, {rounds} interleaved runs");
    let mut table = Table::new(&title);
    for (at, place) in ["the manager", "a worker"].iter().enumerate() {
        let [ours, theirs] = [&figures[0][at], &figures[1][at]];
        let p99 = |times: &Times| format!("p99 {:.1} ms", times.quantile(0.99));
        let met = verdict(ours.reply.quantile(0.99) <= GOAL, &format!("p99 {GOAL} ms"));
        let row = format!("Netloom: attach on {place} to first reply from the other");
        table.times(&row, &ours.reply, &p99(&ours.reply), &met);
        table.times("  answered, all nodes forward", &ours.answer, &p99(&ours.answer), "");
        table.times("  detach", &ours.detach, "", "");
        if measured {
            let faster = |a: &Times, b: &Times| format!("Netloom is {:.1} x faster", a.p50() / b.p50());
            let compared = format!("{}; {}", p99(&theirs.reply), faster(&theirs.reply, &ours.reply));
            table.times(&format!("Docker: connect on {place} to first reply"), &theirs.reply, &compared, "");
            let answered = format!("{}; {}", p99(&theirs.answer), faster(&theirs.answer, &ours.answer));
            table.times("  answered", &theirs.answer, &answered, "");
            table.times("  disconnect", &theirs.detach, &faster(&theirs.detach, &ours.detach), "");
        } else {
            table.figure("Docker's engine", "NOT INSTALLED", "", "");
        }
    }
    table.print();
}
