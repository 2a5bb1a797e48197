//! The Ansible role: once it changes, twice it doesn't; check mode tells, and leaves all as it is.

use netloom_tests::process::run;
use netloom_tests::tools::tool;
use netloom_tests::{Host, Snapshot, Value, host, json};

use crate::{example, seq};

/// A run of a playbook: what it said, and what its recap counts.
struct Play {
    said: String,
    changed: u32,
    failed: u32,
}

/// Runs the example, or another playbook beside its roles, inside a host.
fn play(host: &Host, playbook: &str, arguments: &[&str]) -> Play {
    let own = host.dir().join("ansible");
    let mut command = host.net.command("env");
    command.args(["LC_ALL=C.UTF-8", "ANSIBLE_NOCOLOR=1", "ANSIBLE_PIPELINING=1"]);
    command.args(
        ["ANSIBLE_HOME", "ANSIBLE_REMOTE_TMP", "ANSIBLE_LOCAL_TEMP"].map(|name| format!("{name}={}", own.display())),
    );
    command.arg(format!("ANSIBLE_PYTHON_INTERPRETER={}", tool("ansible/bin/python").display()));
    command.arg(format!("ANSIBLE_ROLES_PATH={}", example("ansible/roles").display()));
    command
        .arg(tool("ansible/bin/ansible-playbook"))
        .args(["-i", "localhost,", "-c", "local", playbook])
        .args(arguments);
    let said = run(&mut command);
    let text = format!("{}{}", said.stdout, said.stderr);
    let count = |what: &str| -> u32 {
        let recap = text.split("PLAY RECAP").nth(1).unwrap_or_else(|| panic!("no recap:\n{text}"));
        let word = recap.split_whitespace().find_map(|word| word.strip_prefix(&format!("{what}=")));
        word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no count of {what}:\n{text}"))
    };
    let (changed, failed) = (count("changed"), count("failed"));
    assert_eq!(said.code == 0, failed == 0, "{text}");
    assert_eq!(count("unreachable"), 0, "{text}");
    Play { said: text, changed, failed }
}

fn over_socket(host: &Host) -> String {
    json!({"netloom_socket": host.socket()}).to_string()
}

#[test]
fn the_role_changes_once_tells_in_check_mode_and_takes_everything_back() {
    let host = host!();
    let client = host.start();
    let (playbook, socket) = (example("ansible/playbook.yml"), over_socket(&host));
    let play = |arguments: &[&str]| {
        let play = play(&host, playbook.to_str().unwrap(), &[&["-e", &socket], arguments].concat());
        assert_eq!(play.failed, 0, "{}", play.said);
        play
    };
    let absent = ["-e", "netloom_state=absent"];
    let (bare, none) = (Snapshot::of(&host), seq(&client));

    // On a host with nothing on it check mode tells of all four, though two need the first.
    assert_eq!(play(&["--check"]).changed, 4);
    assert_eq!(seq(&client), none);
    Snapshot::of(&host).same_as(&bare);

    assert_eq!(play(&[]).changed, 4);
    assert_eq!(client.get("networks/app/leases/printer").is(200)["status"]["address"], "10.82.0.9");
    assert_eq!(client.get("sandboxes/back").is(200)["status"]["state"], "running");
    let (made, written) = (Snapshot::of(&host), seq(&client));
    assert_eq!(play(&[]).changed, 0);
    assert_eq!(seq(&client), written);

    // Somebody's edit is told in check mode, with what putting it right does in the kernel; and then put right.
    client.patch("sandboxes/front", &json!({"networks": {"app": {"ports": null}}})).is(200);
    let edited = seq(&client);
    let told = play(&["--check"]);
    assert_eq!(told.changed, 1, "{}", told.said);
    assert!(told.said.contains("127.0.0.1:8088/tcp"), "{}", told.said);
    assert_eq!(seq(&client), edited);
    assert_eq!(play(&[]).changed, 1);
    Snapshot::of(&host).same_as(&made);

    let written = seq(&client);
    assert_eq!(play(&["--check", absent[0], absent[1]]).changed, 4);
    assert_eq!(seq(&client), written);
    Snapshot::of(&host).same_as(&made);
    assert_eq!(play(&absent).changed, 4);
    assert_eq!(play(&absent).changed, 0);
    Snapshot::of(&host).same_as(&bare);
}

/// A playbook of a test's own.
fn playbook(host: &Host, variables: &Value) -> String {
    let path = host.dir().join("playbook.yml");
    let play = json!([{"hosts": "all", "gather_facts": false, "roles": [{"role": "netloom", "vars": variables}]}]);
    std::fs::write(&path, play.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_role_works_over_tcp_and_never_writes_over_what_it_did_not_see() {
    let host = host!();
    let client = host.start();
    client.put("sandboxes/theirs", &json!({"description": "left alone"})).is(201);
    let sandbox = |spec| json!([{"name": "s", "spec": spec}]);
    let with = |token: &str, networks: &Value, sandboxes: Value| {
        let variables = json!({
            "netloom_socket": "", "netloom_token": token, "netloom_networks": networks, "netloom_sandboxes": sandboxes,
        });
        // However much is asked for, the token is not told.
        let play = play(&host, &playbook(&host, &variables), &["-vvv"]);
        assert!(!play.said.contains(token), "{}", play.said);
        play
    };
    let networks = json!([{"name": "n", "spec": {"driver": "bridge", "pools": {"v4": {"subnet": "10.90.0.0/24"}}}}]);
    let token = host.token();
    assert_eq!(with(&token, &networks, sandbox(json!({"networks": {"n": {}}}))).changed, 2);
    let again = with(&token, &networks, sandbox(json!({"networks": {"n": {}}, "labels": {"a": "1"}})));
    assert_eq!((again.changed, again.failed), (1, 0), "{}", again.said);
    assert_eq!(client.get("sandboxes/theirs").is(200)["description"], "left alone");

    // What is refused fails the task, and says where and why.
    let moved = json!([{"name": "n", "spec": {"driver": "bridge", "pools": {"v4": {"subnet": "10.91.0.0/24"}}}}]);
    let refused = with(&token, &moved, json!([]));
    assert_eq!((refused.changed, refused.failed), (0, 1), "{}", refused.said);
    assert!(refused.said.contains("immutable-field") && refused.said.contains("/pools/v4/subnet"), "{}", refused.said);
    let unknown = with("nlm_no", &networks, json!([]));
    assert_eq!((unknown.changed, unknown.failed), (0, 1), "{}", unknown.said);
    assert!(unknown.said.contains("401"), "{}", unknown.said);
    // Variables are checked before anything is asked.
    let wrong = with(&token, &json!([{"nmae": "n"}]), json!([]));
    assert_eq!((wrong.changed, wrong.failed), (0, 1), "{}", wrong.said);
}
