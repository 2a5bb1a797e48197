//! `netloom lab exercise`: step by step with what comes of each, and a verdict that can be bad.

use std::process::Stdio;
use std::time::Duration;

use netloom_tests::{Client, json, lab, until};

use super::{Machine, down};

/// What it must have shown, whatever there was before.
const SHOWN: [&str; 12] = [
    "\"mac\":\"02:42:c0:a8:7a:02\",\"address\":\"192.168.122.2\"",
    "[3,\"02:42:c0:a8:7a:03\"]",
    " swarm join --token SWMTKN-1-",
    " Is Manager: true",
    " Is Manager: false",
    "  Task History Retention Limit: 5",
    "\"vni\":4097,\"subnet\":\"172.45.0.0/16\",\"gateway\":\"172.45.0.1\"",
    "172.45.0.0/16 overlaps",
    "[\"docker_gwbridge\",\"bridge\",\"local\"]",
    "[\"ingress\",\"overlay\",\"swarm\"]",
    "no services yet",
    "3 packets transmitted, 3 received, 0% packet loss",
];

#[track_caller]
fn shows(said: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(said.contains(text), "{text} is missing:\n{said}");
    }
    assert!(!said.contains("WRONG"), "{said}");
}

#[test]
fn without_a_lab_it_makes_one_and_leaves_nothing() {
    let lab = lab!();
    let before = Machine::look(&lab);
    let said = lab.netloom("lab exercise").ok();
    shows(&said, &SHOWN);
    let own = [
        "lab --hosts 2 --no-join --dir",
        "swarm init --advertise-addr 192.168.122.185\nSwarm initialized: current node (nod_",
        "\nThis node joined a swarm as a worker.\nok ",
        " Nodes: 2",
        "192.168.122.0/24 overlaps the host's route",
        "\nAll is as it should be: ",
    ];
    shows(&said, &own);
    Machine::look(&lab).same_as(&before);
}

#[test]
fn a_swarm_that_is_there_is_used_and_has_nothing_more_afterwards() {
    let lab = lab!();
    let before = Machine::look(&lab);
    lab.netloom("lab --hosts 3").ok();
    let client = lab.host(1).client();
    let lists = || ["networks", "sandboxes", "swarm/join-tokens"].map(|list| client.all(list).len());
    let had = lists();
    let said = lab.netloom("lab exercise").ok();
    shows(&said, &SHOWN);
    shows(&said, &[" Nodes: 3", "host2 is a worker of the swarm already"]);
    assert!(!said.contains("swarm init --advertise"), "{said}");
    assert_eq!(lists(), had);

    // Kept, it can be looked at, and be done again; the lab's end is its end.
    lab.netloom("lab exercise --keep").ok();
    assert_eq!(client.all("sandboxes").len(), 3);
    shows(&lab.netloom("lab exercise").ok(), &SHOWN);
    assert_eq!(client.all("sandboxes").len(), 3, "what was there before stays");
    down(&lab, &before);
}

#[test]
fn what_is_not_as_it_should_be_is_told_and_stays() {
    let lab = lab!(joined 2);
    let client = lab.host(1).client();
    let pools = json!({"v4": {"subnet": "172.46.0.0/16"}});
    client.post("networks", &json!({"name": "overlaynet1", "driver": "overlay", "pools": pools})).is(201);
    let said = lab.netloom("lab exercise");
    assert_eq!(said.code, 1, "{}", said.stdout);
    for text in ["WRONG", "It ends here", "Not all is as it should be: 1 of "] {
        assert!(said.stdout.contains(text), "{text} is missing:\n{}", said.stdout);
    }
    assert!(!said.stdout.contains("alpine-overlay1"), "the next steps need that one");
    assert_eq!(client.get("networks/overlaynet1").is(200)["status"]["pools"]["v4"]["subnet"], "172.46.0.0/16");
    assert_eq!(client.all("sandboxes").len(), 0);
    lab.netloom("lab down").ok();
}

#[test]
fn cut_off_it_leaves_what_the_labs_end_takes() {
    let lab = lab!();
    let before = Machine::look(&lab);
    let mut command = lab.command("lab exercise");
    let mut going = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let socket = lab.dir().join("host1/run/netloom.sock");
    until("its first sandbox on the overlay network", Duration::from_secs(60), || {
        let answer = Client::unix(&socket).send("GET", "sandboxes/alpine-overlay1", None).ok()?;
        (answer.status == 200).then_some(())
    });
    going.kill().unwrap();
    going.wait().unwrap();
    until("what it ran last has ended", Duration::from_secs(20), || {
        lab.machine.try_run(&format!("pgrep -f curl.*{}/", lab.dir().display())).code.eq(&1).then_some(())
    });
    down(&lab, &before);
}

#[test]
fn it_is_not_begun_where_it_cannot_be_done() {
    let lab = lab!(2);
    lab.host(2).stop();
    let said = lab.netloom("lab exercise").failed();
    assert!(said.contains("host2") && said.contains("stopped") && said.contains("lab status"), "{said}");
    lab.netloom("lab start").ok();
    lab.host(2).client().put("swarm", &json!({})).is(201);
    let said = lab.netloom("lab exercise").failed();
    assert!(said.contains("host2 is a manager") && said.contains("lab down"), "{said}");
    lab.netloom("lab down").ok();
    lab.netloom("lab --hosts 1").ok();
    assert!(lab.netloom("lab exercise").failed().contains("needs two hosts"));
    lab.netloom("lab down").ok();
}
