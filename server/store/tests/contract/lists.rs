//! Pages of lists, in every order: what is there from beginning to end of a walk is seen once, whatever comes and goes meanwhile.

use netloom_model::order::{LeaseOrder, NamedOrder, PoolOrder};
use netloom_store::{
    LeaseQuery, NetworkQuery, Place, PoolQuery, SandboxQuery, Store, leases, networks, pools, sandboxes,
};

use crate::kit::{at, ip, lease, network, network_with_pool, open, read, sandbox, write};

/// Names and times in different orders, with ties among the times.
const ROWS: [(&str, i64); 6] = [("d", 1), ("a", 3), ("f", 2), ("b", 3), ("e", 1), ("c", 2)];

/// What a walk with pages of `limit` sees.
async fn walk_networks(store: &Store, order: NamedOrder, limit: u32) -> Vec<String> {
    let mut query = NetworkQuery { order, limit, ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let page = read!(store, (query), tx => networks::list(tx, &query).await).unwrap();
        let Some(last) = page.last() else { return seen };
        query.after = Some(Place::of_network(order, last));
        seen.extend(page.iter().map(|row| row.name.clone()));
    }
}

async fn walk_sandboxes(store: &Store, order: NamedOrder, limit: u32) -> Vec<String> {
    let mut query = SandboxQuery { order, limit, ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let page = read!(store, (query), tx => sandboxes::list(tx, &query).await).unwrap();
        let Some(last) = page.last() else { return seen };
        query.after = Some(Place::of_sandbox(order, last));
        seen.extend(page.iter().map(|row| row.name.clone()));
    }
}

#[tokio::test]
async fn networks_and_sandboxes_come_by_name_and_by_age_both_ways() {
    let (_directory, store) = open().await;
    for (name, time) in ROWS {
        let (mut network, mut sandbox) = (network(name), sandbox(name));
        (network.created_at, sandbox.created_at) = (at(time), at(time));
        write!(store, (network, sandbox), tx => {
            networks::insert(tx, &network).await?;
            sandboxes::insert(tx, &sandbox).await
        })
        .unwrap();
    }
    // Equally old ones come by their IDs, which differ from run to run: here only their times are compared.
    let time = |name: &String| ROWS.iter().find(|(of, _)| of == name).unwrap().1;
    for limit in 1..=7 {
        for walked in [
            (
                walk_networks(&store, NamedOrder::Name, limit).await,
                walk_networks(&store, NamedOrder::NameBackwards, limit).await,
            ),
            (
                walk_sandboxes(&store, NamedOrder::Name, limit).await,
                walk_sandboxes(&store, NamedOrder::NameBackwards, limit).await,
            ),
        ] {
            assert_eq!(walked.0, ["a", "b", "c", "d", "e", "f"], "{limit}");
            assert_eq!(walked.1, ["f", "e", "d", "c", "b", "a"], "{limit}");
        }
        for (oldest, newest) in [
            (
                walk_networks(&store, NamedOrder::Oldest, limit).await,
                walk_networks(&store, NamedOrder::Newest, limit).await,
            ),
            (
                walk_sandboxes(&store, NamedOrder::Oldest, limit).await,
                walk_sandboxes(&store, NamedOrder::Newest, limit).await,
            ),
        ] {
            assert_eq!(oldest.iter().map(time).collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3], "{limit}");
            let mut turned = newest;
            turned.reverse();
            assert_eq!(oldest, turned, "{limit}: the same, backwards");
        }
    }
}

#[tokio::test]
async fn leases_come_by_address_owner_and_age_while_others_come_and_go() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    for (number, (owner, time)) in ROWS.iter().cycle().take(30).enumerate() {
        let mut row = lease(&pool, ip(&format!("10.0.0.{}", 50 + number)), owner);
        row.created_at = at(*time);
        write!(store, (row), tx => leases::insert(tx, &row).await).unwrap();
    }
    let orders = [
        LeaseOrder::Address,
        LeaseOrder::AddressBackwards,
        LeaseOrder::Owner,
        LeaseOrder::OwnerBackwards,
        LeaseOrder::Oldest,
        LeaseOrder::Newest,
    ];
    let mut comers = (0..).map(|n| (format!("10.0.0.{}", 1 + n % 49), format!("10.0.0.{}", 100 + n % 100)));
    for order in orders {
        let mut query = LeaseQuery { order, limit: 7, ..Default::default() };
        let (mut seen, mut come) = (Vec::new(), Vec::new());
        loop {
            let page = read!(store, (query), tx => leases::list(tx, &query).await).unwrap();
            let Some(last) = page.last() else { break };
            query.after = Some(Place::of_lease(order, last));
            seen.extend(page.iter().cloned());
            if come.len() < 6 {
                let (low, high) = comers.next().unwrap();
                for (address, owner, time) in [(low, "A", 0), (high, "z", 9)] {
                    let mut row = lease(&pool, ip(&address), owner);
                    row.created_at = at(time);
                    write!(store, (row), tx => leases::insert(tx, &row).await).unwrap();
                    come.push(row);
                }
            }
        }
        let old: Vec<_> = seen.iter().filter(|row| !come.iter().any(|new| new.id == row.id)).collect();
        assert_eq!(old.len(), 30, "{order:?}: each once");
        let ascends = |one: &netloom_store::LeaseRow, two: &netloom_store::LeaseRow| match order {
            LeaseOrder::Address => one.address < two.address,
            LeaseOrder::AddressBackwards => one.address > two.address,
            LeaseOrder::Owner => one.owner.name <= two.owner.name,
            LeaseOrder::OwnerBackwards => one.owner.name >= two.owner.name,
            LeaseOrder::Oldest => one.created_at <= two.created_at,
            LeaseOrder::Newest => one.created_at >= two.created_at,
        };
        assert!(seen.windows(2).all(|pair| ascends(&pair[0], &pair[1])), "{order:?}");
        for row in come {
            write!(store, (row), tx => { leases::remove(tx, &[row], at(9)); Ok(()) }).unwrap();
        }
    }
}

#[tokio::test]
async fn pools_come_from_the_highest_subnet_too() {
    let (_directory, store) = open().await;
    for (name, subnet) in [("red", "10.0.2.0/24"), ("blue", "10.0.0.0/24"), ("green", "fd00:1::/64")] {
        network_with_pool(&store, name, subnet).await;
    }
    for (order, wanted) in
        [(PoolOrder::Subnet, ["blue", "red", "green"]), (PoolOrder::SubnetBackwards, ["green", "red", "blue"])]
    {
        let mut query = PoolQuery { order, limit: 1, ..Default::default() };
        let mut found = Vec::new();
        while let Some((row, name)) = read!(store, (query), tx => pools::list(tx, &query).await).unwrap().pop() {
            query.after = Some(Place::of_pool(&row));
            found.push(name);
        }
        assert_eq!(found, wanted);
    }
}
