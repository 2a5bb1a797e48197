//! Bad sandboxes: each refusal names the field.

use serde_json::{Value, json};

use super::*;

fn spec(value: Value) -> SandboxSpec {
    netloom_model::document::parse(value).expect("a readable spec")
}

fn refused(networks: Value) -> Vec<(String, Code)> {
    let error = create(&spec(json!({"name": "s", "networks": networks}))).expect_err("a bad sandbox");
    error.errors.iter().map(|e| (e.pointer.clone(), e.code)).collect()
}

#[test]
fn attachments_are_checked_field_by_field() {
    use Code::*;
    let cases = [
        (json!({"n": {"address4": "fd00::1"}}), "/networks/n/address4", WrongFamily),
        (json!({"n": {"address6": "10.0.0.1"}}), "/networks/n/address6", WrongFamily),
        (json!({"n": {"address4": "10.0.0.256"}}), "/networks/n/address4", Format),
        (json!({"n": {"address4": "127.0.0.1"}}), "/networks/n/address4", OutOfRange),
        (json!({"n": {"mac": "01:00:5e:00:00:01"}}), "/networks/n/mac", OutOfRange),
        (json!({"n": {"mac": "02:42"}}), "/networks/n/mac", Format),
        (json!({"n": {"interface": "lo"}}), "/networks/n/interface", Format),
        (json!({"n": {"gateway_priority": 1001}}), "/networks/n/gateway_priority", OutOfRange),
        (json!({"n": {"aliases": ["a", "a"]}}), "/networks/n/aliases/1", NotAllowedHere),
        (json!({"n": {"aliases": ["web", "Web"]}}), "/networks/n/aliases/1", NotAllowedHere),
        (json!({"n": {"aliases": ["web."]}}), "/networks/n/aliases/0", Format),
        (json!({"n": {"aliases": ["web", "a..b"]}}), "/networks/n/aliases/1", Format),
        (json!({"n": {"interface": "a"}, "o": {"interface": "a"}}), "/networks/o/interface", NotAllowedHere),
        (json!({"host": {}, "n": {}}), "/networks/host", NotAllowedHere),
        (json!({"none": {}, "n": {}}), "/networks/none", NotAllowedHere),
        (json!({"host": {"address4": "10.0.0.1"}}), "/networks/host/address4", NotAllowedHere),
        (json!({"a/b": {}}), "/networks/a~1b", Format),
    ];
    for (networks, pointer, code) in cases {
        assert_eq!(refused(networks.clone()), [(pointer.to_owned(), code)], "{networks}");
    }
}

#[test]
fn namespaces_are_adopted_one_way() {
    for (extra, pointer) in [
        (json!({"name": "s", "netns": "/run/netns/a", "pid": 7}), "/pid"),
        (json!({"name": "s", "netns": "run/netns/a"}), "/netns"),
        (json!({"name": "s", "pid": 0}), "/pid"),
        (json!({"name": "s", "pid": 7, "networks": {"host": {}}}), "/networks/host"),
    ] {
        let error = create(&spec(extra)).expect_err("a bad sandbox");
        assert_eq!(error.errors[0].pointer, pointer);
    }
}

#[test]
fn an_attachment_keeps_its_addresses() {
    let old = spec(json!({"name": "s", "networks": {"n": {"address4": "10.0.0.2"}}}));
    let change = |attachment: Value| {
        let new = spec(json!({"name": "s", "networks": {"n": attachment}}));
        update(&old, &new).map(|_| ()).map_err(|error| error.errors[0].pointer.clone())
    };
    assert_eq!(change(json!({"address4": "10.0.0.3"})), Err("/networks/n/address4".to_owned()));
    assert_eq!(change(json!({})), Err("/networks/n/address4".to_owned()));
    assert_eq!(change(json!({"address4": "10.0.0.2", "interface": "x"})), Err("/networks/n/interface".to_owned()));
    assert_eq!(change(json!({"address4": "10.0.0.2", "aliases": ["a"], "gateway_priority": 3})), Ok(()));
}
