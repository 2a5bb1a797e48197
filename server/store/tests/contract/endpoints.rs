//! Table `endpoint`.

use netloom_model::MacAddr;
use netloom_store::{EndpointRow, Error, Store, constraint, endpoints, networks, sandboxes};

use crate::kit::{at, endpoint, network, open, read, sandbox, write};

async fn refused(store: &Store, row: EndpointRow) -> String {
    match write!(store, (row), tx => endpoints::insert(tx, &row).await) {
        Err(Error::Duplicate { constraint }) => constraint,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_endpoint_comes_back_with_its_names_and_keeps_its_place() {
    let (_directory, store) = open().await;
    let (blue, red, sandbox) = (network("blue"), network("red"), sandbox("box"));
    let mac = MacAddr([2, 0x42, 10, 0, 0, 2]);
    let row = EndpointRow { mac: Some(mac), ..endpoint(&sandbox, &blue, 0) };
    write!(store, (blue, red, sandbox, row), tx => {
        networks::insert(tx, &blue).await?;
        networks::insert(tx, &red).await?;
        sandboxes::insert(tx, &sandbox).await?;
        endpoints::insert(tx, &row).await
    })
    .unwrap();
    let (id, network, owner) = (row.id, blue.id, sandbox.id);
    assert_eq!(read!(store, (), tx => endpoints::by_id(tx, id).await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => endpoints::by_ids(tx, &[id]).await).unwrap(), std::slice::from_ref(&row));
    assert_eq!(
        read!(store, (), tx => endpoints::of_sandboxes(tx, &[owner]).await).unwrap(),
        std::slice::from_ref(&row)
    );
    assert_eq!(
        read!(store, (), tx => endpoints::of_network(tx, network, 5).await).unwrap(),
        std::slice::from_ref(&row)
    );
    assert_eq!(read!(store, (), tx => endpoints::mac_taken(tx, mac).await).unwrap(), Some(row.clone()));

    let twin = |network, position| EndpointRow { interface: None, ..endpoint(&sandbox, network, position) };
    assert_eq!(refused(&store, twin(&blue, 1)).await, constraint::ENDPOINT_NETWORK);
    assert_eq!(refused(&store, twin(&red, 0)).await, constraint::ENDPOINT_POSITION);
    let named = EndpointRow { interface: Some("eth0".into()), ..twin(&red, 1) };
    assert_eq!(refused(&store, named).await, constraint::ENDPOINT_INTERFACE);
    let same_mac = EndpointRow { mac: Some(mac), ..twin(&red, 1) };
    assert_eq!(refused(&store, same_mac).await, constraint::ENDPOINT_MAC);

    // What is on its way out makes room on the network, but keeps its place and its Ethernet address.
    write!(store, (), tx => endpoints::mark_deleting(tx, &[id]).await).unwrap();
    let again = twin(&blue, 1);
    write!(store, (again), tx => endpoints::insert(tx, &again).await).unwrap();
    assert!(read!(store, (), tx => endpoints::by_id(tx, id).await).unwrap().unwrap().deleting);
}

#[tokio::test]
async fn a_network_is_in_use_by_what_runs_and_stays() {
    let (_directory, store) = open().await;
    let (network, mut sandbox) = (network("blue"), sandbox("box"));
    let row = endpoint(&sandbox, &network, 0);
    write!(store, (network, sandbox, row), tx => {
        networks::insert(tx, &network).await?;
        sandboxes::insert(tx, &sandbox).await?;
        endpoints::insert(tx, &row).await
    })
    .unwrap();
    let (id, owner) = (network.id, sandbox.id);
    let running = |store: Store| async move {
        let found = read!(store, (), tx => networks::with_use(tx, &[id]).await).unwrap();
        let all = read!(store, (), tx => networks::all_with_use(tx).await).unwrap();
        assert_eq!(found, all);
        found[0].in_use
    };
    assert!(running(store.clone()).await);
    sandbox.running = false;
    write!(store, (sandbox), tx => sandboxes::update(tx, &sandbox).await).unwrap();
    assert!(!running(store.clone()).await);
    sandbox.running = true;
    write!(store, (sandbox), tx => sandboxes::update(tx, &sandbox).await).unwrap();
    assert!(running(store.clone()).await);
    write!(store, (), tx => { sandboxes::mark_deleting(tx, owner, 2, at(2_000)); Ok::<_, Error>(()) }).unwrap();
    assert!(!running(store.clone()).await);
}
