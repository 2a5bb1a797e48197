//! Published ports: a sandbox with 32 of them, alone and beside 500 such.

use netloom_tests::{Host, Value, json};

use crate::Plan;
use crate::attach::{Pair, from_clients};
use crate::figures::{Table, Times};
use crate::http::Connection;

/// Ports that one sandbox publishes.
const PORTS: u32 = 32;
/// Sandboxes with that many ports.
const PUBLISHERS: usize = 500;

/// A sandbox with 32 ports, by the automatic numbers.
fn publisher(name: &str) -> String {
    let ports: serde_json::Map<String, Value> =
        (0..PORTS).map(|i| (format!("p{i}"), json!({"target": 1000 + i}))).collect();
    json!({"name": name, "networks": {"n": {"ports": ports}}}).to_string()
}

/// Measures and prints.
pub(crate) fn run(plan: &Plan) {
    let host = Host::started(&plan.netloom.to_string_lossy());
    host.bridge("n", "10.240.0.0/16");
    // While nobody is on the network, the first makes its bridge and the last removes it.
    host.sandbox("keeper", "n");
    ports(&host, plan);
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
