//! The shape of the repository, held against what the documents say: crate edges, file heads and sizes, names, links.
//! Needs neither root nor a daemon.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const LINES_MAX: usize = 400;

/// Files that may be longer, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Third-party crates that belong to one layer: the crate, and who may use it.
const LAYERED: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("rtnetlink", &["kernel", "tests"]),
    ("netlink-sys", &["kernel", "tests"]),
    ("netlink-packet-route", &["kernel", "tests"]),
    ("netlink-packet-core", &["kernel", "tests"]),
    ("actix-web", &["api", "web", "daemon"]),
    ("askama", &["web"]),
    ("hickory-proto", &["names"]),
    ("rcgen", &["pki"]),
    ("ring", &["pki"]),
    ("x509-parser", &["pki"]),
    ("clap", &["daemon"]),
    ("anyhow", &["daemon", "tests"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is there")
}

/// Every file of the repository, by path relative to its root; what is built or hidden is left out.
fn files() -> Vec<(String, PathBuf)> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<(String, PathBuf)>) {
        for entry in std::fs::read_dir(dir).expect("readable").map(|entry| entry.expect("readable")) {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                if name != "target" && name != ".git" {
                    walk(root, &path, found);
                }
            } else if path.is_file() {
                found.push((path.strip_prefix(root).expect("below the root").display().to_string(), path));
            }
        }
    }
    let (root, mut found) = (root(), Vec::new());
    walk(&root, &root, &mut found);
    found.sort();
    found
}

fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|(name, _)| name.ends_with(".rs"));
    rust.map(|(name, path)| (name, std::fs::read_to_string(path).expect("UTF-8"))).collect()
}

fn texts() -> Vec<(String, String)> {
    files().into_iter().filter_map(|(name, path)| Some((name, std::fs::read_to_string(path).ok()?))).collect()
}

/// Names of dependencies in a manifest's `[dependencies]` (development and build dependencies count too).
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut within = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.contains("dependencies");
        } else if within && let Some((name, _)) = line.split_once(['=', '.']) {
            names.insert(name.trim().to_owned());
        }
    }
    names
}

/// Every crate of ours by its short name, with the text of its manifest.
fn manifests() -> BTreeMap<String, String> {
    let wanted = |name: &str| {
        (name.starts_with("server/") || name.starts_with("web/") || name.starts_with("tests/"))
            && name.ends_with("/Cargo.toml")
    };
    files()
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, path)| {
            let short = name.trim_end_matches("/Cargo.toml").trim_start_matches("server/").to_owned();
            (short, std::fs::read_to_string(path).expect("readable"))
        })
        .collect()
}

/// The table of `docs/ARCHITECTURE.md`: each crate, and the crates it may use.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("docs/ARCHITECTURE.md exists");
    let crates: BTreeSet<String> = manifests().into_keys().collect();
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`').trim_start_matches("server/").to_owned();
        if cells.len() != 3 || !crates.contains(&name) {
            continue;
        }
        let words = cells[2].split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned);
        let may = if cells[2] == "all" { crates.clone() } else { words.filter(|word| crates.contains(word)).collect() };
        table.insert(name, may);
    }
    table
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let (documented, manifests) = (documented(), manifests());
    assert_eq!(
        documented.keys().collect::<Vec<_>>(),
        manifests.keys().collect::<Vec<_>>(),
        "every crate stands in the table of docs/ARCHITECTURE.md, and nothing else does"
    );
    for (name, manifest) in &manifests {
        let used: BTreeSet<String> =
            dependencies(manifest).iter().filter_map(|d| d.strip_prefix("netloom-")).map(str::to_owned).collect();
        let beyond: Vec<&String> = used.difference(&documented[name]).collect();
        assert!(beyond.is_empty(), "{name} uses {beyond:?}, which docs/ARCHITECTURE.md does not allow");
    }
}

#[test]
fn third_party_crates_stay_in_their_layer() {
    for (name, manifest) in manifests() {
        let used = dependencies(&manifest);
        for (dependency, layers) in LAYERED {
            assert!(
                !used.contains(*dependency) || layers.contains(&name.as_str()),
                "{name} uses {dependency}, which belongs to {layers:?}"
            );
        }
    }
}

#[test]
fn every_file_says_what_it_holds() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#!"))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "these don't open with `//!`: {silent:#?}");
}

#[test]
fn files_are_short_enough_to_read() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let (lines, excused) = (text.lines().count(), LONG_FILES.iter().any(|(file, _)| *file == name));
        if lines > LINES_MAX && !excused {
            wrong.push(format!("{name} has {lines} lines; split it, or list it in LONG_FILES with the reason"));
        }
        if lines <= LINES_MAX && excused {
            wrong.push(format!("{name} has {lines} lines and needs no exception any more"));
        }
    }
    for (name, _) in LONG_FILES {
        assert!(root().join(name).exists(), "{name} is excused and doesn't exist");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_left_undone() {
    // Spelled in two halves, so that this file doesn't find itself.
    let marks = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["dbg", "!("],
        ["SKELE", "TON"],
    ]
    .map(|halves| halves.concat());
    let mut found = Vec::new();
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn unsafe_code_has_one_place() {
    let keyword = ["uns", "afe"].concat();
    for (name, text) in sources() {
        let uses = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains(&format!("{keyword} {{"))
                || code.contains(&format!("{keyword} fn"))
                || code.contains(&format!("{keyword} impl"))
        });
        assert!(!uses || name == "server/kernel/src/sys.rs", "{name} has {keyword} code");
    }
}

#[test]
fn names_say_something() {
    for (name, _) in sources() {
        let stem = Path::new(&name).file_stem().expect("a file").to_string_lossy().into_owned();
        let empty = ["utils", "util", "helpers", "helper", "common", "misc", "manager", "mod"];
        assert!(!empty.contains(&stem.as_str()), "{name}: a name that says what is in it");
    }
}

#[test]
fn nothing_knows_the_machine_it_was_written_on() {
    // In halves, as above: directories of somebody's own machine, and names that only resolve there.
    let places =
        [["/wo", "rk/"], ["/ho", "me/"], ["/Us", "ers/"], ["/ro", "ot/"], ["/tmp/net", "loom/"], [".inter", "nal/"]]
            .map(|halves| halves.concat());
    let mut found = Vec::new();
    for (name, text) in texts().into_iter().filter(|(name, _)| name != "Cargo.lock") {
        for (number, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place.as_str())) {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for (name, text) in texts().into_iter().filter(|(name, _)| name.ends_with(".md")) {
        let dir = root().join(&name).parent().expect("a directory").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:") && !dir.join(file).exists() {
                broken.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let dir = root().join("migrations/sqlite");
    let mut numbers: Vec<u32> = std::fs::read_dir(dir)
        .expect("migrations/sqlite exists")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".sql"))
        .map(|name| {
            name.split('_')
                .next()
                .unwrap_or_default()
                .parse()
                .unwrap_or_else(|_| panic!("{name} begins with its number"))
        })
        .collect();
    numbers.sort_unstable();
    assert!(numbers.iter().zip(1..).all(|(number, wanted)| *number == wanted), "{numbers:?}");
}

#[test]
fn fault_points_are_passed_somewhere() {
    let all: String = sources()
        .into_iter()
        .filter(|(name, _)| name.starts_with("server/") && name != "server/fault/src/lib.rs")
        .map(|(_, text)| text)
        .collect();
    let unused: Vec<&&str> =
        netloom_fault::POINTS.iter().filter(|point| !all.contains(&format!("\"{point}\""))).collect();
    assert!(unused.is_empty(), "registered, and never passed: {unused:?}");
}
