//! The swarm, the membership, nodes and join tokens: kept as they are written, and one of each where there is to be one.

use std::collections::BTreeMap;

use netloom_model::member::SwarmDescribed;
use netloom_model::order::NodeOrder;
use netloom_model::swarm::{Availability, JoinTokenSpec, NodeSpec, SwarmRole, SwarmSpec};
use netloom_model::{JoinTokenId, NodeId, SwarmId};
use netloom_store::{
    Error, JoinTokenQuery, JoinTokenRow, MembershipRow, NodeQuery, NodeRow, Place, SwarmRow, constraint, join_tokens,
    nodes, swarm,
};

use crate::kit::{at, ip, open, read, unique, write};

fn a_swarm() -> SwarmRow {
    SwarmRow {
        id: SwarmId::from_random(unique()),
        spec: SwarmSpec { name: Some("lab".into()), ..SwarmSpec::default() },
        ca_certificate: "certificate of the authority".into(),
        ca_key: "key of the authority".into(),
        revision: 1,
        created_at: at(1),
        updated_at: at(1),
    }
}

fn a_membership(of: &SwarmRow) -> MembershipRow {
    MembershipRow {
        swarm: of.id,
        role: SwarmRole::Worker,
        key: "key of the node".into(),
        certificate: "certificate of the node".into(),
        ca: of.ca_certificate.clone(),
        valid: (at(1), at(9)),
        manager: "[fd00::1]:2377".parse().unwrap(),
        address: Some(ip("192.0.2.7")),
        described: SwarmDescribed {
            spec: of.spec.clone(),
            revision: 1,
            created_at: at(1),
            updated_at: at(1),
            managers: 1,
            nodes: 2,
        },
    }
}

fn a_node(hostname: &str, role: SwarmRole, joined: i64) -> NodeRow {
    NodeRow {
        id: NodeId::from_random(unique()),
        role,
        spec: NodeSpec::default(),
        hostname: hostname.into(),
        address: ip("fd00::7"),
        version: "0.1.0".into(),
        fingerprint: "aa".into(),
        former_fingerprint: None,
        used: false,
        issued_at: at(joined),
        expires_at: at(joined + 100),
        readmission_asked_at: None,
        readmission_until: None,
        last_seen: None,
        down_at: None,
        overlay_mtu: None,
        revision: 2,
        spec_revision: 2,
        created_at: at(joined),
        updated_at: at(joined),
        joined_by: None,
        segment_fence: 60,
    }
}

fn a_token(name: &str, max_uses: Option<u32>) -> JoinTokenRow {
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(&unique());
    JoinTokenRow {
        id: JoinTokenId::from_random(unique()),
        spec: JoinTokenSpec {
            name: name.into(),
            role: SwarmRole::Worker,
            expires_at: None,
            max_uses,
            node_labels: Some(BTreeMap::from([("rack".into(), "7".into())])),
        },
        hash,
        uses: 0,
        expires_at: Some(at(50)),
        last_used_at: None,
        created_at: at(1),
        created_by: "admin".into(),
        revision: 3,
    }
}

#[tokio::test]
async fn there_is_one_swarm_and_one_membership_or_none() {
    let (_directory, store) = open().await;
    assert_eq!(read!(store, (), tx => swarm::get(tx).await).unwrap(), None);
    assert_eq!(read!(store, (), tx => swarm::membership(tx).await).unwrap(), None);
    let mut row = a_swarm();
    write!(store, (row), tx => swarm::insert(tx, &row)).unwrap();
    assert_eq!(read!(store, (), tx => swarm::get(tx).await).unwrap(), Some(row.clone()));
    let other = a_swarm();
    let refused = write!(store, (other), tx => swarm::insert(tx, &other)).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { .. }), "{refused}");
    (row.spec.subnet_size, row.revision, row.updated_at) = (Some(25), 5, at(5));
    write!(store, (row), tx => swarm::update(tx, &row)).unwrap();
    assert_eq!(read!(store, (), tx => swarm::get(tx).await).unwrap(), Some(row.clone()));

    let mut own = a_membership(&row);
    write!(store, (own), tx => swarm::set_membership(tx, &own)).unwrap();
    assert_eq!(read!(store, (), tx => swarm::membership(tx).await).unwrap(), Some(own.clone()));
    (own.key, own.address, own.described.nodes) = ("another".into(), None, 3);
    write!(store, (own), tx => swarm::set_membership(tx, &own)).unwrap();
    assert_eq!(read!(store, (), tx => swarm::membership(tx).await).unwrap(), Some(own.clone()), "in its place");
    for text in [format!("{row:?}"), format!("{own:?}")] {
        assert!(!text.contains("key of the") && !text.contains("another"), "{text}");
    }

    let (node, token) = (a_node("machine2", SwarmRole::Worker, 1), a_token("worker", None));
    write!(store, (node, token), tx => {
        nodes::set(tx, &node).await?;
        join_tokens::insert(tx, &token)
    })
    .unwrap();
    write!(store, (), tx => { swarm::remove(tx); swarm::remove_membership(tx); Ok(()) }).unwrap();
    assert_eq!(read!(store, (), tx => swarm::get(tx).await).unwrap(), None);
    assert_eq!(read!(store, (), tx => swarm::membership(tx).await).unwrap(), None);
    assert_eq!(read!(store, (), tx => nodes::all(tx).await).unwrap(), [], "they go with it");
    let query = JoinTokenQuery { limit: 9, ..JoinTokenQuery::default() };
    assert_eq!(read!(store, (query), tx => join_tokens::list(tx, &query).await).unwrap(), []);
}

#[tokio::test]
async fn nodes_are_found_by_id_name_and_label_in_the_order_of_joining() {
    let (_directory, store) = open().await;
    let mut all = [
        a_node("machine1", SwarmRole::Manager, 1),
        a_node("machine2", SwarmRole::Worker, 3),
        a_node("machine2", SwarmRole::Worker, 2),
    ];
    all[1].spec = NodeSpec {
        availability: Some(Availability::Drain),
        labels: Some(BTreeMap::from([("rack".into(), "7".into())])),
    };
    (all[1].former_fingerprint, all[1].used) = (Some("bb".into()), true);
    (all[1].readmission_asked_at, all[1].readmission_until) = (Some(at(4)), Some(at(5)));
    (all[1].last_seen, all[1].down_at) = (Some(at(6)), Some(at(7)));
    for row in &all {
        write!(store, (row), tx => nodes::set(tx, &row).await).unwrap();
    }
    let id = all[1].id;
    assert_eq!(read!(store, (), tx => nodes::by_id(tx, id).await).unwrap().as_ref(), Some(&all[1]));
    let twins = read!(store, (), tx => nodes::by_hostname(tx, "machine2").await).unwrap();
    assert_eq!(twins.iter().map(|row| row.id).collect::<Vec<_>>(), [all[2].id, all[1].id]);
    assert_eq!(read!(store, (), tx => swarm::count_nodes(tx).await).unwrap(), (1, 3));
    let ids = async |query: NodeQuery| -> Vec<NodeId> {
        let rows = read!(store, (query), tx => nodes::list(tx, &query).await).unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    let all_of = NodeQuery { limit: 9, ..NodeQuery::default() };
    assert_eq!(ids(all_of.clone()).await, [all[0].id, all[2].id, all[1].id]);
    assert_eq!(ids(NodeQuery { order: NodeOrder::Newest, ..all_of.clone() }).await, [all[1].id, all[2].id, all[0].id]);
    assert_eq!(ids(NodeQuery { after: Some(Place::of_node(&all[2])), ..all_of.clone() }).await, [all[1].id]);
    assert_eq!(ids(NodeQuery { role: Some(SwarmRole::Manager), ..all_of.clone() }).await, [all[0].id]);
    let labelled = |value: Option<&str>| vec![("rack".to_owned(), value.map(str::to_owned))];
    for (value, found) in [(None, 1), (Some("7"), 1), (Some("8"), 0)] {
        assert_eq!(ids(NodeQuery { labels: labelled(value), ..all_of.clone() }).await.len(), found, "{value:?}");
    }
    all[1].spec = NodeSpec::default();
    let row = all[1].clone();
    write!(store, (row), tx => nodes::set(tx, &row).await).unwrap();
    assert_eq!(ids(NodeQuery { labels: labelled(None), ..all_of.clone() }).await, [], "its labels went");
    let gone = NodeId::from_random(unique());
    write!(store, (), tx => { nodes::note_seen(tx, &[(id, at(20)), (gone, at(20))]); Ok(()) }).unwrap();
    assert_eq!(read!(store, (), tx => nodes::by_id(tx, id).await).unwrap().unwrap().last_seen, Some(at(20)));
    write!(store, (), tx => { nodes::remove(tx, id); Ok(()) }).unwrap();
    assert_eq!(read!(store, (), tx => nodes::by_id(tx, id).await).unwrap(), None);
}

#[tokio::test]
async fn a_join_token_is_found_by_its_hash_and_is_never_used_more_often_than_it_may() {
    let (_directory, store) = open().await;
    let mut row = a_token("rack-7", Some(2));
    write!(store, (row), tx => join_tokens::insert(tx, &row)).unwrap();
    let (id, hash) = (row.id, row.hash);
    assert_eq!(read!(store, (), tx => join_tokens::by_id(tx, id).await).unwrap().as_ref(), Some(&row));
    assert_eq!(read!(store, (), tx => join_tokens::by_name(tx, "rack-7").await).unwrap().as_ref(), Some(&row));
    assert_eq!(read!(store, (), tx => join_tokens::by_hash(tx, hash).await).unwrap().as_ref(), Some(&row));
    let twin = a_token("rack-7", None);
    match write!(store, (twin), tx => join_tokens::insert(tx, &twin)).unwrap_err() {
        Error::Duplicate { constraint } => assert_eq!(constraint, constraint::JOIN_TOKEN_NAME),
        other => panic!("{other}"),
    }
    (row.uses, row.last_used_at, row.hash, row.revision) = (2, Some(at(9)), [9; 32], 4);
    write!(store, (row), tx => { join_tokens::update(tx, &row); Ok(()) }).unwrap();
    assert_eq!(read!(store, (), tx => join_tokens::by_hash(tx, hash).await).unwrap(), None, "the secret of before");
    assert_eq!(read!(store, (), tx => join_tokens::by_id(tx, id).await).unwrap().as_ref(), Some(&row));
    let beyond = JoinTokenRow { uses: 3, ..row.clone() };
    let refused = write!(store, (beyond), tx => { join_tokens::update(tx, &beyond); tx.flush().await }).unwrap_err();
    assert!(matches!(refused, Error::Constraint { .. }), "{refused}");
    let other = a_token("any", None);
    write!(store, (other), tx => join_tokens::insert(tx, &other)).unwrap();
    let names = async |query: JoinTokenQuery| -> Vec<String> {
        let rows = read!(store, (query), tx => join_tokens::list(tx, &query).await).unwrap();
        rows.into_iter().map(|row| row.spec.name).collect()
    };
    assert_eq!(names(JoinTokenQuery { limit: 9, ..JoinTokenQuery::default() }).await, ["any", "rack-7"]);
    let after = JoinTokenQuery { after: Some(Place::of_join_token(&other)), limit: 9, role: None };
    assert_eq!(names(after).await, ["rack-7"]);
    let of_managers = JoinTokenQuery { role: Some(SwarmRole::Manager), limit: 9, after: None };
    assert_eq!(names(of_managers).await, Vec::<String>::new());
    write!(store, (), tx => { join_tokens::remove(tx, id); Ok(()) }).unwrap();
    assert_eq!(read!(store, (), tx => join_tokens::by_id(tx, id).await).unwrap(), None);
}
