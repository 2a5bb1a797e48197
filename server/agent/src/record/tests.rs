//! The record over lives: what is written is read again, and nothing else.

use netloom_model::{NetworkId, SandboxId};

use super::*;

const ONE: Key = Key::Network(NetworkId::from_random([1; 16]));
const TWO: Key = Key::Sandbox(SandboxId::from_random([2; 16]));
const HERE: &str = "boot 1";

fn open(directory: &tempfile::TempDir) -> Record {
    Record::open(directory.path(), HERE)
}

fn note(record: &Record, key: Key, fingerprint: Option<u64>) {
    record.note(vec![(key, fingerprint.map(Fingerprint))]).expect("a record");
}

fn has(record: &Record, key: Key, fingerprint: u64) -> bool {
    record.has(key, Fingerprint(fingerprint))
}

#[test]
fn the_next_life_knows_what_was_verified_last() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = open(&directory);
    note(&first, ONE, Some(1));
    note(&first, TWO, Some(u64::MAX));
    note(&first, ONE, Some(3));
    let second = open(&directory);
    assert!(has(&second, ONE, 3) && has(&second, TWO, u64::MAX));
    assert!(!has(&second, ONE, 1), "it was verified as something else since");
    note(&second, ONE, None);
    let third = open(&directory);
    assert!(!has(&third, ONE, 3) && has(&third, TWO, u64::MAX));
    note(&third, TWO, None);
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0, "nothing is left of nothing");
    note(&third, TWO, Some(5));
    assert!(has(&open(&directory), TWO, 5));
}

#[test]
fn what_says_nothing_here_is_not_taken() {
    let heading = format!("netloom {} {HERE}", env!("CARGO_PKG_VERSION"));
    let line = serde_json::to_string(&(ONE, Some(7))).expect("a line");
    let cases: [(&str, String, bool); 7] = [
        ("whole", format!("{heading}\n{line}\n"), true),
        ("another boot", format!("netloom {} boot 2\n{line}\n", env!("CARGO_PKG_VERSION")), false),
        ("another version", format!("netloom 0.0.0 {HERE}\n{line}\n"), false),
        ("cut off", format!("{heading}\n{line}"), false),
        ("none of ours", format!("{heading}\nsomething\n{line}\n"), true),
        ("a heading that is cut off", heading.clone(), false),
        ("empty", String::new(), false),
    ];
    for (case, text, is_known) in cases {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(RECORD), text).expect("a file");
        let record = open(&directory);
        assert_eq!(has(&record, ONE, 7), is_known, "{case}");
        // Whatever was there is written over as a whole.
        note(&record, TWO, Some(9));
        let next = open(&directory);
        assert_eq!((has(&next, ONE, 7), has(&next, TWO, 9)), (is_known, true), "{case}");
    }
}

#[test]
fn it_grows_with_what_there_is_and_not_with_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let record = open(&directory);
    note(&record, TWO, Some(1));
    for fingerprint in 0..3 * SUPERSEDED as u64 {
        note(&record, ONE, Some(fingerprint));
        // The same again is no line.
        note(&record, ONE, Some(fingerprint));
        note(&record, TWO, Some(1));
    }
    let lines = || std::fs::read_to_string(directory.path().join(RECORD)).expect("a record").lines().count();
    assert!(lines() <= SUPERSEDED + 3, "{}", lines());
    assert!(has(&open(&directory), ONE, 3 * SUPERSEDED as u64 - 1));
}
