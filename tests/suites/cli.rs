//! The command line: help that teaches, doctor, exec, purge, backup and restore, the OpenAPI document, what a start says.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cli/backup.rs"]
mod backup;
#[path = "cli/token.rs"]
mod token;

use std::path::Path;
use std::time::Duration;

use netloom_tests::process::run;
use netloom_tests::{Host, Snapshot, Start, Value, host, json, until};

fn directories(host: &Host) -> String {
    format!("--data-dir {} --run-dir {}", host.data_dir().display(), host.run_dir().display())
}

#[test]
fn help_teaches() {
    let host = host!();
    let help = host.netloom("--help").ok();
    for command in ["serve", "doctor", "backup", "restore", "purge", "exec", "openapi", "token", "swarm", "node", "lab"]
    {
        assert!(help.contains(command), "{command} is missing:\n{help}");
        let own = host.netloom(&format!("{command} --help")).ok();
        assert!(own.lines().count() > 5, "{own}");
    }
    let serve = host.netloom("serve --help").ok();
    for word in ["--listen", "--data-dir", "--run-dir", "NETLOOM_LISTEN", "NETLOOM_DATA_DIR", "127.0.0.1:8080"] {
        assert!(serve.contains(word), "{word} is missing:\n{serve}");
    }
    let wrong = host.netloom("serv").failed();
    assert!(wrong.contains("serve"), "a slip is corrected:\n{wrong}");
    let noun = host.netloom("network ls").failed();
    assert!(!noun.contains("restore") && noun.contains("over the API"), "no command is guessed:\n{noun}");
    assert!(help.contains("made over the API") && help.contains("--run-dir or --data-dir"), "{help}");
    assert!(host.netloom("--version").ok().contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn doctor_gives_verdicts_and_changes_nothing() {
    let host = host!();
    let before = Snapshot::of(&host);
    let said = host.netloom(&format!("doctor {}", directories(&host)));
    let text = format!("{}{}", said.stdout, said.stderr);
    assert_eq!(said.code, 0, "this host can run it:\n{text}");
    for word in [
        "OK",
        "macvlan",
        "veth",
        "nftables",
        "bridge and overlay networks",
        "2377/tcp is free",
        "4789/udp is free",
        "netloom lab",
    ] {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
    Snapshot::of(&host).same_as(&before);
}

#[test]
fn doctor_finds_a_foreign_chain_that_drops_and_a_missing_privilege() {
    let host = host!();
    host.net.run("nft add table ip other");
    host.net.shell("nft 'add chain ip other forward { type filter hook forward priority 0; policy drop; }'");
    let text = host.netloom(&format!("doctor {}", directories(&host)));
    let text = format!("{}{}", text.stdout, text.stderr);
    assert!(text.contains("other") && text.contains("drop"), "{text}");
    let line = format!(
        "setpriv --bounding-set -net_admin --inh-caps -net_admin {} doctor {}",
        host.binary().display(),
        directories(&host)
    );
    let said = run(host.net.command("setpriv").args(line.split_whitespace().skip(1)));
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(said.code != 0 && text.contains("NET_ADMIN"), "the missing privilege is named:\n{text}");
}

#[test]
fn serve_without_privilege_names_it_and_the_remedy() {
    let host = host!();
    host.net.run(&format!("chmod 777 {}", host.dir().display()));
    let line = format!(
        "--reuid 65534 --regid 65534 --clear-groups {} serve --listen 127.0.0.1:8080 {}",
        host.binary().display(),
        directories(&host)
    );
    let said = run(host.net.command("setpriv").args(line.split_whitespace()));
    let text = format!("{}{}", said.stdout, said.stderr);
    assert_ne!(said.code, 0);
    assert!(text.contains("root") || text.contains("CAP_NET_ADMIN"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_port_in_use_and_a_bad_address_are_explained() {
    let host = host!();
    host.start();
    let line = format!("serve --listen 127.0.0.1:8080 --data-dir {0}/d --run-dir {0}/r", host.dir().display());
    let said = host.netloom(&line).failed();
    assert!(!said.contains("panicked") && said.len() > 20, "{said}");
    let said = host.netloom("serve --log info,netloom_agnt=trace").failed();
    assert!(said.contains("netloom_agnt") && said.contains("netloom_agent"), "{said}");
    let said = host.netloom("serve --listen nonsense").failed();
    assert!(said.contains("nonsense"), "{said}");
    let said = host
        .netloom(&format!("serve --listen 0.0.0.0:9090 --data-dir {0}/d --run-dir {0}/r", host.dir().display()))
        .failed();
    assert!(said.contains("allow-remote") || said.contains("another"), "a wide listener must be asked for: {said}");
}

#[test]
fn the_first_start_prints_a_link_that_logs_in_once() {
    let host = host!();
    host.start();
    let log = host.log_text();
    let link = log
        .split_whitespace()
        .find(|w| w.starts_with("http://127.0.0.1:8080/") && w.len() > 40)
        .expect("the dashboard link");
    let path = link.trim_start_matches("http://127.0.0.1:8080");
    let tcp = host.tcp();
    let page = tcp.get(path);
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(
        page.text.contains("<form") && page.header("set-cookie").is_none(),
        "GET shows a button and logs nobody in"
    );
    assert_eq!(tcp.get(path).status, 200, "and uses nothing up");
    let invented = tcp.get("/ui/login?link=invented");
    assert!(invented.status == 401 && invented.text.contains("not known here"), "{}", invented.text);
    assert!(!invented.text.contains("Open the dashboard"), "no button that can only fail");
    let again = host.netloom(&format!("login-link --run-dir {}", host.run_dir().display())).ok();
    assert!(again.contains("http://127.0.0.1:8080/"), "{again}");
    let foreign = tcp.get("/ui/login?next=//example.net");
    assert!(foreign.text.contains("name=\"next\" value=\"/ui\""), "a foreign destination is dropped: {}", foreign.text);
    let form = tcp.get("/ui/login?next=/ui/events");
    assert!(form.text.contains("type=\"password\"") && form.text.contains("value=\"/ui/events\""), "{}", form.text);
}

#[test]
fn commands_with_other_directories_say_where_they_looked_and_who_runs() {
    let host = host!();
    host.start();
    host.netloom(&format!("backup {} {}/saved", directories(&host), host.dir().display())).ok();
    let other = format!("--data-dir {0}/none --run-dir {0}/none", host.dir().display());
    let (data, run) = (host.data_dir().display().to_string(), host.run_dir().display().to_string());
    let said = host.netloom(&format!("purge {other}")).ok();
    for word in [&format!("{}/none", host.dir().display()), "--run-dir", "A daemon runs here", &data, &run] {
        assert!(said.contains(word), "{word} is missing: {said}");
    }
    let said = host.netloom(&format!("restore {other} {}/saved", host.dir().display())).ok();
    assert!(said.contains("Stop it first") && said.contains(&format!("saved --data-dir {data} ")), "{said}");
    let none = host.dir().join("none");
    let exec = |what: &str| host.netloom(&format!("exec --run-dir {} {what}", none.display())).failed();
    assert!(exec("macvlan1 true").contains("--run-dir"));
    let run = format!("exec --run-dir {}", host.run_dir().display());
    assert_eq!(host.netloom(&format!("{run} nobody true")).code, 125, "as with Docker");
    let id = "sbx_aebagbafaydqqcikbmga2dqpca";
    assert!(exec(&format!("{id} true")).contains("there is no such namespace"));
    std::fs::create_dir_all(none.join("netns")).unwrap();
    std::fs::write(none.join("netns").join(id), "").unwrap();
    assert!(exec(&format!("{id} true")).contains("nsenter -t PID -m -n"));
}

#[test]
fn a_link_goes_to_where_the_service_listens() {
    let host = host!();
    host.start_with(&Start { listen: Some("127.0.0.1:9191"), ..Start::default() });
    let link = host.netloom(&format!("login-link --run-dir {}", host.run_dir().display())).ok();
    assert!(link.starts_with("http://127.0.0.1:9191/ui/login?link="), "{link}");
}

#[test]
fn doctor_says_what_only_root_can_see() {
    let host = host!();
    host.start();
    host.net.run(&format!("chmod 755 {}", host.dir().display()));
    let line =
        format!("--reuid 65534 --regid 65534 --clear-groups {} doctor {}", host.binary().display(), directories(&host));
    let said = run(host.net.command("setpriv").args(line.split_whitespace()));
    let verdicts: Vec<&str> = said.stdout.lines().collect();
    let of = |thing: &str| verdicts.iter().find(|line| line.contains(thing)).copied().unwrap_or_default();
    for thing in ["  service  ", "  port  ", "  database  "] {
        assert!(of(thing).starts_with("WARN"), "{thing}: {}", said.stdout);
    }
    let elsewhere = host.netloom(&format!("doctor --data-dir {0}/d --run-dir {0}/r", host.dir().display()));
    assert!(elsewhere.stdout.contains("another runs in this network namespace"), "{}", elsewhere.stdout);
}

#[test]
fn exec_enters_a_sandbox() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.195.0.0/24");
    host.sandbox("s", "n");
    let exec = |rest: &str| host.netloom(&format!("exec --run-dir {} {rest}", host.run_dir().display()));
    assert!(exec("s -- ip -o -4 addr show eth0").ok().contains("10.195.0.2/24"));
    assert_eq!(exec("s -- ls /sys/class/net").ok().split_whitespace().collect::<Vec<_>>(), ["eth0", "lo"]);
    assert_eq!(exec("s -- false").code, 1, "the exit code is the command's");
    let said = exec("missing -- true").failed();
    assert!(said.contains("missing"), "{said}");
    client.patch("sandboxes/s", &json!({"desired_state": "stopped"})).is(200);
    let said = exec("s -- true").failed();
    assert!(said.contains("stopped"), "{said}");
}

#[test]
fn purge_shows_first_removes_all_of_ours_and_nothing_else() {
    let host = host!();
    host.net.run("ip addr add 10.196.0.9/24 dev parent0");
    host.net.run("ip link add mine0 type bridge");
    let before = Snapshot::of(&host);
    let client = host.start();
    let mut body = netloom_tests::host::macvlan("n", "10.196.0.0/24");
    body["macvlan"]["host_access"] = json!(true);
    client.post("networks", &body).is(201);
    for name in ["a", "b"] {
        host.sandbox(name, "n");
    }
    let refused = host.netloom(&format!("purge --yes {}", directories(&host))).failed();
    assert!(
        refused.contains("daemon") && refused.contains("stop it first") && !refused.contains("another namespace"),
        "it refuses while a daemon runs: {refused}"
    );
    let beside = host.netloom(&format!("purge {}", directories(&host))).ok();
    assert!(beside.contains("A daemon runs here") && beside.matches("namespace  ").count() == 2, "{beside}");
    client.get("drift").is(200)["items"].as_array().filter(|found| found.is_empty()).expect("looking changed nothing");
    host.kill();
    let with = Snapshot::of(&host);
    let shown = host.netloom(&format!("purge {}", directories(&host))).ok();
    assert!(shown.contains(&format!("netloom purge --yes {}", directories(&host))), "the flags are given on: {shown}");
    assert!(shown.matches("namespace  ").count() == 2 && !shown.contains("A daemon runs"), "{shown}");
    Snapshot::of(&host).same_as(&with);
    host.netloom(&format!("purge --yes {}", directories(&host))).ok();
    Snapshot::of(&host).same_as(&before);
    assert!(host.data_dir().join("netloom.db").exists(), "the store only with --data");
    host.netloom(&format!("purge --yes --data {}", directories(&host))).ok();
    assert!(!host.data_dir().join("netloom.db").exists() && !host.data_dir().join("admin.token").exists());
    Snapshot::of(&host).same_as(&before);
    host.start();
}

#[test]
fn a_purged_host_is_rebuilt_from_its_store() {
    let host = host!();
    let client = host.start();
    host.macvlan("n", "10.196.0.0/24");
    host.sandbox("a", "n");
    host.stop();
    host.netloom(&format!("purge --yes {}", directories(&host))).ok();
    host.start();
    assert_eq!(client.get("sandboxes/a").is(200)["status"]["state"], "running");
    assert!(host.in_sandbox("a", "ip -o -4 addr show eth0").contains("10.196.0.2/24"));
}

#[test]
fn the_openapi_documents_are_those_in_the_repository_and_those_that_are_served() {
    let host = host!();
    let client = host.start();
    for (flag, served, file, version) in [
        ("", "/openapi.json", "netloom-v1.json", "3.1.0"),
        (" --version 3.1", "/openapi.json", "netloom-v1.json", "3.1.0"),
        (" --version 3.0", "/openapi-3.0.json", "netloom-v1-3.0.json", "3.0.3"),
    ] {
        let printed: Value = serde_json::from_str(&host.netloom(&format!("openapi{flag}")).ok()).expect("JSON");
        assert_eq!(printed["openapi"], version);
        let answer = client.get(served);
        let tag = answer.header("etag").unwrap().to_owned();
        assert!(answer.is(200) == printed, "{served} is another document");
        assert_eq!(client.header("if-none-match", &tag).get(served).status, 304);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi").join(file);
        let text = std::fs::read_to_string(&path).expect("both documents are checked in");
        let stored: Value = serde_json::from_str(&text).expect("JSON");
        assert!(stored == printed, "openapi/{file} is out of date: cargo run -- openapi{flag} > openapi/{file}");
    }
    let wrong = host.netloom("openapi --version 2").failed();
    assert!(wrong.contains("3.0") && wrong.contains("3.1"), "{wrong}");
    let piped =
        format!("bash -c '{} openapi | head -c 1; echo ${{PIPESTATUS[0]}}'", env!("CARGO_BIN_EXE_netloom-under-test"));
    assert_eq!(host.net.shell(&piped).trim(), "{0", "who reads only the beginning has what he wanted");
    let docs = client.get("/docs/");
    assert_eq!(docs.status, 200);
    assert!(!docs.text.contains("https://") && !docs.text.contains("//cdn"), "Swagger UI works offline: {}", docs.text);
}

#[test]
fn every_documented_path_is_served() {
    let host = host!();
    let client = host.start();
    let document = client.get("/openapi.json").is(200);
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path
            .split('/')
            .map(|part| if part.starts_with('{') { "missing" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        for method in
            operations.as_object().unwrap().keys().filter(|m| matches!(m.as_str(), "get" | "post" | "patch" | "delete"))
        {
            if path.ends_with("/events") && method == "get" {
                continue;
            }
            let body = (method == "post" || method == "patch").then(|| ("application/json", b"{}".to_vec()));
            let dry = if method == "post" && path.ends_with("/prune") {
                format!("{path}?dry_run=true")
            } else {
                path.clone()
            };
            let answer = client.send(&method.to_uppercase(), &dry, body).expect("an answer");
            assert!(
                answer.status < 500 && answer.json["code"] != "route-not-found" && answer.status != 405,
                "{method} {path}: {}",
                answer.text
            );
        }
    }
}

#[test]
fn the_service_works_with_the_capabilities_that_its_unit_leaves_it() {
    let unit =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../server/daemon/netloom.service")).unwrap();
    let names = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
    let left: Vec<String> = names.split(' ').map(|name| format!("+{}", name[4..].to_lowercase())).collect();
    let host = host!();
    let mut command = host.net.command("setpriv");
    command.arg(format!("--bounding-set=-all,{}", left.join(","))).args(["--inh-caps=-all", "--no-new-privs"]);
    command.arg(host.binary()).arg("serve").args(directories(&host).split_whitespace());
    let log = std::fs::File::create(host.dir().join("unit.log")).unwrap();
    let mut daemon = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let client = host.client();
    until("the service is ready", Duration::from_secs(20), || {
        client.send("GET", "/readyz", None).is_ok_and(|answer| answer.status == 200).then_some(())
    });
    host.macvlan("n", "10.197.0.0/24");
    host.sandbox("s", "n");
    let other = netloom_tests::Namespace::new();
    client.post("sandboxes", &json!({"name": "a", "pid": other.pid(), "networks": {"n": {}}})).is(201);
    assert!(other.run("ip -o -4 addr show eth0").contains("10.197.0.3/24"));
    client.post("probes", &json!({"from": "a", "kind": "arp", "to": "10.197.0.2", "count": 1})).is(200);
    for path in ["sandboxes/s", "sandboxes/a", "networks/n"] {
        client.delete(path).is(204);
    }
    let _ = daemon.kill();
    let _ = daemon.wait();
}
