//! Join tokens that let nobody in, and what is said to who shows one.

use netloom_tests::json;

use crate::kit::{MANAGER, Pair, info, netloom};

/// Makes a join token: its text.
fn token(pair: &Pair, line: &str) -> String {
    netloom(&pair.manager, &format!("swarm token create {line} --quiet")).ok().trim().to_owned()
}

fn refused(pair: &Pair, token: &str) -> String {
    let said = netloom(&pair.worker, &format!("swarm join --token {token} {MANAGER}")).failed();
    assert_eq!(info(&pair.worker)["swarm_state"], "inactive");
    said
}

#[test]
fn tokens_that_let_nobody_in() {
    let pair = Pair::new();
    let first = pair.init();
    let first = first.split(' ').nth(3).unwrap().to_owned();
    let stolen = token(&pair, "stolen");
    netloom(&pair.manager, "swarm token revoke stolen").ok();
    assert!(refused(&pair, &stolen).contains("revoked"));
    let old = token(&pair, "turned");
    let new = netloom(&pair.manager, "swarm token rotate turned --quiet").ok().trim().to_owned();
    assert!(refused(&pair, &old).contains("another secret"));
    let expires = "2020-01-31T12:00:00Z";
    let spec = json!({"name": "late", "role": "worker", "expires_at": expires});
    pair.manager.client().post("swarm/join-tokens", &spec).problem(422, "invalid-value");
    let spec = json!({"name": "lead", "role": "manager"});
    pair.manager.client().post("swarm/join-tokens", &spec).problem(422, "invalid-value");

    // A secret of another swarm's, whose authority is another.
    let (digest, secret) = (first.split('-').nth(2).unwrap(), first.split('-').nth(3).unwrap());
    let foreign: String = digest.chars().rev().collect();
    let said = refused(&pair, &format!("SWMTKN-1-{foreign}-{secret}"));
    assert!(said.contains("not the manager") && said.contains("nothing secret was said"), "{said}");
    let said = refused(&pair, &first[..first.len() - 1]);
    assert!(said.contains("24 characters") && !said.contains(&secret[..24]), "{said}");
    assert!(refused(&pair, "SWMTKN-2-x-y").contains("version 2"));

    // One use, and a label by it.
    let once = token(&pair, "once --uses 1 --label rack=7");
    netloom(&pair.worker, &format!("swarm join --token {once} {MANAGER}")).ok();
    assert_eq!(pair.becomes("ready")["labels"], json!({"rack": "7"}));
    let list = netloom(&pair.manager, "swarm token list").ok();
    let line = list.lines().find(|line| line.starts_with("once ")).unwrap();
    assert!(line.contains("used up") && line.contains("1 of 1"), "{list}");
    assert!(!list.contains(once.rsplit('-').next().unwrap()), "no secret is listed");
    netloom(&pair.worker, "swarm leave").ok();
    assert!(refused(&pair, &once).contains("used up"));
    netloom(&pair.worker, &format!("swarm join --token {new} {MANAGER}")).ok();
    pair.becomes("ready");
}

#[test]
fn where_no_manager_is_that_is_said() {
    let pair = Pair::new();
    let token = "SWMTKN-1-49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv-8vxv8rssmk743ojnwacrr2e7c";
    let said = refused(&pair, token);
    assert!(said.contains("can't be reached") && said.contains("2377"), "{said}");
}
