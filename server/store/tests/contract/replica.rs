//! What a worker has copied of its manager's store.

use netloom_model::network::{Driver, Scope};
use netloom_model::{NodeId, StoreId};
use netloom_store::{NetworkRow, ReplicaRow, networks, pools, replica};

use super::kit::{ip, network, network_with_pool, open, pool, read, write};

#[tokio::test]
async fn how_far_it_was_copied_is_one_row() {
    let (_directory, store) = open().await;
    assert_eq!(read!(store, (), tx => replica::get(tx).await).unwrap(), None);
    for revision in [7, 9] {
        let row = ReplicaRow {
            store: StoreId::from_random([3; 16]),
            revision,
            vtep: ip("192.168.122.186"),
            data_path_port: 4789,
            overlay_mtu: (revision > 7).then_some(1450),
        };
        write!(store, (), tx => { replica::set(tx, row); Ok(()) }).unwrap();
        assert_eq!(read!(store, (), tx => replica::get(tx).await).unwrap(), Some(row));
    }
    write!(store, (), tx => { replica::clear(tx); Ok(()) }).unwrap();
    assert_eq!(read!(store, (), tx => replica::get(tx).await).unwrap(), None);
}

#[tokio::test]
async fn the_managers_networks_are_told_from_this_hosts_own() {
    let (_directory, store) = open().await;
    network_with_pool(&store, "own", "10.1.0.0/24").await;
    let manager = NodeId::from_random([9; 16]);
    let copy = NetworkRow {
        driver: Driver::Overlay,
        scope: Scope::Swarm,
        node: manager,
        vni: Some(4097),
        parent: None,
        ..network("theirs")
    };
    let subnet = pool(&copy, "v4", "172.45.0.0/16");
    write!(store, (copy, subnet), tx => {
        replica::put_network(tx, &copy).await?;
        pools::insert(tx, &subnet).await
    })
    .unwrap();
    assert_eq!(read!(store, (), tx => replica::networks(tx).await).unwrap(), [copy.id]);
    let local = read!(store, (), tx => pools::local_subnets(tx).await).unwrap();
    assert_eq!(local.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.0.0/24"]);

    // Told again it is changed, under the name that it has here.
    let renamed = NetworkRow { name: "theirs.swarm".into(), revision: 8, ..copy.clone() };
    write!(store, (renamed), tx => replica::put_network(tx, &renamed).await).unwrap();
    let id = copy.id;
    assert_eq!(read!(store, (), tx => networks::by_id(tx, id).await).unwrap(), Some(renamed));
}
