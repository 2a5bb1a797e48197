//! A network that is removed with its endpoints.

use netloom_tests::{Host, json};

use crate::Plan;
use crate::attach::from_clients;
use crate::figures::{Table, Times};
use crate::http::Connection;

/// Endpoints of the network that is removed with them.
const CASCADE: usize = 200;

/// A network that goes with its endpoints, against sandboxes removed one after another.
pub(crate) fn run(plan: &Plan) {
    let host = &Host::started(&plan.netloom.to_string_lossy());
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
