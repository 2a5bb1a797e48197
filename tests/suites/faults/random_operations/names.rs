//! Names against leases: every sandbox asks its resolver, by DNS packets, for all names and addresses that there are and for some that
//! are no more.
//!
//! What must not live here: whether the leases are right (`agreement`).

use std::collections::{BTreeMap, BTreeSet};

use netloom_tests::{Host, Value};

/// What is asked for in the whole test: what has an answer today may have none tomorrow.
#[derive(Debug, Default)]
pub(super) struct Asked {
    names: BTreeSet<String>,
    addresses: BTreeSet<String>,
}

/// Names and addresses of running sandboxes on one network.
type Holders = BTreeMap<String, Vec<(String, Vec<String>, Vec<String>)>>;

/// Compares what each running sandbox is answered with who has which name on its networks.
///
/// # Panics
/// With the first answer that is another one.
#[track_caller]
pub(super) fn resolve(host: &Host, asked: &mut Asked, after: &str) {
    let sandboxes = host.client().all("sandboxes?limit=1000");
    let running: Vec<&Value> = sandboxes.iter().filter(|sandbox| sandbox["status"]["state"] == "running").collect();
    let holders = holders(&running, asked);
    for sandbox in running {
        let endpoints = sandbox["status"]["endpoints"].as_object().unwrap();
        let on: Vec<_> = endpoints.keys().filter_map(|network| holders.get(network)).flatten().collect();
        if on.is_empty() {
            continue;
        }
        let netns = sandbox["status"]["netns"].as_str().expect("a running sandbox has a namespace");
        let questions = questions(asked);
        let answers = dig(host, netns, &questions);
        assert_eq!(answers.len(), questions.len(), "after {after}: each question of {} is answered", sandbox["name"]);
        for ((kind, what), (status, found)) in questions.iter().zip(answers) {
            let mut known = false;
            let mut wanted = BTreeSet::new();
            for (_, names, addresses) in &on {
                if *kind == "PTR" && addresses.contains(what) {
                    known = true;
                    wanted.extend(names.iter().map(|name| format!("{name}.")));
                } else if names.contains(what) {
                    known = true;
                    wanted.extend(addresses.iter().filter(|one| one.contains(':') == (*kind == "AAAA")).cloned());
                }
            }
            let who = sandbox["name"].as_str().unwrap();
            assert_eq!(found, wanted, "after {after}: {who} asks for {kind} of {what}: {status}");
            assert_eq!(status == "NOERROR", known, "after {after}: {who} asks for {kind} of {what}: {status}");
        }
    }
}

/// Who has which names and addresses, by network: sandbox, its names, its addresses there.
fn holders(running: &[&Value], asked: &mut Asked) -> Holders {
    let mut holders = Holders::new();
    for sandbox in running {
        let name = sandbox["name"].as_str().unwrap().to_owned();
        for (network, endpoint) in sandbox["status"]["endpoints"].as_object().unwrap() {
            let aliases = sandbox["networks"][network]["aliases"].as_array().into_iter().flatten();
            let mut names = vec![name.clone()];
            names.extend(aliases.map(|alias| alias.as_str().unwrap().to_owned()));
            let addresses = ["address", "address6"].iter().filter_map(|field| endpoint[*field].as_str());
            let addresses: Vec<String> = addresses.map(str::to_owned).collect();
            asked.names.extend(names.iter().cloned());
            asked.addresses.extend(addresses.iter().cloned());
            holders.entry(network.clone()).or_default().push((name.clone(), names, addresses));
        }
    }
    holders
}

fn questions(asked: &Asked) -> Vec<(&'static str, String)> {
    let names = asked.names.iter().flat_map(|name| [("A", name.clone()), ("AAAA", name.clone())]);
    names.chain(asked.addresses.iter().map(|address| ("PTR", address.clone()))).collect()
}

/// Asks in a sandbox, one after the other; the status and the records of each answer.
fn dig(host: &Host, netns: &str, questions: &[(&'static str, String)]) -> Vec<(String, BTreeSet<String>)> {
    let line = |(kind, what): &(&str, String)| {
        let question = if *kind == "PTR" { format!("-x {what}") } else { format!("-t {kind} -q {what}") };
        format!("@127.0.0.11 +time=5 +tries=1 +noedns +noall +comments +answer {question}\n")
    };
    let file = host.dir().join("questions");
    std::fs::write(&file, questions.iter().map(line).collect::<String>()).unwrap();
    let said = host.net.try_run_in(netns, &format!("dig -f {}", file.display())).stdout;
    let answers = said.split("->>HEADER<<-").skip(1);
    answers
        .map(|answer| {
            let status = answer.split("status: ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
            let records = answer.lines().skip(1).filter(|line| !line.starts_with(';') && !line.trim().is_empty());
            let data = records.map(|line| line.split_whitespace().last().unwrap_or_default().to_owned());
            (status.to_owned(), data.collect())
        })
        .collect()
}
