//! The history of one object: events with what changed, what was refused, for whom; page by page; of what is gone.

use netloom_control::command::*;
use netloom_control::principal::Role;
use netloom_control::{Error, ErrorKind};
use netloom_model::event::ObjectKind;
use netloom_model::history::HistoryEntry;
use serde_json::json;

use crate::kit::{Kit, macvlan};

fn asked(object: &str, limit: Option<u32>, token: Option<String>) -> ListHistory {
    ListHistory { kind: ObjectKind::Network, object: object.into(), page: PageRequest { limit, token } }
}

async fn history(kit: &Kit, object: &str) -> Result<Vec<HistoryEntry>, Error> {
    Ok(kit.control.list_history(kit.may(asked(object, None, None))).await?.items)
}

fn words(entries: &[HistoryEntry]) -> Vec<String> {
    let word = |entry: &HistoryEntry| {
        let decision = entry.decision.map_or("-", |decision| decision.as_str());
        let kind = entry.kind.as_deref().unwrap_or("-");
        format!("{kind} {} {decision}", entry.action.as_deref().unwrap_or("-"))
    };
    entries.iter().map(word).collect()
}

/// A network that was made, changed twice, and that somebody wanted to remove and might not.
async fn lived(kit: &Kit) -> String {
    let network = kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.9.0.0/24"}}))).await.expect("made");
    kit.patch_network("n", json!({"description": "x"})).await.expect("changed");
    let viewer = kit.somebody("v", Role::Viewer);
    let refused =
        viewer.authorize(RemoveNetwork { network: "n".into(), cascade: false }).expect_err("a viewer may not");
    kit.control.note_failure(&viewer, (&refused).into(), false).await;
    kit.patch_network("n", json!({"description": "y"})).await.expect("changed");
    network.id.to_string()
}

#[tokio::test]
async fn events_stand_with_what_changed_and_what_was_refused_beside_them() {
    let kit = Kit::new().await;
    let id = lived(&kit).await;
    let by_name = history(&kit, "n").await.expect("a history");
    let wanted = [
        "network.updated network.update allowed",
        "- network.remove denied",
        "network.updated network.update allowed",
        "network.created network.create allowed",
    ];
    assert_eq!(words(&by_name), wanted);
    assert_eq!(history(&kit, &id).await.expect("by ID"), by_name);
    let (before, after) = (&by_name[0].circumstances.before, &by_name[0].circumstances.after);
    assert_eq!((json!(before), json!(after)), (json!({"description": "x"}), json!({"description": "y"})));
    assert_eq!((by_name[1].actor.as_str(), by_name[1].circumstances.code.as_deref()), ("v", Some("forbidden")));
    assert!(by_name[3].circumstances.before.is_none() && by_name[3].event < by_name[0].event);
}

#[tokio::test]
async fn who_may_not_read_the_audit_sees_the_events() {
    let kit = Kit::new().await;
    lived(&kit).await;
    let viewer = kit.somebody("v", Role::Viewer);
    let command = viewer.authorize(asked("n", None, None)).expect("it may read");
    let seen = kit.control.list_history(command).await.expect("a history").items;
    assert_eq!(words(&seen), ["network.updated - -", "network.updated - -", "network.created - -"]);
    assert!(seen.iter().all(|entry| entry.circumstances.before.is_none()
        && entry.circumstances.after.is_none()
        && entry.circumstances.source.is_none()));
}

#[tokio::test]
async fn pages_have_every_entry_once() {
    let kit = Kit::new().await;
    lived(&kit).await;
    let whole = history(&kit, "n").await.expect("a history");
    for limit in 1..=4 {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let command = kit.may(asked("n", Some(limit), token));
            let page = kit.control.list_history(command).await.expect("a page");
            assert!(page.items.len() <= limit as usize);
            found.extend(page.items);
            token = page.next_page_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(found, whole, "{limit} a page");
    }
}

#[tokio::test]
async fn what_is_gone_has_its_history_by_id_and_what_never_was_has_none() {
    let kit = Kit::new().await;
    let id = lived(&kit).await;
    kit.remove_network("n", false).await.expect("removed");
    let gone = history(&kit, &id).await.expect("by ID");
    assert_eq!(
        words(&gone)[1..],
        [
            "network.deleting network.remove allowed",
            "network.updated network.update allowed",
            "- network.remove denied",
            "network.updated network.update allowed",
            "network.created network.create allowed"
        ]
    );
    assert_eq!(history(&kit, "n").await.expect_err("no such name").kind, ErrorKind::NotFound);
    let never = netloom_model::NetworkId::from_random([9; 16]).to_string();
    assert_eq!(history(&kit, &never).await.expect_err("never was").kind, ErrorKind::NotFound);
    let predefined = history(&kit, "host").await.expect("it is there");
    assert_eq!(words(&predefined), ["network.created - -"], "nobody asked for it");
}
