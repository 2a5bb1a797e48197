//! The shell script: plan, apply, once more, destroy; what is refused; lists of several pages.

use std::path::PathBuf;

use netloom_tests::process::{Said, run};
use netloom_tests::{Host, Snapshot, Value, host, json};

use crate::{example, seq};

/// Runs the script inside a host, over the unix socket or, with a token, over TCP.
fn script(host: &Host, token: Option<&str>, arguments: &[&str]) -> Said {
    let mut command = host.net.command("env");
    match token {
        None => command.arg(format!("NETLOOM_SOCKET={}", host.socket().display())),
        Some(token) => command.args(["NETLOOM_URL=http://127.0.0.1:8080/", &format!("NETLOOM_TOKEN={token}")]),
    };
    run(command.arg(example("netloom-apply.sh")).args(arguments))
}

fn file(host: &Host, wanted: &Value) -> PathBuf {
    let path = host.dir().join("wanted.json");
    std::fs::write(&path, wanted.to_string()).unwrap();
    path
}

fn lines(said: Said) -> Vec<String> {
    said.ok().lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect()
}

const PATHS: [&str; 3] = ["networks/app", "networks/app/leases/printer", "sandboxes/front"];

#[test]
fn a_file_is_planned_applied_once_and_destroyed() {
    let host = host!();
    let client = host.start();
    let mut wanted = json!({
        "networks": {"app": {"driver": "bridge", "pools": {"v4": {"subnet": "10.82.0.0/24"}}}},
        "leases": {"app/printer": {"address": "10.82.0.9"}},
        "sandboxes": {"front": {"networks": {"app": {}}}},
    });
    let path = file(&host, &wanted);
    let token = host.token();
    let run = |verb: &str| lines(script(&host, None, &[verb, path.to_str().unwrap()]));
    let over_tcp = |verb: &str| lines(script(&host, Some(&token), &[verb, path.to_str().unwrap()]));
    let each = |word: &str| PATHS.map(|path| format!("{word} {path}"));
    let (bare, none) = (Snapshot::of(&host), seq(&client));
    let planned = run("plan");
    assert!(planned.iter().zip(each("made")).all(|(line, made)| line.starts_with(&made)), "{planned:?}");
    assert_eq!((planned.len(), seq(&client)), (3, none));
    assert_eq!(run("apply"), each("made"));
    let written = seq(&client);
    assert_eq!(over_tcp("apply"), each("unchanged"));
    assert_eq!(over_tcp("plan"), each("unchanged"));
    assert_eq!(seq(&client), written);

    wanted["sandboxes"]["front"]["networks"]["app"]["aliases"] = json!(["db"]);
    file(&host, &wanted);
    assert_eq!(over_tcp("apply")[2], "changed sandboxes/front");
    assert_eq!(client.get("sandboxes/front").is(200)["networks"]["app"]["aliases"], json!(["db"]));
    let mut gone = each("removed");
    gone.reverse();
    assert_eq!(run("destroy"), gone);
    assert!(run("destroy").iter().all(|line| line.starts_with("absent ")));
    Snapshot::of(&host).same_as(&bare);
}

#[test]
fn what_is_refused_is_told_with_its_place_and_ends_the_script() {
    let host = host!();
    let client = host.start();
    let bad = json!({"networks": {"bad": {"driver": "bridge", "pools": {"v4": {"subnet": "10.0.4.1/24"}}}}, "sandboxes": {"s": {}}});
    let path = file(&host, &bad);
    let told = script(&host, None, &["apply", path.to_str().unwrap()]).failed();
    assert!(told.contains("/pools/v4/subnet") && told.contains("10.0.4.0/24"), "{told}");
    client.get("sandboxes/s").problem(404, "resource-not-found");
    let told = script(&host, Some("nlm_no"), &["apply", path.to_str().unwrap()]).failed();
    assert!(told.contains("401 unauthenticated"), "{told}");
    assert!(script(&host, None, &["aply"]).failed().contains("netloom-apply.sh plan FILE"));
}

#[test]
fn a_list_of_several_pages_is_whole() {
    let host = host!();
    let client = host.start();
    for n in 0..5 {
        let reserved: serde_json::Map<String, Value> =
            (0..250).map(|a| (format!("r{a}"), json!(format!("10.8{n}.1.{a}")))).collect();
        let pools = json!({"v4": {"subnet": format!("10.8{n}.0.0/16"), "reserved": reserved}});
        client.put(&format!("networks/n{n}"), &json!({"driver": "bridge", "pools": pools})).is(201);
    }
    let all = client.all("leases?limit=1000");
    let listed = script(&host, None, &["list", "leases"]).ok();
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids = |all: &[Value]| all.iter().map(|lease| lease["id"].to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&listed), ids(&all));
    assert!(all.len() > 1000, "they fill more than one page: {}", all.len());
}
