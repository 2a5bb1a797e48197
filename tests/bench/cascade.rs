//! A network that is removed with its endpoints: against its sandboxes one after another, and against its links one after another by netlink.

use std::sync::atomic::{AtomicU32, Ordering};

use netloom_tests::{Host, json};

use crate::Plan;
use crate::attach::from_clients;
use crate::figures::{Table, Times, verdict};
use crate::floor_bridge::Bridges;
use crate::http::Connection;

/// Endpoints of the network that is removed with them.
const CASCADE: u32 = 200;
/// Most that it may take, in terms of its links deleted one by one.
const GOAL: f64 = 0.1;
/// As many threads as Netloom removes links with.
const THREADS: usize = 16;
/// How often each is measured.
const ROUNDS: usize = 3;

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let host = &Host::started(&plan.netloom.to_string_lossy());
    let names = || (0..CASCADE).map(|i| format!("g{i}")).collect::<Vec<_>>();
    let (mut one_by_one, mut at_once) = (Times::default(), Times::default());
    let (mut links, mut side_by_side, mut group) = (Times::default(), Times::default(), Times::default());
    host.net.inside(|| -> anyhow::Result<()> {
        let mut connection = Connection::open(&host.socket());
        let mut base = Bridges::new(&host.dir().join("floor"))?;
        let make = || {
            from_clients(host, names(), |connection, name| {
                let body = json!({"name": name, "networks": {"gone": {}}}).to_string();
                connection.must("POST", "sandboxes", &body, 201);
            })
        };
        for _ in 0..ROUNDS {
            host.bridge("gone", "10.239.0.0/16");
            make();
            one_by_one.time(|| {
                for name in names() {
                    connection.must("DELETE", &format!("sandboxes/{name}"), "", 204);
                }
            });
            base.settle()?;
            make_links(&mut base)?;
            links.time(|| (0..CASCADE).try_for_each(|number| base.delete(number)))?;
            base.delete_all()?;
            leave(&mut base)?;
            make_links(&mut base)?;
            side_by_side.time(|| delete_side_by_side(host))?;
            base.delete_all()?;
            leave(&mut base)?;
            make_links(&mut base)?;
            group.time(|| base.delete_all())?;
            leave(&mut base)?;
            make();
            at_once.time(|| connection.must("DELETE", "networks/gone?cascade=endpoints", "", 204));
            // The sandboxes themselves stay.
            from_clients(host, names(), |connection, name| {
                connection.must("DELETE", &format!("sandboxes/{name}"), "", 204);
            });
            base.settle()?;
        }
        Ok(())
    })?;
    let mut table = Table::new(&format!("A network with {CASCADE} endpoints removed, {ROUNDS} times each"));
    table.times("floor: its links deleted one by one", &links, "1", "");
    let against = |times: &Times| format!("{:.3} x the floor", times.p50() / links.p50());
    table.times("the same from 16 threads", &side_by_side, &against(&side_by_side), "");
    table.times("all of them by one message, bridge included", &group, &against(&group), "");
    table.times("Netloom: its sandboxes removed, one after another", &one_by_one, &against(&one_by_one), "");
    let met = verdict(at_once.p50() <= GOAL * links.p50(), &format!("at most {GOAL} x the floor"));
    table.times("Netloom: DELETE /networks/gone?cascade=endpoints", &at_once, &against(&at_once), &met);
    let ratio = format!("{:.2} of that", at_once.p50() / one_by_one.p50());
    table.figure("the same against its sandboxes one after another", "", &ratio, "");
    table.print();
    Ok(())
}

/// The same bridge with as many endpoints, by bare netlink.
fn make_links(base: &mut Bridges) -> anyhow::Result<()> {
    base.bridge(0)?;
    (0..CASCADE).try_for_each(|number| base.attach(&format!("g{number}"), number, 0))
}

/// Leaves their namespaces, in which no link is left, and waits until the kernel is through with them.
fn leave(base: &mut Bridges) -> anyhow::Result<()> {
    (0..CASCADE).try_for_each(|number| base.unpin(&format!("g{number}")))?;
    base.settle()
}

/// The floor's links, each by a message of its own, from as many threads as Netloom has for that.
fn delete_side_by_side(host: &Host) -> anyhow::Result<()> {
    let next = AtomicU32::new(0);
    let work = || -> anyhow::Result<()> {
        let mut base = Bridges::new(&host.dir().join("floor"))?;
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                number if number < CASCADE => base.delete(number)?,
                _ => return Ok(()),
            }
        }
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
