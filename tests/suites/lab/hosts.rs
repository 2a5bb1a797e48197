//! What a lab's hosts are: apart in everything but the underlay, and as hosts are.

use std::collections::BTreeSet;
use std::path::Path;

use netloom_tests::{Client, json, lab, until};

use super::{Machine, down};

#[test]
fn three_hosts_come_up_are_apart_and_go_without_a_trace() {
    let lab = lab!();
    let before = Machine::look(&lab);
    let said = lab.netloom("lab --hosts 3 --no-join").ok();
    for word in ["host1", "192.168.122.185", "host3", "192.168.122.187", "/ui/login?link=", "lab down", "netloom.sock"]
    {
        assert!(said.contains(word), "{word} is missing:\n{said}");
    }
    let hosts = lab.hosts();
    assert_eq!(hosts.len(), 3);

    // Each reaches each, and the gateway, by the underlay alone.
    for from in &hosts {
        for to in &hosts {
            assert!(from.pings(&to.address), "{} to {}", from.name, to.name);
        }
        assert!(from.pings("192.168.122.1"), "{} to the gateway", from.name);
        assert!(!from.pings("192.0.2.1"), "there is no way out");
        assert_eq!(from.json("ip -j route show default")[0]["gateway"], "192.168.122.1");
    }
    assert!(!lab.machine.pings("192.168.122.185"), "the machine is not on the underlay");

    // Each is a node of its own, under its own name.
    let mut nodes = BTreeSet::new();
    for host in &hosts {
        nodes.insert(host.client().get("version").is(200)["node"].to_string());
        let name = lab.machine.run(&format!("nsenter --target {} --uts hostname", host.pid().unwrap()));
        assert_eq!(name.trim(), host.name, "its name is its own");
    }
    assert_eq!(nodes.len(), 3, "{nodes:?}");

    // What is made on one is not on another.
    hosts[0].client().post("networks", &json!({"name": "web", "driver": "bridge"})).is(201);
    hosts[0].client().post("sandboxes", &json!({"name": "www", "networks": {"web": {}}})).is(201);
    assert_eq!(hosts[0].client().all("sandboxes").len(), 1);
    assert_eq!(hosts[1].client().all("sandboxes").len(), 0);
    hosts[1].client().get("sandboxes/www").problem(404, "resource-not-found");
    assert_eq!(hosts[0].json("ip -j link show type bridge").as_array().unwrap().len(), 1);
    assert!(hosts[1].run("ip -o link show type bridge").is_empty());
    assert_eq!(
        hosts[0].try_in_sandbox("www", "ping -c 2 -i 0.5 -W 1 192.168.122.186").code,
        0,
        "out by its host's address"
    );

    // The machine itself has got nothing but the lab's own mounts, processes and files.
    let up = Machine::look(&lab);
    assert_eq!((up.processes.len() - before.processes.len(), up.files.len() - before.files.len()), (3, 1));
    let meanwhile = up.kernel.differences(&before.kernel);
    assert!(meanwhile.len() >= 5, "namespaces of the hosts, of the underlay, of a sandbox: {meanwhile:?}");
    let beyond: Vec<&String> =
        meanwhile.iter().filter(|line| !line.contains(&lab.dir().display().to_string())).collect();
    assert!(beyond.is_empty(), "{beyond:?}");

    assert!(down(&lab, &before).contains("3 hosts"));
    assert!(down(&lab, &before).contains("There is no lab"), "a second time is as good");
}

#[test]
fn a_host_is_reached_from_the_machine_and_from_within() {
    let lab = lab!(2);
    let token = std::fs::read_to_string(lab.host(2).data_dir.join("admin.token")).unwrap();
    let port = lab.status()["hosts"][1]["url"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let client = Client::tcp(&lab.machine, &format!("127.0.0.1:{port}"));
    client.get("networks").problem(401, "unauthenticated");
    client.header("authorization", &format!("Bearer {}", token.trim())).get("networks").is(200);

    // A login link leads to the port of the machine.
    let url = lab.host(2).client().post("login-links", &json!({})).is(200)["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("http://127.0.0.1:{port}/ui/login?link=")), "{url}");

    // `exec` has the host's network, name and service, and the others by name.
    assert!(lab.netloom("lab exec host1 -- ip -o addr show eth0").ok().contains("192.168.122.185/24"));
    assert_eq!(lab.netloom("lab exec host1 hostname").ok(), "host1\n");
    assert!(lab.netloom("lab exec host1 -- ls /sys/class/net").ok().contains("eth0"));
    assert!(lab.netloom("lab exec host1 -- ping -c 2 -i 0.5 host2").ok().contains("192.168.122.186"));
    lab.host(1).client().post("tokens", &json!({"name": "of-host1", "role": "viewer"})).is(201);
    let listed = |host: &str| lab.netloom(&format!("lab exec {host} -- netloom-under-test token list")).ok();
    assert!(listed("host1").contains("of-host1") && !listed("host2").contains("of-host1"));
    assert!(lab.netloom("lab exec host1 -- netloom token list").ok().contains("of-host1"), "`netloom` is that, too");
    assert_eq!(lab.netloom("lab exec host1 -- sh -c exit${IFS}7").code, 7, "the command's own exit code");
    assert_eq!(lab.netloom("lab exec host1 -- no-such-program").code, 127);
    assert_eq!(lab.netloom("lab exec host9 -- true").code, 125);
    lab.netloom("lab down").ok();
}

#[test]
fn a_command_finds_the_program_that_serves_whatever_lies_beside_it() {
    let mut lab = lab!();
    let beside = lab.beside().join("programs");
    let (own, other) = (beside.join("netloom-new"), beside.join("netloom"));
    std::fs::create_dir(&beside).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_netloom-under-test"), &own).unwrap();
    std::fs::write(&other, "#!/bin/sh\necho an older one\n").unwrap();
    std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    lab.run_as(&own);
    lab.netloom("lab --hosts 1").ok();
    let version = || lab.netloom("lab exec host1 -- netloom --version").ok();
    assert!(version().starts_with("netloom "), "{}", version());
    // Another was put in its place since: the service still runs the one that it was started with.
    std::fs::rename(&other, &own).unwrap();
    lab.run_as(Path::new(env!("CARGO_BIN_EXE_netloom-under-test")));
    let version = || lab.netloom("lab exec host1 -- netloom --version").ok();
    assert!(version().starts_with("netloom "), "{}", version());
    let read = lab.netloom("lab exec host1 -- sh -c readlink${IFS}$(command${IFS}-v${IFS}netloom)").ok();
    let pid = lab.status()["hosts"][0]["pid"].clone();
    assert_eq!(read.trim(), format!("/proc/{pid}/exe"));
    lab.host(1).stop();
    assert!(version().starts_with("netloom "), "while none serves, this one: {}", version());
    lab.netloom("lab down").ok();
}

#[test]
fn services_stop_and_start_and_keep_what_they_have() {
    let lab = lab!(2);
    let (one, two) = (lab.host(1), lab.host(2));
    one.client().post("networks", &json!({"name": "web", "driver": "bridge"})).is(201);
    one.client().post("sandboxes", &json!({"name": "www", "networks": {"web": {}}})).is(201);
    one.stop();
    let said = lab.netloom("lab status");
    assert!(said.code == 1 && said.stdout.contains("stopped") && said.stdout.contains("lab start"), "{}", said.stdout);
    assert!(two.client().get("/readyz").status == 200, "the other is not touched");
    assert!(lab.netloom("lab stop host1").ok().contains("does not run"));
    lab.netloom("lab start").ok();
    assert!(lab.netloom("lab start host1").ok().contains("runs already"));
    assert_eq!(one.client().all("sandboxes")[0]["name"], "www");
    assert_eq!(lab.netloom("lab status").code, 0);
    lab.netloom("lab down").ok();
}

#[test]
fn it_does_not_touch_the_machines_own_service_nor_another_lab() {
    let lab = lab!(1);
    // The machine's own daemon, at the usual port of its own namespace.
    let own = lab.beside().join("own");
    let line = format!("serve --data-dir {0}/data --run-dir {0}/run", own.display());
    let mut daemon =
        lab.command(&line).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let client = Client::unix(&own.join("run/netloom.sock"));
    let ready = || client.send("GET", "/readyz", None).is_ok_and(|answer| answer.status == 200).then_some(());
    until("the machine's own service", std::time::Duration::from_secs(30), ready);
    client.post("networks", &json!({"name": "web", "driver": "bridge"})).is(201);
    client.post("sandboxes", &json!({"name": "www", "networks": {"web": {}}})).is(201);

    // A second lab beside the first: other ports, same addresses, as the underlays are apart.
    let other = lab.beside().join("other").display().to_string();
    let said = lab.netloom(&format!("lab --hosts 1 --dir {other}")).ok();
    assert!(said.contains("127.0.0.1:8082") && said.contains(&format!("lab down --dir {other}")), "{said}");
    lab.netloom("lab down").ok();
    lab.netloom(&format!("lab status --dir {other}")).ok();
    lab.netloom(&format!("lab down --dir {other}")).ok();

    assert_eq!(client.get("sandboxes/www").is(200)["status"]["state"], "running");
    client.delete("sandboxes/www").is(204);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}
