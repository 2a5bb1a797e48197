//! Backup and restore as an operator does them: beside a service at work, while it is stopped, and where something goes wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netloom_tests::process::{Said, run};
use netloom_tests::{Client, Host, host, json, until};

use crate::directories;

fn backup(host: &Host, file: &Path) -> Said {
    host.netloom(&format!("backup {} {}", directories(host), file.display()))
}

fn restore(host: &Host, file: &Path) -> Said {
    host.netloom(&format!("restore --yes {} {}", directories(host), file.display()))
}

/// Names in a directory, but the lock's.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "lock");
    names.sort();
    names
}

fn keys(client: &Client) -> BTreeSet<String> {
    let leases = client.all("leases?kind=reserved&limit=1000");
    leases.iter().filter_map(|lease| lease["key"].as_str().map(str::to_owned)).collect()
}

fn sandboxes(client: &Client) -> Vec<String> {
    client.all("sandboxes").iter().map(|sandbox| sandbox["name"].as_str().unwrap().to_owned()).collect()
}

/// Every file in the data directory with its bytes, and when it was changed.
fn bytes(directory: &Path) -> Vec<(String, Vec<u8>)> {
    names(directory).into_iter().map(|name| (name.clone(), std::fs::read(directory.join(name)).unwrap())).collect()
}

#[test]
fn a_backup_beside_16_writers_has_all_that_was_acknowledged_before() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.160.0.0/16");
    let (acknowledged, stop) = (Mutex::new(BTreeSet::new()), AtomicBool::new(false));
    let file = host.dir().join("saved");
    let before = std::thread::scope(|scope| {
        for who in 0..16 {
            let (host, acknowledged, stop) = (&host, &acknowledged, &stop);
            scope.spawn(move || {
                let client = host.client();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let key = format!("k{who}-{turn}");
                    client.post("networks/n/leases", &json!({"key": key})).is(201);
                    acknowledged.lock().unwrap().insert(key);
                }
            });
        }
        let count = || acknowledged.lock().unwrap().len();
        until("some are stored", Duration::from_secs(20), || (count() > 100).then_some(()));
        let before = acknowledged.lock().unwrap().clone();
        let said = backup(&host, &file);
        let during = count() - before.len();
        stop.store(true, Ordering::Relaxed);
        assert!(said.clone().ok().contains(", 4 networks, "), "{said:?}");
        assert!(during > 0, "writes go on meanwhile");
        before
    });
    assert_eq!(names(&host.data_dir()), ["admin.token", "netloom.db", "netloom.db-wal"], "nothing is left behind");
    host.stop();
    restore(&host, &file).ok();
    host.start();
    let missing: Vec<_> = before.difference(&keys(&client)).cloned().collect();
    assert_eq!(missing, [""; 0], "acknowledged before, and not in the backup");
    host.stop();
    let doctor = host.netloom(&format!("doctor {}", directories(&host))).ok();
    assert!(doctor.contains("free ranges and leases make up every pool"), "{doctor}");
}

#[test]
fn a_restore_brings_the_leases_back_and_the_kernel_follows() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.161.0.0/24");
    host.sandbox("stays", "n");
    host.sandbox("comes-back", "n");
    let store = client.get("version").is(200)["store"].clone();
    let last = client.all("events").last().unwrap()["id"].as_str().unwrap().to_owned();
    let file = host.dir().join("saved");
    backup(&host, &file).ok();
    let again = backup(&host, &file).failed();
    assert!(again.contains("is there already") && again.contains("help: "), "{again}");
    client.delete("sandboxes/comes-back").is(204);
    host.sandbox("goes", "n");
    let gone = host.netns("goes");
    let refused = restore(&host, &file).failed();
    assert!(refused.contains("no daemon runs") && refused.contains("stop it first"), "{refused}");
    let shown = host.netloom(&format!("restore {} {}", directories(&host), file.display())).ok();
    assert!(shown.contains("2 sandboxes") && shown.contains("A daemon runs here"), "{shown}");
    let token = host.token();
    host.stop();
    let shown = host.netloom(&format!("restore {} {}", directories(&host), file.display())).ok();
    assert!(shown.contains("Nothing was changed") && shown.contains("--yes"), "{shown}");
    let said = restore(&host, &file).ok();
    assert!(said.contains("netloom.db.replaced-"), "{said}");
    let doctor = host.netloom(&format!("doctor {}", directories(&host))).ok();
    assert!(doctor.contains("kept from before") && doctor.contains("netloom.db.replaced-"), "{doctor}");
    host.start();
    assert_eq!(sandboxes(&client), ["comes-back", "stays"]);
    for (name, address) in [("stays", "10.161.0.2/24"), ("comes-back", "10.161.0.3/24")] {
        assert!(host.in_sandbox(name, "ip -o -4 addr show eth0").contains(address), "{name}");
    }
    assert!(!host.net.outside(&gone).exists(), "what was made since is gone from the kernel");
    assert_eq!(client.get("drift").is(200)["items"], json!([]));
    assert_ne!(client.get("version").is(200)["store"], store, "its event numbers are its own");
    client.get(&format!("events?since={last}")).refused(410);
    assert_eq!(host.token(), token);
    let with_token = host.tcp().header("authorization", &format!("Bearer {token}"));
    with_token.get("networks").is(200);
}

#[test]
fn a_token_that_was_replaced_does_not_come_back() {
    let host = host!();
    host.start();
    let (leaked, file) = (host.token(), host.dir().join("saved"));
    backup(&host, &file).ok();
    host.stop();
    std::fs::remove_file(host.data_dir().join("admin.token")).unwrap();
    host.start();
    host.stop();
    restore(&host, &file).ok();
    host.start();
    let with = |token: &str| host.tcp().header("authorization", &format!("Bearer {token}")).get("networks").status;
    assert_eq!((with(&leaked), with(&host.token())), (401, 200));
}

#[test]
fn a_stopped_service_is_backed_up_with_what_a_kill_left() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.162.0.0/24");
    client.post("networks/n/leases", &json!({"key": "last"})).is(201);
    host.kill();
    let file = host.dir().join("saved");
    assert!(backup(&host, &file).ok().contains("4 networks"));
    assert_eq!(host.net.run(&format!("stat -c %a {}", file.display())).trim(), "600");
    let elsewhere =
        host.netloom(&format!("backup --data-dir {0}/none --run-dir {0}/none {0}/other", host.dir().display()));
    assert!(elsewhere.failed().contains("there is no database"));
    // The backup alone makes a host whole: another data directory.
    host.net.run(&format!("rm -rf {}", host.data_dir().display()));
    std::fs::create_dir(host.data_dir()).unwrap();
    assert!(restore(&host, &file).ok().contains("there was none before"));
    host.start();
    assert_eq!(keys(&client), BTreeSet::from(["last".to_owned()]));
    assert!(!host.dir().join("other").exists());
}

#[test]
fn a_backup_is_the_administrators() {
    let host = host!();
    host.start();
    host.tcp().post("backups", &json!({})).problem(401, "unauthenticated");
    let answer = host.client().post("backups", &json!({}));
    assert_eq!(answer.header("content-type"), Some("application/vnd.sqlite3"));
    assert!(answer.status == 200 && answer.text.starts_with("SQLite format 3"));
    host.client().post("backups", &json!({"file": "/tmp/x"})).refused(422);
}

#[test]
fn what_is_no_backup_is_refused_and_changes_nothing() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.163.0.0/24");
    let (file, bad) = (host.dir().join("saved"), host.dir().join("bad"));
    backup(&host, &file).ok();
    host.stop();
    let before = bytes(&host.data_dir());
    let good = std::fs::read(&file).unwrap();
    let cases: [(&str, Vec<u8>); 3] = [
        ("it is no SQLite file", b"a text that is long enough to be taken for something".repeat(100)),
        ("damaged", good[..good.len() - 4096 * 3].to_vec()),
        ("it is no SQLite file", Vec::new()),
    ];
    for (wanted, content) in cases {
        std::fs::write(&bad, content).unwrap();
        let said = restore(&host, &bad).failed();
        assert!(said.contains(wanted) && said.contains("nothing was changed") && said.contains("help: "), "{said}");
        assert!(bytes(&host.data_dir()) == before, "the data directory is as it was");
    }
    let itself = restore(&host, &host.data_dir().join("netloom.db")).failed();
    assert!(itself.contains("is the database itself"), "{itself}");
    assert!(bytes(&host.data_dir()) == before);
    host.start();
}

#[test]
fn names_of_the_databases_own_files_are_refused_and_nothing_is_lost() {
    let host = host!();
    host.start();
    let file = host.dir().join("saved");
    backup(&host, &file).ok();
    let own = ["netloom.db", "netloom.db-wal", "netloom.db-shm", "netloom.db.copy", "netloom.db.restoring"];
    for running in [true, false] {
        if !running {
            host.stop();
        }
        let there = names(&host.data_dir());
        let link = host.dir().join(format!("link-{running}"));
        std::os::unix::fs::symlink(host.data_dir(), &link).unwrap();
        for path in own.map(|name| link.join(name)).into_iter().chain([host.dir().join("saved.unfinished-7")]) {
            let said = backup(&host, &path).failed();
            assert!(said.contains("of their own") && said.contains("help: "), "{}: {said}", path.display());
        }
        assert_eq!(names(&host.data_dir()), there, "nothing was written");
    }
    let precious = host.data_dir().join("netloom.db.restoring");
    std::fs::rename(&file, &precious).unwrap();
    let said = restore(&host, &precious).failed();
    assert!(said.contains("of their own") && precious.exists(), "{said}");
}

#[test]
fn what_is_no_file_is_refused_at_once_and_a_look_leaves_nothing() {
    let host = host!();
    host.start();
    host.macvlan("n", "10.166.0.0/24");
    host.kill();
    let pipe = host.dir().join("pipe");
    host.net.run(&format!("mkfifo {}", pipe.display()));
    for path in [pipe, host.dir().to_owned()] {
        let said = restore(&host, &path).failed();
        assert!(said.contains("no regular file"), "{said}");
    }
    let mut odd = host.net.command(&host.binary().to_string_lossy());
    odd.arg("backup").args(directories(&host).split_whitespace());
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"odd-\xff");
    let said = run(odd.arg(host.dir().join(name))).failed();
    assert!(said.contains("not UTF-8"), "{said}");
    // A database with the log that a kill left, and a copy of both: read, and left as they are.
    let copy = host.dir().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for name in ["netloom.db", "netloom.db-wal"] {
        std::fs::copy(host.data_dir().join(name), copy.join(name)).unwrap();
    }
    let before = (bytes(&host.data_dir()), bytes(&copy));
    let line = format!("restore {} {}", directories(&host), copy.join("netloom.db").display());
    assert!(host.netloom(&line).ok().contains("4 networks"));
    host.netloom(&format!("doctor {}", directories(&host))).ok();
    assert!((bytes(&host.data_dir()), bytes(&copy)) == before, "no -shm is left: {:?}", names(&copy));
}

#[test]
fn a_full_disk_leaves_nothing_under_the_final_name() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.164.0.0/16");
    let small = host.dir().join("small");
    host.net.run(&format!("mkdir {}", small.display()));
    host.net.run(&format!("mount -t tmpfs -o size=64k tmpfs {}", small.display()));
    let seen = host.net.outside(&small.display().to_string());
    for running in [true, false] {
        if !running {
            host.stop();
        }
        let said = backup(&host, &small.join("saved")).failed();
        assert!(said.contains("full") || said.contains("No space"), "{said}");
        assert_eq!(names(&seen), [""; 0], "running: {running}");
    }
    host.start();
    assert_eq!(client.get("networks/n").status, 200);
}

/// A restore that is killed at a point.
fn killed_at(host: &Host, point: &str, file: &Path) {
    let mut command = host.net.command("env");
    command.arg(format!("NETLOOM_FAULT={point}:kill")).arg(host.binary());
    command.args(format!("restore --yes {} {}", directories(host), file.display()).split_whitespace());
    let said = run(&mut command);
    assert_ne!(said.code, 0, "it was killed at {point}: {said:?}");
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_database_or_the_new() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.165.0.0/24");
    host.sandbox("old", "n");
    let file: PathBuf = host.dir().join("saved");
    backup(&host, &file).ok();
    client.delete("sandboxes/old").is(204);
    host.sandbox("new", "n");
    for (point, wanted) in
        [("restore.before_keep", "new"), ("restore.before_swap", "new"), ("restore.after_swap", "old")]
    {
        // Killed, so that there is a log beside the database.
        host.kill();
        killed_at(&host, point, &file);
        host.start();
        assert_eq!(sandboxes(&client), [wanted], "{point}");
        assert!(host.in_sandbox(wanted, "ip -o -4 addr show eth0").contains("10.165.0."), "{point}");
        let left: Vec<String> = names(&host.data_dir()).into_iter().filter(|name| name.contains("restoring")).collect();
        assert_eq!(left, [""; 0], "{point}");
    }
    let kept: Vec<String> = names(&host.data_dir()).into_iter().filter(|name| name.contains(".replaced-")).collect();
    assert_eq!(kept.len(), 1, "the one that was replaced, and no other: {kept:?}");
    host.stop();
    restore(&host, &host.data_dir().join(&kept[0])).ok();
    host.start();
    assert_eq!(sandboxes(&client), ["new"], "what was kept is a backup as well");
    host.stop();
    host.netloom(&format!("purge --yes --data {}", directories(&host))).ok();
    assert!(!host.data_dir().exists(), "a purge of the data leaves no copy of it");
}
