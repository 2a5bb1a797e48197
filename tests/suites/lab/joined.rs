//! The hosts of a lab are a swarm, unless they are to be left alone; and what is said to do next works as it is printed.

use std::path::Path;

use netloom_tests::{Lab, lab, process};

use super::{Machine, down};

/// Runs a line as it was printed, by a shell on the machine; `netloom` in it is the program under test.
#[track_caller]
fn typed(lab: &Lab, line: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_netloom-under-test"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let line = line.replace("netloom ", "netloom-under-test ");
    process::run(lab.machine.command("sh").args(["-c", &line]).env("PATH", path)).ok()
}

#[test]
fn three_hosts_are_a_swarm_and_the_commands_to_go_on_work() {
    let lab = lab!();
    let before = Machine::look(&lab);
    let said = lab.netloom("lab --hosts 3").ok();
    for line in
        ["  host1 made a swarm, and manages it", "  host2 joined it as a worker", "  host3 joined it as a worker"]
    {
        assert!(said.lines().any(|said| said == line), "{line} is missing:\n{said}");
    }
    for (host, role) in [("host1", "manager"), ("host2", "worker"), ("host3", "worker")] {
        let is_row = |line: &str| line.starts_with(&format!("{host} ")) && line.contains(&format!("  {role} "));
        assert!(said.lines().any(is_row), "{host}:\n{said}");
        assert!(lab.netloom("lab status").ok().lines().any(is_row), "{host} in the status");
    }
    let status = lab.status();
    let roles: Vec<&str> =
        status["hosts"].as_array().unwrap().iter().map(|host| host["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["manager", "worker", "worker"]);

    // Ready from the first moment on, at the addresses that the lab gave them.
    let nodes = lab.host(1).client().all("nodes");
    let mut seen: Vec<[&str; 4]> = nodes
        .iter()
        .map(|node| ["hostname", "role", "state", "address"].map(|field| node["status"][field].as_str().unwrap()))
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            ["host1", "manager", "ready", "192.168.122.185"],
            ["host2", "worker", "ready", "192.168.122.186"],
            ["host3", "worker", "ready", "192.168.122.187"],
        ]
    );
    let swarms: Vec<String> =
        lab.hosts().iter().map(|host| host.client().get("info").is(200)["swarm"]["id"].to_string()).collect();
    assert!(swarms.iter().all(|id| *id == swarms[0]), "one swarm: {swarms:?}");

    // What to do next, to the letter.
    let block = said.split("\nOverlay ").nth(1).unwrap().split("\nExercise ").next().unwrap();
    let commands: Vec<&str> = block.lines().skip(1).map(str::trim).collect();
    assert_eq!(commands.len(), 4, "{block}");
    let answers: Vec<String> = commands.iter().map(|line| typed(&lab, line)).collect();
    assert!(answers[3].contains("3 packets transmitted, 3 received"), "{answers:?}");
    let listed = said.lines().find_map(|line| line.strip_prefix("Swarm ")).unwrap().trim();
    assert_eq!(typed(&lab, listed).matches("Ready").count(), 3);
    down(&lab, &before);
}

#[test]
fn hosts_can_be_left_alone_and_one_host_is_a_swarm_of_one() {
    let lab = lab!();
    let before = Machine::look(&lab);
    let said = lab.netloom("lab --hosts 2 --no-join").ok();
    assert!(!said.contains("worker") && said.contains("swarm init"), "{said}");
    for host in lab.hosts() {
        assert_eq!(host.client().get("info").is(200)["swarm_state"], "inactive");
    }
    assert!(lab.status()["hosts"][0]["role"].is_null());
    down(&lab, &before);

    lab.netloom("lab --hosts 1").ok();
    assert_eq!(lab.host(1).client().all("nodes").len(), 1);
    down(&lab, &before);
}

#[test]
fn a_swarm_outlives_its_services() {
    let lab = lab!(joined 2);
    for host in lab.hosts() {
        host.stop();
    }
    assert!(lab.status()["hosts"][0]["role"].is_null(), "nobody is there who would say it");
    lab.netloom("lab start").ok();
    assert_eq!(lab.status()["hosts"][1]["role"], "worker");
    lab.netloom("lab down").ok();
}
