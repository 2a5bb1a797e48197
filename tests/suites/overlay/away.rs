//! A host or its manager is away for a while: what runs goes on, what can't be done says so, and afterwards all catch up.

use std::process::{Child, Command, Stdio};

use netloom_tests::{LabHost, json, until};

use crate::agreement::agree;
use crate::kit::{
    NETWORK, SOON, address, ask_for, attach, becomes, hosts, is_running, netloom, node_state, pings, remove, swarm,
};

/// A ping that goes on, twenty times a second.
struct Pings(Child);

impl Pings {
    fn begin(host: &LabHost<'_>, sandbox: &str, to: &str) -> Self {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", host.netns_of(sandbox).display()));
        command.args(["--", "ping", "-w", "300", "-i", "0.05", "-W", "1", "-q", to]).stdout(Stdio::piped());
        Self(command.spawn().expect("nsenter of util-linux is installed"))
    }

    /// Ends it: how many were sent, and how many answers came. The last may be under way.
    fn end(self) -> (u64, u64) {
        let pid = nix::unistd::Pid::from_raw(self.0.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        let output = self.0.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = said.lines().find(|line| line.contains("transmitted")).unwrap_or_else(|| panic!("{said}"));
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        (numbers[0], numbers[1])
    }

    #[track_caller]
    fn lost_nothing(self, while_what: &str) {
        let (sent, heard) = self.end();
        assert!(sent > 10 && heard + 1 >= sent, "while {while_what}: {heard} answers to {sent} pings");
    }
}

#[test]
fn a_worker_that_is_cut_off_goes_on_by_itself_and_catches_up() {
    let lab = hosts(3);
    let hosts = swarm(&lab);
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    let places = [(one, "a"), (two, "b"), (three, "c")].map(|(host, name)| {
        attach(host, name);
        address(host, name)
    });
    attach(three, "d");
    assert_eq!(agree(&hosts, "four attachments"), 4);
    let others = Pings::begin(two, "b", &places[0]);
    three.cut();
    // It holds what it knows, and serves its own.
    assert!(pings(three, "d", &places[2]), "its own sandboxes reach each other");
    let refused = ask_for(three, "e", NETWORK).problem(409, "manager-unreachable");
    assert!(refused["detail"].as_str().unwrap().contains(&one.address), "{refused}");
    assert!(three.client().get("sandboxes/e").status == 404, "nothing is left of it");
    three.client().post("networks", &json!({"name": "mine", "driver": "bridge"})).is(201);
    three.client().post("sandboxes", &json!({"name": "local", "networks": {"mine": {}}})).is(201);
    remove(three, "d");
    becomes(one, "host3", "down");
    assert!(netloom(&lab, "host3", "swarm info").ok().contains("Swarm: disconnected"));
    // The rest goes on, and nobody waits for who is down.
    let begun = std::time::Instant::now();
    attach(two, "f");
    attach(one, "g");
    remove(one, "g");
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(pings(two, "f", &places[0]) && pings(one, "a", &address(two, "f")));
    others.lost_nothing("another host is cut off");
    let leases = one.client().all(&format!("leases?network={NETWORK}&limit=1000"));
    assert!(leases.iter().any(|lease| lease["status"]["owner"]["name"] == "c"), "a node that is down keeps its own");

    three.heal();
    becomes(one, "host3", "ready");
    assert_eq!(agree(&hosts, "a cut was healed"), 4);
    assert!(pings(three, "c", &address(two, "f")), "who came meanwhile is reached");
    attach(three, "e");
    assert_eq!(agree(&hosts, "an attachment after that"), 5);
    assert!(is_running(three, "local"));
    lab.netloom("lab down").ok();
}

#[test]
fn a_manager_that_is_away_is_missed_by_nobody_who_runs() {
    let lab = hosts(3);
    let hosts = swarm(&lab);
    let [one, two, three] = hosts.as_slice() else { panic!("three hosts") };
    attach(two, "b");
    attach(two, "stays");
    attach(three, "c");
    attach(one, "a");
    assert_eq!(agree(&hosts, "four attachments"), 4);
    let pinging = Pings::begin(two, "b", &address(three, "c"));
    one.kill();
    // What waits for the manager is done by itself when it comes back.
    ask_for(three, "e", NETWORK).problem(409, "manager-unreachable");
    remove(two, "stays");
    // A worker that starts without its manager forwards from what it knows.
    three.kill();
    three.start();
    until("its sandbox runs", SOON, || is_running(three, "c").then_some(()));
    assert!(pings(three, "c", &address(two, "b")));
    pinging.lost_nothing("the manager is away and a worker starts again");

    // As after a reboot: no namespace, no link, no manager.
    three.kill();
    three.forget_kernel();
    three.start();
    until("its sandbox runs", SOON, || is_running(three, "c").then_some(()));
    assert!(
        pings(three, "c", &address(two, "b")) && pings(two, "b", &address(three, "c")),
        "rebuilt without a manager"
    );

    one.start();
    assert_eq!(node_state(one, "host1"), "ready");
    assert_eq!(agree(&hosts, "the manager came back"), 3);
    attach(three, "e");
    assert_eq!(agree(&hosts, "an attachment after that"), 4);
    lab.netloom("lab down").ok();
}
