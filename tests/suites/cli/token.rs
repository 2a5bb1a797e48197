//! `netloom token`.

use netloom_tests::process::run;
use netloom_tests::{Host, Value, host, json};

fn token(host: &Host, line: &str) -> String {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    host.netloom(&format!("token {verb} --run-dir {} {rest}", host.run_dir().display())).ok()
}

fn refused(host: &Host, line: &str) -> String {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    host.netloom(&format!("token {verb} --run-dir {} {rest}", host.run_dir().display())).failed()
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let host = host!();
    let client = host.start();
    let mut command = host.net.command(&host.binary().to_string_lossy());
    let said = run(command
        .args(["token", "create", "ci", "--role", "operator", "--expires", "90d", "--run-dir"])
        .arg(host.run_dir()));
    let secret = said.stdout.trim().to_owned();
    assert!(secret.starts_with("nlm_") && said.stdout.lines().count() == 1, "nothing but the secret: {}", said.stdout);
    assert!(said.stderr.contains("only time"), "{}", said.stderr);
    let tcp = host.tcp().header("authorization", &format!("Bearer {secret}"));
    assert_eq!(tcp.get("whoami").is(200)["role"], "operator");
    assert!(client.get("tokens/ci").is(200)["expires_at"].is_string());
    let list = token(&host, "list");
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..3], ["NAME", "ROLE", "STATE"]);
    assert_eq!(
        (lines[1][..3].to_vec(), lines[2][..3].to_vec()),
        (vec!["admin", "admin", "active"], vec!["ci", "operator", "active"])
    );
    assert!(!list.contains(secret.rsplit('_').next().unwrap()));
    let listed: Vec<Value> =
        token(&host, "list --json").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed[1]["name"], json!("ci"));
    assert!(token(&host, "revoke ci").contains("`ci` is revoked"));
    tcp.get("whoami").problem(401, "unauthenticated");
    assert!(refused(&host, "revoke ci").contains("there is no token `ci`"));
    assert!(token(&host, "revoke admin").contains("`admin` is revoked"));
}

#[test]
fn what_is_wrong_is_said_with_what_helps() {
    let host = host!();
    host.start();
    let said = refused(&host, "create ci --expires tomorrow");
    assert!(said.contains("neither a while nor a time") && said.contains("90d"), "{said}");
    assert!(refused(&host, "create ci --role root").contains("operator"), "the roles are listed");
    let said = refused(&host, "create admin");
    assert!(said.contains("/name") && said.contains("help: choose another name"), "{said}");
    token(&host, "create ci");
    assert!(refused(&host, "create ci").contains("there is a token `ci` already"));
    host.stop();
    assert!(refused(&host, "list").contains("is the service running"));
    let help = host.netloom("token").failed();
    assert!(help.contains("create") && help.contains("revoke"), "{help}");
}
