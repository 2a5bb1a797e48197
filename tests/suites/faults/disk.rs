//! Disks that fill up or refuse: clear errors, nothing acknowledged is lost, the data plane runs on, recovery without a restart.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use netloom_tests::{Start, host, json, until};

use crate::agreement::agree;

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let host = host!();
    let data = host.dir().join("small");
    host.net.run(&format!("mkdir {}", data.display()));
    host.net.run(&format!("mount -t tmpfs -o size=6m tmpfs {}", data.display()));
    let start = Start { data_dir: Some(data.clone()), ..Start::default() };
    let client = host.start_with(&start);
    host.macvlan("n", "10.192.0.0/14");
    host.sandbox("a", "n");
    host.sandbox("b", "n");
    let (acknowledged, refused, stop) = (Mutex::new(BTreeSet::new()), AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for who in 0..64 {
            let (host, acknowledged, refused, stop) = (&host, &acknowledged, &refused, &stop);
            scope.spawn(move || {
                let client = host.client();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let key = format!("k{who}-{turn}");
                    let answer = client.post("networks/n/leases", &json!({"key": key, "description": "x".repeat(900)}));
                    if answer.status == 201 {
                        acknowledged.lock().unwrap().insert(key);
                    } else {
                        answer.problem(503, "store-full");
                        refused.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
        until("some are stored", Duration::from_secs(20), || (acknowledged.lock().unwrap().len() > 64).then_some(()));
        let filler = format!("{}/filler", data.display());
        host.net.try_run(&format!("dd if=/dev/zero of={filler} bs=64k"));
        until("writes are refused", Duration::from_secs(20), || (refused.load(Ordering::Relaxed) > 64).then_some(()));
        client.get("sandboxes/a").is(200);
        assert!(host.pings("a", "10.192.0.3"));
        let so_far = acknowledged.lock().unwrap().len();
        host.net.run(&format!("rm {filler}"));
        until("writes go on by themselves", Duration::from_secs(20), || {
            (acknowledged.lock().unwrap().len() > so_far + 64).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
    });
    host.kill();
    host.start_with(&start);
    let stored: BTreeSet<String> = client
        .all("leases?kind=reserved&limit=1000")
        .iter()
        .filter_map(|lease| lease["key"].as_str().map(str::to_owned))
        .collect();
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost: Vec<&String> = acknowledged.difference(&stored).collect();
    assert_eq!(lost, [""; 0], "acknowledged, and lost");
    agree(&host, "the disk was full");
}

#[test]
fn a_database_that_can_not_be_written_stops_writes_only() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.187.0.0/24");
    host.sandbox("a", "n");
    host.sandbox("b", "n");
    // Immutable files are what a file system that went read-only under an open database looks like to SQLite.
    let files = format!("{0}/netloom.db {0}/netloom.db-wal", host.data_dir().display());
    host.net.run(&format!("chattr +i {files}"));
    let refused =
        client.post("sandboxes", &json!({"name": "c", "networks": {"n": {}}})).problem(503, "store-read-only");
    assert_eq!(refused["retryable"], true, "{refused}");
    client.patch("sandboxes/a", &json!({"description": "x"})).problem(503, "store-read-only");
    client.delete("sandboxes/a").problem(503, "store-read-only");
    assert_eq!(client.get("sandboxes").is(200)["items"].as_array().unwrap().len(), 2, "reading goes on");
    assert!(host.pings("a", "10.187.0.3"));
    host.in_sandbox("a", "ip addr del 10.187.0.2/24 dev eth0");
    until("repair goes on", Duration::from_secs(10), || {
        host.in_sandbox("a", "ip -o -4 addr show eth0").contains("10.187.0.2/24").then_some(())
    });
    assert_eq!(client.get("/healthz").status, 200, "it lives");
    host.net.run(&format!("chattr -i {files}"));
    until("writes work again without a restart", Duration::from_secs(10), || {
        (client.post("sandboxes", &json!({"name": "c", "networks": {"n": {}}})).status == 201).then_some(())
    });
    client.delete("sandboxes/a").is(204);
    agree(&host, "the database could not be written");
}

#[test]
fn a_read_only_data_directory_is_said_at_the_start() {
    let host = host!();
    let data = host.dir().join("frozen");
    host.net.run(&format!("mkdir {}", data.display()));
    host.net.run(&format!("mount -t tmpfs -o ro tmpfs {}", data.display()));
    let why = host.try_start(&Start { data_dir: Some(data.clone()), ..Start::default() });
    assert!(why.is_err(), "it can't start");
    assert!(!host.wait_end(Duration::from_secs(5)).success());
    let log = host.log_text();
    assert!(log.to_lowercase().contains("read-only") && log.contains("frozen"), "{log}");
}

#[test]
fn a_damaged_database_is_not_started_on() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.187.0.0/24");
    host.sandbox("a", "n");
    let netns = host.netns("a");
    host.stop();
    let path = host.data_dir().join("netloom.db");
    std::fs::write(&path, b"this is no database, and long enough to be taken for one by its name alone").unwrap();
    let _ = std::fs::remove_file(host.data_dir().join("netloom.db-wal"));
    assert!(host.try_start(&Start::default()).is_err(), "it can't start");
    assert!(host.log_text().contains("netloom.db"), "{}", host.log_tail());
    assert!(host.net.outside(&netns).exists(), "and it does not take the sandboxes for leftovers");
    host.net.run_in(&netns, "ip -o -4 addr show eth0");
}
