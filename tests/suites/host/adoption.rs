//! Adopted namespaces: by path, by pid; what is refused; what is left alone; what happens when they go.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use netloom_tests::{Host, Namespace, Value, host, json, until};

/// Somebody else's namespace, with a link and an address of its own, mounted at a path inside the host.
fn blue(host: &Host) -> (Namespace, String) {
    let other = Namespace::new();
    other.run("ip link add own0 type bridge");
    other.run("ip addr add 192.0.2.77/24 dev own0");
    other.run("ip link set own0 up");
    let path = format!("{}/blue", host.dir().display());
    host.net.run(&format!("touch {path}"));
    host.net.run(&format!("mount --bind /proc/{}/ns/net {path}", other.pid()));
    (other, path)
}

/// What the owner of the namespace has there, ours left out.
fn theirs(other: &Namespace) -> Vec<Value> {
    let links = other.json("ip -j addr");
    links.as_array().unwrap().iter().filter(|l| l["ifname"] == "own0").cloned().collect()
}

/// A process in a network namespace of its own.
struct Process(Child);

impl Process {
    fn new(host: &Host) -> Self {
        let child = host.net.command("unshare").args(["--net", "sleep", "600"]).stdin(Stdio::null()).spawn().unwrap();
        let process = Self(child);
        let own = std::fs::read_link(host.net.path()).unwrap();
        until("the process is in its namespace", Duration::from_secs(5), || {
            let seen = std::fs::read_link(format!("/proc/{}/ns/net", process.0.id())).ok()?;
            let asleep = std::fs::read_to_string(format!("/proc/{}/comm", process.0.id())).ok()?;
            (seen != own && asleep.trim() == "sleep").then_some(())
        });
        process
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn a_namespace_is_adopted_by_path_and_given_back_as_it_was() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.150.0.0/24");
    let (other, path) = blue(&host);
    let (links, own) = (other.run("ip -o link"), theirs(&other));
    let sandbox = client.post("sandboxes", &json!({"name": "s", "netns": path, "networks": {"n": {}}})).is(201);
    assert_eq!((&sandbox["netns"], &sandbox["status"]["netns"]), (&json!(path), &json!(path)));
    let eth0 = other.json("ip -j addr show eth0");
    assert_eq!(eth0[0]["addr_info"][0]["local"], "10.150.0.2");
    assert_eq!(theirs(&other), own, "what was there is left alone");
    let foreign =
        sandbox["status"]["interfaces"].as_array().unwrap().iter().find(|i| i["name"] == "own0").cloned().unwrap();
    let address = foreign["addresses"].as_array().unwrap().iter().find(|a| a["address"] == "192.0.2.77").unwrap();
    assert_eq!(address["managed"], false, "foreign addresses are reported: {foreign}");
    client.delete("sandboxes/s").is(204);
    assert_eq!(theirs(&other), own);
    assert_eq!(other.run("ip -o link"), links, "and nothing of ours stays");
    assert!(host.net.outside(&path).exists(), "the path is its owner's");
}

#[test]
fn a_namespace_is_adopted_by_pid_and_orphaned_when_the_process_ends() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.150.0.0/24");
    let mut process = Process::new(&host);
    let body = json!({"name": "s", "pid": process.0.id(), "networks": {"n": {}}});
    let sandbox = client.post("sandboxes", &body).is(201);
    assert_eq!(sandbox["status"]["netns"], format!("/proc/{}/ns/net", process.0.id()));
    host.sandbox("peer", "n");
    assert!(host.pings("peer", "10.150.0.2"));
    process.end();
    let orphan = until("the sandbox is an orphan", Duration::from_secs(10), || {
        let sandbox = client.get("sandboxes/s").is(200);
        (sandbox["status"]["state"] == "orphaned").then_some(sandbox)
    });
    assert!(orphan["status"]["conditions"].to_string().contains("NamespaceGone"), "{orphan}");
    assert_eq!(client.get("leases?address=10.150.0.2").is(200)["items"][0]["status"]["state"], "orphaned");
    assert_eq!(client.get("events?kinds=sandbox.orphaned").is(200)["items"].as_array().unwrap().len(), 1);
    client.delete("sandboxes/s").is(204);
    assert_eq!(client.get("leases?address=10.150.0.2").is(200)["items"], json!([]));
}

#[test]
fn what_must_not_be_adopted_is_refused() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.150.0.0/24");
    let plain = format!("{}/plain", host.dir().display());
    std::fs::write(&plain, "x").unwrap();
    let own = format!("/proc/{}/ns/net", host.pid());
    for path in [
        "/proc/1/ns/net",
        &own,
        "/proc/self/ns/net",
        "/proc/self/ns/mnt",
        &plain,
        "/nonexistent/netns",
        "relative",
        "/dev/null",
        "/",
    ] {
        let answer = client.post("sandboxes", &json!({"name": "s", "netns": path, "networks": {"n": {}}}));
        answer.check_problem();
        assert!(matches!(answer.status, 409 | 422), "{path}: {}", answer.text);
        assert!(answer.text.contains("/netns"), "{path}: the field is named: {}", answer.text);
    }
    for pid in [1, i64::from(host.pid()), 4_194_304, 0, -1] {
        let answer = client.post("sandboxes", &json!({"name": "s", "pid": pid, "networks": {"n": {}}}));
        answer.check_problem();
        assert!(matches!(answer.status, 409 | 422), "{pid}: {}", answer.text);
    }
    let both = json!({"name": "s", "pid": 2, "netns": "/x", "networks": {}});
    client.post("sandboxes", &both).refused(422);
    assert_eq!(client.get("sandboxes").is(200)["items"], json!([]));
    assert_eq!(client.get("leases?kind=dynamic").is(200)["items"], json!([]));
}

#[test]
fn one_namespace_is_adopted_once() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.150.0.0/24");
    let (_other, path) = blue(&host);
    client.post("sandboxes", &json!({"name": "s", "netns": path, "networks": {"n": {}}})).is(201);
    let again = client.post("sandboxes", &json!({"name": "t", "netns": path, "networks": {}}));
    again.check_problem();
    assert!(matches!(again.status, 409 | 422), "{}", again.text);
}

#[test]
fn a_foreign_link_of_the_wanted_name_is_left_alone_and_all_is_undone() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.150.0.0/24");
    let (other, path) = blue(&host);
    let body = json!({"name": "s", "netns": path, "networks": {"n": {"interface": "own0"}}});
    let own = theirs(&other);
    let problem = client.post("sandboxes", &body).problem(409, "name-conflict");
    assert!(problem["refusal"]["object"].as_str().unwrap().contains("own0"), "{problem}");
    assert_eq!(theirs(&other), own);
    client.get("sandboxes/s").problem(404, "resource-not-found");
    assert_eq!(client.get("leases?kind=dynamic").is(200)["items"], json!([]));
    let kept = client.post("sandboxes?on_failure=keep", &body);
    assert!(matches!(kept.status, 201 | 202 | 409), "{}", kept.text);
    until("it is kept as failed", Duration::from_secs(5), || {
        (client.get("sandboxes/s").json["status"]["state"] == "failed").then_some(())
    });
    other.run("ip link set own0 down");
    other.run("ip link set own0 name mine0");
    until("it comes up once the name is free", Duration::from_secs(30), || {
        (client.get("sandboxes/s").json["status"]["state"] == "running").then_some(())
    });
}

#[test]
fn an_adopted_namespace_survives_a_restart_and_is_known_by_more_than_its_path() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.150.0.0/24");
    let (other, path) = blue(&host);
    client.post("sandboxes", &json!({"name": "s", "netns": path, "networks": {"n": {}}})).is(201);
    host.stop();
    host.start();
    assert_eq!(client.get("sandboxes/s").is(200)["status"]["state"], "running");
    assert_eq!(other.json("ip -j addr show eth0")[0]["addr_info"][0]["local"], "10.150.0.2");
    host.stop();
    let another = Namespace::new();
    host.net.run(&format!("umount {path}"));
    host.net.run(&format!("mount --bind /proc/{}/ns/net {path}", another.pid()));
    host.start();
    until("another namespace at the same path is not ours", Duration::from_secs(10), || {
        (client.get("sandboxes/s").is(200)["status"]["state"] == "orphaned").then_some(())
    });
    assert_eq!(another.json("ip -j link").as_array().unwrap().len(), 1, "and nothing is made in it");
}

#[test]
fn a_stopped_adopted_sandbox_leaves_its_namespace() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.150.0.0/24");
    let (other, path) = blue(&host);
    client.post("sandboxes", &json!({"name": "s", "netns": path, "networks": {"n": {}}})).is(201);
    client.patch("sandboxes/s", &json!({"desired_state": "stopped"})).is(200);
    assert_ne!(other.try_run("ip link show eth0").code, 0);
    client.patch("sandboxes/s", &json!({"desired_state": "running"})).is(200);
    assert_eq!(other.json("ip -j addr show eth0")[0]["addr_info"][0]["local"], "10.150.0.2");
}

#[test]
fn the_command_line_of_another_tool_shows_its_namespace() {
    // `Command` is std's: the adopted namespace is entered with a program that knows nothing of Netloom.
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.150.0.0/24");
    let process = Process::new(&host);
    client.post("sandboxes", &json!({"name": "s", "pid": process.0.id(), "networks": {"n": {}}})).is(201);
    let output = Command::new("nsenter")
        .arg(format!("--net=/proc/{}/ns/net", process.0.id()))
        .args(["--", "ip", "-o", "-4", "addr"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("10.150.0.2/24"));
}
