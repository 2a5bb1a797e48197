//! Tables `lease` and `lease_history`.

use netloom_model::lease::{LeaseKind, LeaseState, Owner, OwnerKind};
use netloom_model::network::Scope;
use netloom_model::order::LeaseOrder;
use netloom_model::{EndpointId, MacAddr, NodeId, Timestamp};
use netloom_store::{Error, LeaseQuery, LeaseRow, Orphaned, Place, Store, constraint, events, leases, sandboxes};

use crate::kit::{
    at, event, give_back, ip, lease, lease_lowest, network_with_pool, open, read, sandbox, span, take, unique, write,
};

async fn list(store: &Store, query: LeaseQuery) -> Vec<String> {
    let found = read!(store, (query), tx => leases::list(tx, &query).await).unwrap();
    found.into_iter().map(|row| row.address.to_string()).collect()
}

#[tokio::test]
async fn a_lease_comes_back_with_its_network_and_pool() {
    let (_directory, store) = open().await;
    let (network, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let mut row = lease(&pool, ip("10.0.0.9"), "printer");
    row.kind = LeaseKind::Reserved;
    row.key = Some("printer".into());
    row.spec = Some(serde_json::from_value(serde_json::json!({ "key": "printer", "address": "10.0.0.9" })).unwrap());
    row.until = Some(at(99));
    row.endpoint_id = Some(EndpointId::from_random(unique()));
    write!(store, (row), tx => leases::insert(tx, &row).await).unwrap();
    (row.network_name, row.pool_key, row.prefix_length) = ("blue".into(), "v4".into(), 24);
    let (id, network, endpoint) = (row.id, network.id, row.endpoint_id.unwrap());
    assert_eq!(read!(store, (), tx => leases::by_id(tx, id).await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => leases::by_address(tx, ip("10.0.0.9")).await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => leases::by_key(tx, network, "printer").await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => leases::of_endpoints(tx, &[endpoint]).await).unwrap(), [row.clone()]);
    assert_eq!(read!(store, (), tx => leases::of_kind(tx, network, LeaseKind::Reserved).await).unwrap(), [row.clone()]);
    assert_eq!(read!(store, (), tx => leases::expired(tx, at(99)).await).unwrap(), [row.clone()]);
    assert_eq!(read!(store, (), tx => leases::expired(tx, at(98)).await).unwrap(), []);

    let same_address = lease(&pool, ip("10.0.0.9"), "other");
    let refused = write!(store, (same_address), tx => leases::insert(tx, &same_address).await).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::LEASE_ADDRESS));
    let same_key = LeaseRow { key: Some("printer".into()), ..lease(&pool, ip("10.0.0.10"), "other") };
    let refused = write!(store, (same_key), tx => leases::insert(tx, &same_key).await).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::LEASE_KEY));
}

#[tokio::test]
async fn search_finds_by_every_part_and_in_order() {
    let (_directory, store) = open().await;
    let (blue, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let (_, six) = network_with_pool(&store, "six", "fd00::/64").await;
    let mac = MacAddr([2, 0x42, 10, 0, 0, 3]);
    let mut rows = Vec::new();
    for address in ["10.0.0.4", "10.0.0.2", "10.0.0.3"] {
        rows.push(lease(&pool, ip(address), &format!("box{address}")));
    }
    rows.push(lease(&six, ip("fd00::2"), "six"));
    rows[2].mac = Some(mac);
    rows[1].state = LeaseState::Held;
    let (own, elsewhere) = (store.node_id(), NodeId::from_random([9; 16]));
    rows.iter_mut().for_each(|row| row.owner.node = own);
    (rows[1].owner.node, rows[1].scope) = (elsewhere, Scope::Swarm);
    rows[0].kind = LeaseKind::Requested;
    let owner_id = rows[0].owner.id.clone();
    for row in &rows {
        write!(store, (row), tx => leases::insert(tx, &row).await).unwrap();
    }
    let all = LeaseQuery { limit: 10, ..Default::default() };
    let cases = [
        (all.clone(), vec!["10.0.0.2", "10.0.0.3", "10.0.0.4", "fd00::2"]),
        (LeaseQuery { network: Some(blue.id), ..all.clone() }, vec!["10.0.0.2", "10.0.0.3", "10.0.0.4"]),
        (LeaseQuery { address: Some(ip("fd00::2")), ..all.clone() }, vec!["fd00::2"]),
        (LeaseQuery { within: Some(span("10.0.0.3-10.0.0.200")), ..all.clone() }, vec!["10.0.0.3", "10.0.0.4"]),
        (LeaseQuery { mac: Some(mac), ..all.clone() }, vec!["10.0.0.3"]),
        (LeaseQuery { owner: Some("box10.0.0.2".into()), ..all.clone() }, vec!["10.0.0.2"]),
        (LeaseQuery { owner: owner_id, ..all.clone() }, vec!["10.0.0.4"]),
        (LeaseQuery { node: Some(elsewhere), ..all.clone() }, vec!["10.0.0.2"]),
        (LeaseQuery { node: Some(own), ..all.clone() }, vec!["10.0.0.3", "10.0.0.4", "fd00::2"]),
        (LeaseQuery { state: Some(LeaseState::Held), ..all.clone() }, vec!["10.0.0.2"]),
        (
            LeaseQuery { state: Some(LeaseState::Bound), network: Some(blue.id), ..all.clone() },
            vec!["10.0.0.3", "10.0.0.4"],
        ),
        (LeaseQuery { kind: Some(LeaseKind::Requested), ..all.clone() }, vec!["10.0.0.4"]),
        (LeaseQuery { kind: Some(LeaseKind::Dynamic), limit: 1, ..all.clone() }, vec!["10.0.0.2"]),
    ];
    for (query, wanted) in cases {
        assert_eq!(list(&store, query.clone()).await, wanted, "{query:?}");
    }
    let held = read!(store, (), tx => leases::in_state(tx, LeaseState::Held, 5).await).unwrap();
    assert_eq!(held.len(), 1);
}

#[tokio::test]
async fn pages_neither_repeat_nor_lose_while_leases_come_and_go() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    // Every second address from the start; the others come while the pages are turned.
    let address = |number: u8| ip(&format!("10.0.0.{number}"));
    for number in (2..200).step_by(2) {
        let row = lease(&pool, address(number), "old");
        write!(store, (row), tx => leases::insert(tx, &row).await).unwrap();
    }
    let (mut after, mut seen, mut new) = (None, Vec::new(), 1);
    loop {
        let query = LeaseQuery { after, limit: 10, ..Default::default() };
        let page = read!(store, (query), tx => leases::list(tx, &query).await).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Place::of_lease(LeaseOrder::Address, last));
        seen.extend(page.iter().map(|row| row.address));
        for number in [new, 200 - new] {
            let row = lease(&pool, address(number), "new");
            write!(store, (row), tx => leases::insert(tx, &row).await).unwrap();
        }
        new += 2;
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
    assert!((2..200).step_by(2).all(|number| seen.contains(&address(number))), "every old one is there");
}

#[tokio::test]
async fn a_holding_that_began_in_a_request_that_failed_is_taken_back_with_it() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let address = ip("10.0.0.1");
    // Of `kept` one change was refused, of `refused` one that brought the address, and `never` could not be made; all of them under one request ID, as a client may choose it.
    let (kept, refused, never) = ("sbx_kept", "sbx_refused", "sbx_never");
    let happened = [
        ("sandbox.created", kept, 1_000),
        ("sandbox.updated", kept, 2_000),
        ("sandbox.update_failed", kept, 2_100),
        ("sandbox.created", refused, 2_500),
        ("sandbox.updated", refused, 4_000),
        ("sandbox.update_failed", refused, 4_200),
        ("sandbox.created", never, 6_000),
        ("sandbox.create_failed", never, 6_200),
    ];
    for (kind, id, time) in happened {
        let mut event = event(kind, "box");
        (event.object.id, event.time, event.request_id) = (id.to_owned(), at(time), Some("req-one".to_owned()));
        write!(store, (event), tx => events::append(tx, &event).await.map(drop)).unwrap();
    }
    for (owner, from, to) in [(kept, 1_000, 3_000), (refused, 4_000, 4_300), (never, 6_000, 6_300)] {
        write!(store, (pool), tx => {
            let mut row = lease_lowest(tx, &pool, owner).await?.unwrap();
            let given = row.clone();
            (row.created_at, row.owner.id) = (at(from), Some(owner.to_owned()));
            leases::change(tx, &LeaseRow { created_at: row.created_at, owner: row.owner.clone(), ..given }, &row).await?;
            leases::remove(tx, std::slice::from_ref(&row), at(to));
            give_back(tx, pool.id, address).await
        })
        .unwrap();
    }
    let history = read!(store, (), tx => leases::history(tx, address, 10).await).unwrap();
    let told: Vec<_> = history.iter().map(|h| (h.owner.name.as_str(), h.taken_back_by)).collect();
    assert_eq!(told, [(never, Some(8)), (refused, Some(6)), (kept, None)]);
    let then = read!(store, (), tx => leases::held_at(tx, address, at(4_100)).await).unwrap();
    assert_eq!(then.expect("given then").taken_back_by, Some(6));
}

#[tokio::test]
async fn the_history_says_who_had_an_address_and_when() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let address = ip("10.0.0.1");
    for (owner, from, to) in [("first", 1_000, 2_000), ("second", 3_000, 4_000)] {
        write!(store, (pool), tx => {
            let mut row = lease_lowest(tx, &pool, owner).await?.unwrap();
            let given = row.clone();
            row.created_at = at(from);
            row.owner.id = None;
            leases::change(tx, &LeaseRow { created_at: row.created_at, owner: row.owner.clone(), ..given }, &row).await?;
            leases::remove(tx, std::slice::from_ref(&row), at(to));
            give_back(tx, pool.id, address).await
        })
        .unwrap();
    }
    let third = LeaseRow { created_at: at(5_000), ..lease(&pool, address, "third") };
    write!(store, (third), tx => leases::insert(tx, &third).await).unwrap();

    let history = read!(store, (), tx => leases::history(tx, address, 10).await).unwrap();
    let told: Vec<_> = history.iter().map(|h| (h.owner.name.as_str(), h.from, h.to)).collect();
    assert_eq!(told, [("second", at(3_000), Some(at(4_000))), ("first", at(1_000), Some(at(2_000)))]);
    assert_eq!((history[0].network.as_str(), history[0].pool.as_str()), ("blue", "v4"));
    for (moment, holder) in [
        (999, None),
        (1_000, Some("first")),
        (1_999, Some("first")),
        (2_000, None),
        (3_500, Some("second")),
        (4_500, None),
        (5_000, Some("third")),
        (9_999, Some("third")),
    ] {
        let holding = read!(store, (), tx => leases::held_at(tx, address, at(moment)).await).unwrap();
        assert_eq!(holding.map(|h| h.owner.name).as_deref(), holder, "at {moment}");
    }
}

#[tokio::test]
async fn a_change_of_holder_ends_the_former_holding() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let old = write!(store, (pool), tx => Ok(lease_lowest(tx, &pool, "box").await?.unwrap())).unwrap();
    let stranger = Owner { kind: OwnerKind::Stranger, id: None, name: "stranger".into(), ..old.owner.clone() };
    let new = LeaseRow {
        owner: stranger,
        state: LeaseState::Quarantined,
        until: Some(at(90_000)),
        mac: None,
        created_at: at(4_000),
        updated_at: at(4_000),
        ..old.clone()
    };
    write!(store, (old, new), tx => leases::change(tx, &old, &new).await).unwrap();
    let again = write!(store, (old, new), tx => leases::change(tx, &old, &new).await);
    assert!(matches!(again, Err(Error::NotFound)), "it is not as it was read any more");
    let address = old.address;
    let holder = |moment| {
        let store = store.clone();
        async move {
            let holding = read!(store, (), tx => leases::held_at(tx, address, at(moment)).await).unwrap();
            holding.map(|h| h.owner.name)
        }
    };
    assert_eq!(holder(3_999).await.as_deref(), Some("box"));
    assert_eq!(holder(4_000).await.as_deref(), Some("stranger"));
    let counted = read!(store, (), tx => leases::count_by_kind_state(tx).await).unwrap();
    assert_eq!(counted, [(LeaseKind::Dynamic, LeaseState::Quarantined, 1)]);
}

#[tokio::test]
async fn holdings_are_forgotten_once_they_ended_before_the_time_given() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let released = |millis| {
        let (store, pool) = (store.clone(), pool.clone());
        async move {
            write!(store, (pool), tx => {
                let lease = lease_lowest(tx, &pool, "box").await?.ok_or(Error::NotFound)?;
                leases::remove(tx, std::slice::from_ref(&lease), Timestamp::from_millis(millis));
                Ok::<_, Error>(lease.address)
            })
        }
    };
    let (old, new) = (released(10_000).await.unwrap(), released(20_000).await.unwrap());
    let before = Timestamp::from_millis(15_000);
    assert_eq!(write!(store, (), tx => leases::prune_history(tx, before).await).unwrap(), 1);
    assert_eq!(write!(store, (), tx => leases::prune_history(tx, before).await).unwrap(), 0);
    let left = |address| read_history(&store, address);
    assert_eq!((left(old).await, left(new).await), (0, 1));
}

async fn read_history(store: &netloom_store::Store, address: std::net::IpAddr) -> usize {
    read!(store, (), tx => leases::history(tx, address, 10).await).unwrap().len()
}

#[tokio::test]
async fn an_orphaned_lease_says_why_and_since_when() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let holder = sandbox("box");
    let mut row = lease(&pool, ip("10.0.0.9"), "box");
    row.owner.id = Some(holder.id.to_string());
    let gone = Orphaned { reason: "the path is gone".into(), since: at(4_000) };
    write!(store, (holder, row, gone, pool), tx => {
        sandboxes::insert(tx, &holder).await?;
        sandboxes::set_orphaned(tx, holder.id, Some(&gone)).await?;
        take(tx, pool.id, row.address).await?;
        leases::insert(tx, &row).await
    })
    .unwrap();
    let found = || async { read!(store, (), tx => leases::by_address(tx, ip("10.0.0.9")).await).unwrap().unwrap() };
    let bound = found().await;
    assert_eq!(bound.orphaned, None, "it is the lease's state that counts");
    write!(store, (bound), tx => {
        leases::set_state(tx, std::slice::from_ref(&bound), LeaseState::Orphaned, 2, at(4_000));
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_eq!(found().await.orphaned, Some(gone));
    let query = LeaseQuery { state: Some(LeaseState::Orphaned), limit: 9, ..LeaseQuery::default() };
    assert_eq!(read!(store, (query), tx => leases::list(tx, &query).await).unwrap(), [found().await]);
}

#[tokio::test]
async fn blocks_are_counted_and_their_ends_found_by_address_alone() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/16").await;
    for address in ["10.0.0.0", "10.0.0.255", "10.0.1.0", "10.0.9.7"] {
        let row = lease(&pool, ip(address), "box");
        write!(store, (row), tx => leases::insert(tx, &row).await).unwrap();
    }
    for (blocks, counted) in [
        (vec!["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/16"], vec![2, 1, 0, 4]),
        (vec!["10.0.9.0/24"], vec![1]),
        (vec!["fd00::/64"], vec![0]),
        (vec![], vec![]),
    ] {
        let spans: Vec<_> = blocks.iter().map(|text| span(text)).collect();
        assert_eq!(read!(store, (spans), tx => leases::counted(tx, &spans).await).unwrap(), counted, "{blocks:?}");
    }
    for (block, ends) in [
        ("10.0.0.0/16", Some((ip("10.0.0.0"), ip("10.0.9.7")))),
        ("10.0.1.0/24", Some((ip("10.0.1.0"), ip("10.0.1.0")))),
        ("10.0.2.0/24", None),
    ] {
        let block = span(block);
        assert_eq!(read!(store, (), tx => leases::ends(tx, block).await).unwrap(), ends);
    }
}
