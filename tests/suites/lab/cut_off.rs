//! Cut off anywhere, by whatever: `lab down` finds what there is, and nothing is left.

use std::process::Stdio;
use std::time::Duration;

use netloom_tests::{Client, json, lab, until};

use super::{Machine, down};

#[test]
fn a_making_that_was_killed_anywhere_is_cleaned_up() {
    let lab = lab!();
    let before = Machine::look(&lab);
    for point in [
        "after_record:kill",
        "after_underlay:kill",
        "after_directory:kill",
        "after_namespace:kill",
        "after_namespace:kill:2",
        "after_plug:kill:2",
        "after_start:kill",
        "after_start:kill:2",
        "after_ready:kill",
        "after_swarm:kill",
        "after_join:kill",
    ] {
        let said = lab.netloom_with("lab --hosts 2", &format!("lab.make.{point}"));
        assert!(said.code == 137 || said.code == -1, "{point}: {}{}", said.stdout, said.stderr);
        let refused = lab.netloom("lab --hosts 2").failed();
        assert!(refused.contains("not made to its end") && refused.contains("lab down"), "{point}: {refused}");
        down(&lab, &before);
    }
    lab.netloom("lab --hosts 1 --no-join").ok();
    down(&lab, &before);
}

#[test]
fn a_removal_that_was_killed_anywhere_is_taken_up_again() {
    let lab = lab!();
    let before = Machine::look(&lab);
    for point in
        ["after_processes", "after_purge", "after_purge:kill:2", "after_namespace", "after_files", "after_files:kill:2"]
    {
        lab.netloom("lab --hosts 2 --no-join").ok();
        let client = lab.host(1).client();
        client.post("networks", &json!({"name": "web", "driver": "bridge"})).is(201);
        client.post("sandboxes", &json!({"name": "www", "networks": {"web": {}}})).is(201);
        let said = lab.netloom_with("lab down", &format!("lab.down.{point}"));
        assert!(said.code == 137 || said.code == -1, "{point}: {}{}", said.stdout, said.stderr);
        assert!(lab.netloom("lab status").failed().contains("lab down"), "{point}");
        down(&lab, &before);
    }
}

#[test]
fn a_step_that_fails_is_taken_back_at_once() {
    let lab = lab!();
    let before = Machine::look(&lab);
    for point in ["after_record", "after_namespace:fail:2", "after_start", "after_ready", "after_swarm", "after_join"] {
        let point = if point.contains(':') { point.to_owned() } else { format!("{point}:fail") };
        let said = lab.netloom_with("lab --hosts 2", &format!("lab.make.{point}")).failed();
        assert!(said.contains("taken back") && said.contains("fault injected"), "{point}: {said}");
        Machine::look(&lab).same_as(&before);
    }
    // A daemon that dies while it starts: its last words are shown.
    let said = lab.netloom_with("lab --hosts 1", "agent.pass.before_observe:kill").failed();
    assert!(said.contains("ended with") && said.contains("last words"), "{said}");
    Machine::look(&lab).same_as(&before);
}

#[test]
fn a_host_that_cannot_join_is_told_and_all_is_taken_back() {
    let lab = lab!();
    let before = Machine::look(&lab);
    let mut command = lab.command("lab --hosts 2");
    command.env("NETLOOM_FAULT", "lab.make.after_swarm:stall").stdout(Stdio::piped()).stderr(Stdio::piped());
    let making = command.spawn().unwrap();
    // It stalls when the swarm is made, and the second host's service dies before it is asked to join.
    let socket = lab.dir().join("host1/run/netloom.sock");
    let is_made = || {
        let client = Client::unix(&socket);
        let info = client.send("GET", "info", None).ok().filter(|info| info.json["swarm_state"] == "active");
        info.map(drop)
    };
    until("a swarm", Duration::from_secs(30), is_made);
    let data = lab.dir().join("host2/data").display().to_string();
    lab.machine.shell(&format!(
        "for p in /proc/[0-9]*; do
             [ $p = /proc/$$ ] && continue
             tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q -e '--data-dir {data} ' && kill -9 ${{p#/proc/}}
         done; true"
    ));
    let output = making.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("host2 could not join the swarm of host1"), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("what was made is taken back"));
    Machine::look(&lab).same_as(&before);
}

#[test]
fn ctrl_c_takes_back_what_was_made() {
    let lab = lab!();
    let before = Machine::look(&lab);
    for point in ["after_plug", "after_ready", "after_swarm"] {
        let mut command = lab.command("lab --hosts 2");
        command.env("NETLOOM_FAULT", format!("lab.make.{point}:stall")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let making = command.spawn().unwrap();
        // At its first host, where it stalls.
        let wanted = if point == "after_plug" { "host1/netns" } else { "host2/run/netloom.sock" };
        until("it is at it", Duration::from_secs(30), || lab.dir().join(wanted).exists().then_some(()));
        std::thread::sleep(Duration::from_millis(500));
        // `nsenter` has become the program: it is the same process.
        let pid = nix::unistd::Pid::from_raw(making.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        let output = making.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains("interrupted"), "{point}: {} {said}", output.status);
        Machine::look(&lab).same_as(&before);
    }
}

#[test]
fn dead_daemons_wild_processes_and_lost_namespaces_leave_nothing() {
    let lab = lab!();
    let before = Machine::look(&lab);
    lab.netloom("lab --hosts 3 --no-join").ok();
    for host in lab.hosts() {
        host.client().post("networks", &json!({"name": "web", "driver": "bridge"})).is(201);
        host.client().post("sandboxes", &json!({"name": "www", "networks": {"web": {}}})).is(201);
    }
    // One killed; one with a program in it that heeds no SIGTERM, and one in a sandbox of its; one whose namespace somebody unmounted.
    lab.host(1).kill();
    let mut stubborn = lab.host(2).leave_running("sh -c trap${IFS}''${IFS}TERM;sleep${IFS}1000");
    let netns = lab.host(2).client().get("sandboxes/www").is(200)["status"]["netns"].as_str().unwrap().to_owned();
    let mut inside =
        lab.machine.command("nsenter").arg(format!("--net={netns}")).args(["sleep", "1000"]).spawn().unwrap();
    lab.host(3).kill();
    lab.machine.run(&format!("umount {}", lab.host(3).netns));
    let said = lab.netloom("lab status");
    assert!(said.code == 1 && said.stdout.contains("stopped") && said.stdout.contains("gone"), "{}", said.stdout);
    assert!(lab.netloom("lab start host3").failed().contains("is gone"));
    // The namespace of a sandbox in host3, which outlives its host, is removed with what is in it.
    down(&lab, &before);
    assert!(!stubborn.wait().unwrap().success() && !inside.wait().unwrap().success(), "they were ended");
}

#[test]
fn a_daemon_out_of_reach_is_told_of_and_not_forgotten() {
    let lab = lab!();
    let before = Machine::look(&lab);
    lab.netloom("lab --hosts 1 --no-join").ok();
    let (netns, pid) = (lab.host(1).netns, lab.host(1).pid().unwrap());
    lab.machine.run(&format!("umount {netns}"));
    let said = lab.netloom("lab down").failed();
    assert!(said.contains(&format!("process {pid}")) && said.contains("lab down"), "{said}");
    assert!(lab.dir().join("lab.json").exists(), "the record stays until all is gone");
    lab.machine.run(&format!("kill -9 {pid}"));
    until("its end", Duration::from_secs(5), || lab.netloom("lab down").code.eq(&0).then_some(()));
    Machine::look(&lab).same_as(&before);
}

#[test]
fn directories_that_a_start_of_the_machine_left_are_removed() {
    let lab = lab!();
    let before = Machine::look(&lab);
    lab.netloom("lab --hosts 2 --no-join").ok();
    lab.host(1).client().post("networks", &json!({"name": "web", "driver": "bridge"})).is(201);
    lab.host(1).client().post("sandboxes", &json!({"name": "www", "networks": {"web": {}}})).is(201);
    // What a start of the machine does: no process, no namespace, no mount; the files stay.
    for host in lab.hosts() {
        host.kill();
    }
    let dir = lab.dir().display().to_string();
    lab.machine.shell(&format!(
        "grep -o ' {dir}/[^ ]*' /proc/self/mountinfo | sort -r | while read m; do umount -l \"$m\"; done"
    ));
    assert!(lab.netloom("lab status").stdout.contains("gone"));
    down(&lab, &before);
}

#[test]
fn a_lab_without_a_readable_record_is_removed_all_the_same() {
    let lab = lab!();
    let before = Machine::look(&lab);
    lab.netloom("lab --hosts 2 --no-join").ok();
    std::fs::write(lab.dir().join("lab.json"), "{").unwrap();
    down(&lab, &before);
}
