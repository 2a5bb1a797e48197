//! Failures of control, as clients see them.

use netloom_model::invalid::Code;
use serde_json::{Value, json};

use super::*;

fn written(problem: &Problem) -> Value {
    let mut body = problem.body().clone();
    body.request_id = Some("req-1".to_owned());
    serde_json::to_value(body).expect("a problem is JSON")
}

#[test]
fn every_kind_has_its_status() {
    let table = [
        (ErrorKind::Malformed, 400),
        (ErrorKind::Unauthenticated, 401),
        (ErrorKind::Forbidden, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::Conflict, 409),
        (ErrorKind::PreconditionFailed, 412),
        (ErrorKind::Gone, 410),
        (ErrorKind::TooOften, 429),
        (ErrorKind::Invalid, 422),
        (ErrorKind::Unavailable, 503),
        (ErrorKind::Internal, 500),
    ];
    for (kind, status) in table {
        assert_eq!(Problem::from(Error::new(kind, "x", "y")).status_code().as_u16(), status);
    }
}

#[test]
fn a_conflict_keeps_all_that_helps_and_has_no_nulls() {
    let blocker = ObjectRef {
        kind: netloom_model::event::ObjectKind::Sandbox,
        id: "sbx_aebagbafaydqqcikbmga2dqpca".to_owned(),
        name: "macvlan1".to_owned(),
    };
    let error = Error::conflict("in-use", "network `n` has 1 endpoint").blockers(vec![blocker]).fact("endpoints", 1);
    let wanted = json!({
        "type": "/problems/in-use", "title": "In use", "status": 409, "code": "in-use",
        "detail": "network `n` has 1 endpoint", "retryable": false, "facts": {"endpoints": "1"},
        "blockers": [{"kind": "sandbox", "id": "sbx_aebagbafaydqqcikbmga2dqpca", "name": "macvlan1"}],
        "request_id": "req-1",
    });
    assert_eq!(written(&Problem::from(error)), wanted);
}

#[test]
fn a_refused_value_is_named() {
    let invalid =
        Invalid::new("/pools/v4/subnet", Code::HostBitsSet, "10.0.4.1/24", "host bits").hint("use 10.0.4.0/24");
    let body = written(&Problem::from(invalid));
    assert_eq!((&body["status"], &body["code"]), (&json!(422), &json!("invalid-value")));
    assert_eq!(body["errors"][0]["pointer"], "/pools/v4/subnet");
    assert_eq!(body["errors"][0]["code"], "host-bits-set");
}

#[test]
fn a_refused_parameter_is_a_bad_request() {
    let invalid = Invalid::new("?limit", Code::OutOfRange, "0", "a page has 1 to 1000 items");
    let body = written(&Problem::from(invalid));
    assert_eq!((&body["status"], &body["code"]), (&json!(400), &json!("invalid-query")));
}

#[test]
fn an_internal_failure_says_nothing_of_its_cause() {
    let mut error = Error::new(ErrorKind::Internal, "store", "table lease is corrupt");
    error.source = Some(Box::new(std::io::Error::other("page 7")));
    let problem = Problem::from(error);
    let text = written(&problem).to_string();
    assert!(!text.contains("corrupt") && !text.contains("page 7") && text.contains("/problems/internal"));
    assert_eq!(problem.cause(), Some("store: table lease is corrupt: page 7"));
}

#[test]
fn a_refusal_of_the_kernel_is_shown_with_its_errno() {
    let refusal = Refusal {
        code: "kernel-refused".to_owned(),
        object: "link eth0 in sandbox macvlan1".to_owned(),
        operation: "create".to_owned(),
        errno: Some("EBUSY".to_owned()),
        message: "the kernel refused to create link eth0 in sandbox macvlan1: device or resource busy".to_owned(),
        hint: None,
    };
    let body = written(&Problem::from(Error::from(refusal)));
    assert_eq!((&body["status"], &body["refusal"]["errno"]), (&json!(409), &json!("EBUSY")));
    assert!(body["refusal"].get("hint").is_none());
}
