//! Every code that a use case can fail with has its help page, and so stands in the OpenAPI document.

#![allow(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

use std::collections::BTreeSet;
use std::path::Path;

/// Codes of internal failures: they are for the log, and answered as `internal`.
const INTERNAL: [&str; 4] = ["fault-injected", "no-randomness", "store-failed", "store-inconsistent"];

/// The texts that stand where control gives an error its code: after a kind, or as the first argument of `conflict`.
fn codes(source: &str, found: &mut BTreeSet<String>) {
    let compact: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).map(str::trim).collect();
    for marker in ["conflict(", "ErrorKind::", "unavailable("] {
        for (place, _) in compact.match_indices(marker) {
            let rest = compact[place + marker.len()..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
            let rest = rest.trim_start_matches([',', ' ']);
            let Some(code) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
            if code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
                found.insert(code.to_owned());
            }
        }
    }
}

fn scan(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            codes(&std::fs::read_to_string(&path).unwrap(), found);
        }
    }
}

/// The codes that the document knows.
fn documented() -> BTreeSet<String> {
    let document: serde_json::Value = serde_json::from_str(&netloom_api::openapi::document()).unwrap();
    let known = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap();
    known.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_the_overview_leaves_out_as_ordinary_are_codes_that_there_are() {
    let known = documented();
    let unknown: Vec<_> = netloom_control::ORDINARY.iter().filter(|code| !known.contains(**code)).collect();
    assert!(unknown.is_empty(), "no problem has these codes: {unknown:?}");
}

#[test]
fn every_code_of_the_use_cases_is_documented() {
    let mut used = BTreeSet::new();
    scan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../control/src"), &mut used);
    assert!(used.len() > 15, "the search finds too little: {used:?}");
    let known = documented();
    let missing: Vec<&String> =
        used.iter().filter(|code| !INTERNAL.contains(&code.as_str()) && !known.contains(*code)).collect();
    assert!(missing.is_empty(), "add these to server/api/src/problem/catalogue.rs: {missing:?}");
}
