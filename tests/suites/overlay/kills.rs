//! Daemons killed amid attaching and detaching, at chosen points and at random ones: nothing is lost that was acknowledged, nothing leaks.

use std::time::Duration;

use netloom_tests::dice::{Dice, seed};
use netloom_tests::{LabHost, json, loops, until};

use crate::agreement::agree;
use crate::kit::{NETWORK, SOON, attach, hosts, swarm};

/// Sends a request; its status, if an answer came.
fn send(host: &LabHost<'_>, method: &str, path: &str, body: Option<netloom_tests::Value>) -> Option<u16> {
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let body = body.map(|body| (kind, body.to_string().into_bytes()));
    host.client().send(method, path, body).ok().map(|answer| answer.status)
}

fn attach_by(host: &LabHost<'_>, name: &str) -> Option<u16> {
    send(host, "POST", "sandboxes", Some(json!({"name": name, "networks": {NETWORK: {}}})))
}

#[test]
fn a_daemon_killed_at_a_chosen_point_leaves_nothing_that_differs() {
    let lab = hosts(2);
    let hosts = swarm(&lab);
    attach(&hosts[0], "a");
    attach(&hosts[1], "b");
    for (at, point) in [
        (1, "control.create.before_commit"),
        (1, "control.create.after_commit"),
        (1, "control.update.after_commit"),
        (1, "control.remove.after_mark"),
        (1, "control.remove.before_purge"),
        (1, "control.remove.after_purge"),
        (0, "control.create.after_commit"),
        (0, "control.remove.after_mark"),
    ] {
        let host = &hosts[at];
        let what = format!("{point} on {}", host.name);
        if point.contains("remove") {
            attach(host, "x");
        }
        host.kill();
        host.start_with(&format!("{point}:kill"));
        let answered = match point.split('.').nth(1) {
            Some("create") => attach_by(host, "x"),
            Some("update") => {
                send(host, "POST", "networks", Some(json!({"name": "plain", "driver": "bridge"})));
                let off = json!({"networks": {NETWORK: null, "plain": {}}});
                send(host, "PATCH", "sandboxes/b", Some(off))
            }
            _ => send(host, "DELETE", "sandboxes/x", None),
        };
        until(&format!("it is killed at {what}, and answered {answered:?}"), SOON, || {
            host.pid().is_none().then_some(())
        });
        host.start();
        agree(&hosts, &what);
        send(host, "DELETE", "sandboxes/x", None);
    }
    assert_eq!(agree(&hosts, "all of them"), 1, "`a` is there, and `b` is on another network");
    lab.netloom("lab down").ok();
}

#[test]
fn daemons_killed_at_random_leave_nothing_that_differs() {
    let lab = hosts(3);
    let hosts = swarm(&lab);
    for (host, name) in hosts.iter().zip(["a", "b", "c"]) {
        attach(host, name);
    }
    let seed = seed();
    let mut dice = Dice::new(seed);
    let mut acknowledged = 0;
    for round in 0..loops(5) {
        // The manager, a worker, or both.
        let victims: &[usize] = [&[1][..], &[0], &[0, 1]][usize::try_from(dice.below(3)).unwrap()];
        let after = Duration::from_millis(dice.below(500));
        let what = format!("round {round}: hosts {victims:?} killed after {after:?} (SEED={seed})");
        let made: Vec<(usize, String, bool)> = std::thread::scope(|scope| {
            let busy: Vec<_> = (0..hosts.len())
                .map(|at| {
                    let host = &hosts[at];
                    scope.spawn(move || work(host, at, round))
                })
                .collect();
            std::thread::sleep(after);
            victims.iter().for_each(|at| hosts[*at].kill());
            busy.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        victims.iter().for_each(|at| hosts[*at].start());
        agree(&hosts, &what);
        acknowledged += made.len();
        for (at, name, is_there) in &made {
            let status = hosts[*at].client().get(&format!("sandboxes/{name}")).status;
            assert_eq!(status == 200, *is_there, "{what}: {name} on {}, as it was acknowledged", hosts[*at].name);
        }
        for host in &hosts {
            for sandbox in host.client().all("sandboxes?limit=1000") {
                let name = sandbox["name"].as_str().unwrap();
                if name.starts_with('r') {
                    host.client().delete(&format!("sandboxes/{name}"));
                }
            }
        }
    }
    assert!(acknowledged > 0, "nothing was acknowledged in any round (SEED={seed})");
    assert_eq!(agree(&hosts, &format!("all rounds (SEED={seed})")), 3);
    lab.netloom("lab down").ok();
}

/// Attaches and detaches on a host; what was acknowledged, and whether it is then there.
fn work(host: &LabHost<'_>, at: usize, round: u32) -> Vec<(usize, String, bool)> {
    let mut known = Vec::new();
    for count in 0..3 {
        let name = format!("r{round}-{at}-{count}");
        if !matches!(attach_by(host, &name), Some(201 | 202)) {
            continue;
        }
        if count == 1 {
            // Where no answer came, whether it heard of that is its secret.
            if send(host, "DELETE", &format!("sandboxes/{name}"), None) == Some(204) {
                known.push((at, name, false));
            }
        } else {
            known.push((at, name, true));
        }
    }
    known
}
