//! Who is on the swarm's networks: what is kept, what is had once, and what a reader of changes is told.

use netloom_model::network::{Driver, Scope};
use netloom_model::{EndpointId, NodeId, SandboxId};
use netloom_store::{AttachmentRow, Error, NetworkRow, Store, attachments, constraint, networks};

use super::kit::{at, ip, network, open, read, unique, write};

fn overlay(name: &str, vni: u32) -> NetworkRow {
    NetworkRow { driver: Driver::Overlay, scope: Scope::Swarm, vni: Some(vni), parent: None, ..network(name) }
}

fn attachment(network: &NetworkRow, node: u8, revision: u64) -> AttachmentRow {
    AttachmentRow {
        id: EndpointId::from_random(unique()),
        network_id: network.id,
        node: NodeId::from_random([node; 16]),
        vtep: ip("192.168.122.185"),
        sandbox_id: SandboxId::from_random(unique()),
        sandbox_name: "box".into(),
        mac: netloom_model::MacAddr([2, 0x42, 172, 45, 0, 2]),
        addresses: vec![ip("172.45.0.2"), ip("fd45::2")],
        aliases: vec!["web".into()],
        running: true,
        gone: false,
        revision,
        created_at: at(1_000),
        updated_at: at(1_000),
    }
}

async fn put(store: &Store, row: &AttachmentRow) -> Result<(), Error> {
    write!(store, (row), tx => attachments::put(tx, &row))
}

async fn changed(store: &Store, network: &NetworkRow, after: u64) -> Vec<AttachmentRow> {
    let networks = [network.id];
    read!(store, (), tx => attachments::changed(tx, &networks, after).await).unwrap()
}

#[tokio::test]
async fn an_attachment_comes_back_as_it_was_written_and_is_had_once() {
    let (_directory, store) = open().await;
    let (blue, red) = (overlay("blue", 4097), overlay("red", 4098));
    for network in [&blue, &red] {
        write!(store, (network), tx => networks::insert(tx, &network).await).unwrap();
    }
    let row = attachment(&blue, 1, 5);
    put(&store, &row).await.unwrap();
    let (id, node, sandbox) = (row.id, row.node, row.sandbox_id);
    assert_eq!(read!(store, (), tx => attachments::by_ids(tx, &[id]).await).unwrap(), std::slice::from_ref(&row));
    let (network, mac) = (blue.id, row.mac);
    assert_eq!(read!(store, (), tx => attachments::with_mac(tx, network, mac).await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => attachments::of_node(tx, node).await).unwrap(), std::slice::from_ref(&row));

    let twin = AttachmentRow { id: EndpointId::from_random(unique()), ..row.clone() };
    let refused = put(&store, &twin).await.unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::ATTACHMENT));
    // On another network it has its own place, and once the first is gone, there again.
    let other = AttachmentRow { id: EndpointId::from_random(unique()), network_id: red.id, ..row.clone() };
    put(&store, &other).await.unwrap();
    write!(store, (), tx => { attachments::end(tx, &[id], 6, at(2_000)); Ok(()) }).unwrap();
    put(&store, &twin).await.unwrap();
    let found = read!(store, (), tx => attachments::find(tx, node, sandbox, network).await).unwrap();
    assert_eq!(found.map(|row| row.id), Some(twin.id));
    assert_eq!(read!(store, (), tx => attachments::count(tx).await).unwrap(), 2);
}

#[tokio::test]
async fn a_reader_of_changes_is_told_of_what_went_until_that_is_forgotten() {
    let (_directory, store) = open().await;
    let blue = overlay("blue", 4097);
    write!(store, (blue), tx => networks::insert(tx, &blue).await).unwrap();
    let (one, two) = (attachment(&blue, 1, 5), attachment(&blue, 2, 6));
    put(&store, &one).await.unwrap();
    put(&store, &two).await.unwrap();
    assert_eq!(changed(&store, &blue, 5).await, std::slice::from_ref(&two));
    let id = one.id;
    write!(store, (), tx => { attachments::end(tx, &[id], 7, at(2_000)); Ok(()) }).unwrap();
    let told = changed(&store, &blue, 6).await;
    let gone = AttachmentRow { gone: true, running: false, revision: 7, updated_at: at(2_000), ..one };
    assert_eq!(told, std::slice::from_ref(&gone));
    // Ended twice, it is no news.
    write!(store, (), tx => { attachments::end(tx, &[id], 8, at(3_000)); Ok(()) }).unwrap();
    assert_eq!(changed(&store, &blue, 7).await, []);

    let node = two.node;
    write!(store, (), tx => { attachments::move_node(tx, node, ip("192.168.122.190"), 9, at(4_000)); Ok(()) }).unwrap();
    let moved = AttachmentRow { vtep: ip("192.168.122.190"), revision: 9, updated_at: at(4_000), ..two };
    assert_eq!(changed(&store, &blue, 8).await, std::slice::from_ref(&moved));
    assert_eq!(read!(store, (), tx => attachments::concerned(tx, 8).await).unwrap(), [(blue.id, node)].into());

    write!(store, (), tx => { attachments::forget(tx, at(2_000)); Ok(()) }).unwrap();
    assert_eq!(changed(&store, &blue, 0).await.len(), 2, "not yet");
    write!(store, (), tx => { attachments::forget(tx, at(2_001)); Ok(()) }).unwrap();
    assert_eq!(changed(&store, &blue, 0).await, std::slice::from_ref(&moved));
}

#[tokio::test]
async fn a_number_is_one_networks_and_the_lowest_free_one_is_found() {
    let (_directory, store) = open().await;
    let free = async |from| read!(store, (), tx => networks::free_vni(tx, from).await).unwrap();
    assert_eq!(free(4097).await, 4097);
    for (name, vni) in [("a", 4097), ("b", 4098), ("c", 4100)] {
        let network = overlay(name, vni);
        write!(store, (network), tx => networks::insert(tx, &network).await).unwrap();
    }
    assert_eq!(free(4097).await, 4099);
    assert_eq!(free(4100).await, 4101);
    let second = overlay("d", 4098);
    let refused = write!(store, (second), tx => networks::insert(tx, &second).await).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::NETWORK_VNI));
    let has = read!(store, (), tx => networks::by_vni(tx, 4098).await).unwrap();
    assert_eq!(has.map(|network| network.name), Some("b".into()));
}

#[tokio::test]
async fn networks_that_changed_are_told_apart_from_those_that_there_are() {
    let (_directory, store) = open().await;
    let (blue, red) = (overlay("blue", 4097), NetworkRow { revision: 9, ..overlay("red", 4098) });
    write!(store, (blue), tx => networks::insert(tx, &blue).await).unwrap();
    write!(store, (red), tx => networks::insert(tx, &red).await).unwrap();
    let changed = async |after| {
        let rows = read!(store, (), tx => networks::changed(tx, Scope::Swarm, after).await).unwrap();
        rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(changed(blue.revision - 1).await, ["blue", "red"]);
    assert_eq!(changed(blue.revision).await, ["red"]);
    assert_eq!(changed(9).await, Vec::<String>::new());
    let ids = read!(store, (), tx => networks::ids_of_scope(tx, Scope::Swarm).await).unwrap();
    assert_eq!(ids, [blue.id, red.id].into());
    assert!(read!(store, (), tx => networks::ids_of_scope(tx, Scope::Local).await).unwrap().is_empty());
}
