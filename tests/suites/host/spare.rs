//! The namespace that is kept ready for the next sandbox: what root puts into it is left alone, and met by nothing of ours.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use netloom_tests::process::run as run_command;
use netloom_tests::{Host, host, until};

/// Descriptors of the daemon's that are network namespaces, other than the host's and those of its sandboxes.
fn spare(host: &Host) -> Option<PathBuf> {
    let inode = |path: PathBuf| std::fs::metadata(path).ok().map(|file| file.ino());
    let mut known: BTreeSet<u64> = inode(host.net.path()).into_iter().collect();
    let pins = std::fs::read_dir(host.net.outside(&host.run_dir().join("netns").display().to_string())).unwrap();
    known.extend(pins.filter_map(|pin| inode(pin.unwrap().path())));
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap();
    descriptors.map(|fd| fd.unwrap().path()).find(|fd| {
        let is_namespace = std::fs::read_link(fd).is_ok_and(|to| to.to_string_lossy().starts_with("net:["));
        is_namespace && inode(fd.clone()).is_some_and(|inode| !known.contains(&inode))
    })
}

#[test]
fn a_spare_that_somebody_touched_becomes_nobodys_sandbox() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.161.0.0/24");
    host.sandbox("first", "n");
    let spare = until("a namespace is ready", Duration::from_secs(5), || spare(&host));
    // It is there a moment before it is ready, and then its links are looked at.
    std::thread::sleep(Duration::from_millis(300));
    // Held open, so that what is in it can be looked at when the daemon let go of it.
    let held = std::fs::File::open(&spare).unwrap();
    let inside = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&held));
    let run = |line: &str| {
        let mut command = std::process::Command::new("nsenter");
        run_command(command.arg(format!("--net={inside}")).args(line.split_whitespace())).ok()
    };
    for (name, index) in [("tunl0", 2), ("eth0", 1000), ("eth1", 65535)] {
        run(&format!("ip link add {name} index {index} type bridge"));
    }
    let before = run("ip -d address");
    host.sandbox("second", "n");
    assert_eq!(run("ip -d address"), before, "nothing of somebody else's was touched");
    let links = host.json_in_sandbox("second", "ip -j link");
    let names: Vec<&str> = links.as_array().unwrap().iter().filter_map(|link| link["ifname"].as_str()).collect();
    assert_eq!(names, ["lo", "eth0"], "the sandbox got a namespace of its own");
    assert!(host.in_sandbox("second", "ip -o -4 address show eth0").contains("10.161.0.3/24"));
}
