//! Links that are not in their sandbox any more: moved away, or in a namespace that lives on without its path. Removal waits for them
//! to be gone, or their address would be given to another while they still answer for it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use netloom_tests::{Host, Namespace, Snapshot, host, json, until};

/// A process inside a network namespace, which keeps it alive whatever becomes of its path.
struct Inside(Child);

impl Inside {
    fn of(host: &Host, sandbox: &str) -> Self {
        Self::at(&host.net.outside(&host.netns(sandbox)).display().to_string())
    }

    fn at(path: &str) -> Self {
        let mut command = Command::new("nsenter");
        let child = command.arg(format!("--net={path}")).args(["sleep", "600"]).stdin(Stdio::null()).spawn().unwrap();
        let inside = Self(child);
        let wanted = std::fs::metadata(path).unwrap();
        until("the process is inside", Duration::from_secs(5), || {
            let there = std::fs::metadata(inside.netns()).ok()?;
            (std::os::unix::fs::MetadataExt::ino(&there) == std::os::unix::fs::MetadataExt::ino(&wanted)).then_some(())
        });
        inside
    }

    fn netns(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    fn links(&self) -> String {
        let said = Command::new("nsenter").arg(format!("--net={}", self.netns())).args(["ip", "-o", "link"]).output();
        String::from_utf8(said.unwrap().stdout).unwrap()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Nobody on the segment answers for an address.
fn silent(host: &Host, from: &str, address: &str) {
    let said = host.net.try_run_in(&host.netns(from), &format!("busybox arping -c 2 -w 2 -I eth0 {address}"));
    assert_eq!(said.stdout.matches("reply from").count(), 0, "{}", said.stdout);
}

/// A host with a network, a sandbox to ask from (10.160.0.2) and the one that is played with (10.160.0.3).
fn ready(host: &Host) {
    host.start();
    host.macvlan("n", "10.160.0.0/24");
    host.sandbox("peer", "n");
    host.sandbox("s", "n");
}

/// Does something while the daemon stands still: it would put it right within a moment.
fn behind_its_back(host: &Host, what: impl FnOnce()) {
    let signal =
        |name: &str| assert!(Command::new("kill").args([name, &host.pid().to_string()]).status().unwrap().success());
    signal("-STOP");
    what();
    signal("-CONT");
}

/// The address can be had again, and only its new holder answers.
fn given_again(host: &Host) {
    silent(host, "peer", "10.160.0.3");
    let body = json!({"name": "next", "networks": {"n": {"address4": "10.160.0.3", "mac": "02:00:00:00:00:77"}}});
    host.client().post("sandboxes", &body).is(201);
    let said = host.in_sandbox("peer", "busybox arping -b -c 2 -w 3 -I eth0 10.160.0.3");
    assert_eq!(said.matches("reply from").count(), 2, "{said}");
}

#[test]
fn a_namespace_without_its_path_is_emptied_before_its_address_is_free() {
    let host = host!();
    ready(&host);
    let inside = Inside::of(&host, "s");
    host.net.run(&format!("umount {}", host.netns("s")));
    host.client().delete("sandboxes/s").is(204);
    assert!(!inside.links().contains("eth0"), "{}", inside.links());
    given_again(&host);
}

#[test]
fn a_sandbox_whose_path_went_is_made_anew_and_answers_once() {
    let host = host!();
    ready(&host);
    let inside = Inside::of(&host, "s");
    let path = host.netns("s");
    host.net.run(&format!("umount {path}"));
    // Any write has it looked at; by itself that is done once a minute.
    host.client().patch("sandboxes/s", &json!({"networks": {"none": {}, "n": {"gateway_priority": 1}}}));
    host.client().patch("sandboxes/s", &json!({"networks": {"n": {"gateway_priority": 2}}}));
    until("it is back", Duration::from_secs(20), || {
        (host.net.try_run_in(&path, "ip -o -4 addr show eth0").stdout.contains("10.160.0.3/24")).then_some(())
    });
    assert!(!inside.links().contains("eth0"), "{}", inside.links());
    let said = host.in_sandbox("peer", "busybox arping -b -c 2 -w 3 -I eth0 10.160.0.3");
    assert_eq!(said.matches("reply from").count(), 2, "{said}");
}

#[test]
fn a_link_that_was_moved_to_another_namespace_goes_with_its_sandbox() {
    let host = host!();
    ready(&host);
    let (other, path) = (Namespace::new(), host.netns("s"));
    behind_its_back(&host, || {
        host.net.run_in(&path, &format!("ip link set eth0 netns {}", other.pid()));
        other.run("ip link set eth0 up");
        other.run("ip addr add 10.160.0.3/24 dev eth0");
    });
    host.client().delete("sandboxes/s").is(204);
    assert!(!other.run("ip -o link").contains("eth0"));
    given_again(&host);
}

#[test]
fn a_link_that_was_moved_to_the_host_goes_with_its_sandbox() {
    let host = host!();
    ready(&host);
    let before = Snapshot::of(&host);
    let path = host.netns("s");
    behind_its_back(&host, || {
        host.net.run_in(&path, &format!("ip link set eth0 netns {}", host.net.pid()));
    });
    host.client().delete("sandboxes/s").is(204);
    assert!(!host.net.run("ip -o link").contains("eth0@"), "{}", host.net.run("ip -o link"));
    given_again(&host);
    host.client().delete("sandboxes/next").is(204);
    let left: Vec<String> =
        Snapshot::of(&host).differences(&before).into_iter().filter(|l| l.contains("links")).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn an_adopted_namespace_that_outlives_its_process_is_emptied_before_its_address_is_free() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.160.0.0/24");
    host.sandbox("peer", "n");
    let owner = Namespace::new();
    let second = Inside::at(&format!("/proc/{}/ns/net", owner.pid()));
    host.client().post("sandboxes", &json!({"name": "s", "pid": owner.pid(), "networks": {"n": {}}})).is(201);
    drop(owner);
    host.client().delete("sandboxes/s").is(204);
    assert!(!second.links().contains("eth0"), "{}", second.links());
    given_again(&host);
}

#[test]
fn what_a_database_does_not_know_is_taken_out_of_adopted_namespaces() {
    let host = host!();
    let path =
        host.net.shell(&format!("touch {0}/ns && unshare --net={0}/ns true && echo {0}/ns", host.dir().display()));
    let path = path.trim();
    let client = host.start();
    host.macvlan("n", "10.165.0.0/24");
    client
        .post("sandboxes", &json!({"name": "a", "netns": path, "networks": {"n": {"address4": "10.165.0.10"}}}))
        .is(201);
    host.stop();
    // A database from before, or another one: as after a restore.
    std::fs::remove_dir_all(host.data_dir()).unwrap();
    let client = host.start();
    until("nothing of ours is in there any more", Duration::from_secs(10), || {
        (host.net.run_in(path, "ip -o link").lines().count() == 1).then_some(())
    });
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
    host.macvlan("n", "10.165.0.0/24");
    client.post("sandboxes", &json!({"name": "b", "networks": {"n": {"address4": "10.165.0.10"}}})).is(201);
    host.net.shell(&format!("umount {path} && rm {path}"));
}
