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
    let of = |itself| Fingerprint { itself, ways: Some(itself / 2) };
    record.note(vec![(key, fingerprint.map(of))]);
}

fn has(record: &Record, key: Key, fingerprint: u64) -> bool {
    let now = Fingerprint { itself: fingerprint, ways: Some(fingerprint / 2) };
    record.compare(key, now) == Some(true)
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
fn other_ways_out_are_told_from_another_object() {
    let directory = tempfile::tempdir().expect("a directory");
    note(&open(&directory), ONE, Some(8));
    let record = open(&directory);
    let with = |itself, ways| record.compare(ONE, Fingerprint { itself, ways });
    let told = [
        with(8, Some(4)),
        with(8, Some(5)),
        with(8, None),
        with(9, Some(4)),
        record.compare(TWO, Fingerprint { itself: 8, ways: Some(4) }),
    ];
    assert_eq!(told, [Some(true), Some(false), Some(false), None, None]);
    assert_eq!([ONE, TWO].map(|key| record.knows(key)), [true, false]);
}

#[test]
fn only_a_life_that_ended_with_nothing_under_way_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let ended = || open(&directory).ended_idle();
    open(&directory).end();
    assert!(!ended(), "nothing was verified");
    let first = open(&directory);
    note(&first, ONE, Some(1));
    assert!(!ended(), "killed");
    let second = open(&directory);
    note(&second, TWO, Some(1));
    second.end();
    let third = open(&directory);
    assert!(third.ended_idle() && has(&third, ONE, 1) && has(&third, TWO, 1));
    assert!(!ended(), "the third was killed before it wrote anything");
}

#[test]
fn what_is_assigned_no_more_is_forgotten() {
    let directory = tempfile::tempdir().expect("a directory");
    let record = open(&directory);
    note(&record, ONE, Some(1));
    note(&record, TWO, Some(1));
    record.retain(|key| key == TWO);
    assert_eq!([ONE, TWO].map(|key| open(&directory).knows(key)), [false, true]);
}

#[test]
fn what_could_not_be_written_is_written_with_the_next() {
    let directory = tempfile::tempdir().expect("a directory");
    let record = open(&directory);
    // Nobody writes a file where a directory is, root either.
    std::fs::create_dir(directory.path().join(RECORDS[1])).expect("a directory");
    note(&record, ONE, Some(1));
    std::fs::remove_dir(directory.path().join(RECORDS[1])).expect("it is empty");
    assert!(!has(&open(&directory), ONE, 1));
    record.note(Vec::new());
    assert!(has(&open(&directory), ONE, 1));
}

#[test]
fn what_says_nothing_here_is_not_taken() {
    let heading = format!("netloom {} {HERE}", build());
    let line = serde_json::to_string(&(ONE, Some((7, Some(3))))).expect("a line");
    let cases: [(&str, String, bool); 7] = [
        ("whole", format!("{heading}\n{line}\n"), true),
        ("another boot", format!("netloom {} boot 2\n{line}\n", build()), false),
        ("another version", format!("netloom 0.0.0 {HERE}\n{line}\n"), false),
        ("cut off", format!("{heading}\n{line}"), false),
        ("none of ours", format!("{heading}\nsomething\n{line}\n"), true),
        ("a heading that is cut off", heading.clone(), false),
        ("empty", String::new(), false),
    ];
    for (case, text, is_known) in cases {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(RECORDS[0]), text).expect("a file");
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
    let lines = || std::fs::read_to_string(directory.path().join(RECORDS[0])).expect("a record").lines().count();
    assert!(lines() <= SUPERSEDED + 3, "{}", lines());
    assert!(has(&open(&directory), ONE, 3 * SUPERSEDED as u64 - 1));
}
