//! Tables `pool` and `pool_count`.

use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::net::Family;
use netloom_store::{Error, Place, PoolQuery, constraint, integrity, leases, pools};

use crate::kit::{at, ip, lease_lowest, network_with_pool, open, pool, read, span, texts, write};

#[tokio::test]
async fn overlaps_and_containment_are_found_in_both_families() {
    let (_directory, store) = open().await;
    let (network, v4) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let mut v6 = pool(&network, "v6", "fd00:1::/64");
    v6.position = 1;
    write!(store, (v6), tx => pools::insert(tx, &v6).await).unwrap();
    network_with_pool(&store, "red", "10.0.2.0/24").await;

    let names = |found: Vec<(netloom_store::PoolRow, String)>| {
        found.into_iter().map(|(pool, name)| format!("{name} {}", pool.subnet)).collect::<Vec<_>>()
    };
    for (wanted, found) in [
        ("10.0.0.128/25", vec!["blue 10.0.0.0/24"]),
        ("10.0.0.0/22", vec!["blue 10.0.0.0/24", "red 10.0.2.0/24"]),
        ("10.0.1.0/24", vec![]),
        ("fd00:1::/48", vec!["blue fd00:1::/64"]),
    ] {
        let wanted = span(wanted);
        assert_eq!(names(read!(store, (), tx => pools::overlapping(tx, wanted).await).unwrap()), found);
    }
    for (address, found) in
        [("10.0.0.0", Some("10.0.0.0/24")), ("10.0.1.255", None), ("fd00:1::9", Some("fd00:1::/64"))]
    {
        let address = ip(address);
        let pool = read!(store, (), tx => pools::containing(tx, address).await).unwrap();
        assert_eq!(pool.map(|(pool, _)| pool.subnet.to_string()).as_deref(), found);
    }
    let spans = read!(store, (), tx => pools::all_spans(tx).await).unwrap();
    assert_eq!(texts(&spans)[..2], ["10.0.0.0-10.0.0.255", "10.0.2.0-10.0.2.255"]);
    let id = network.id;
    let rows = read!(store, (), tx => pools::of_networks(tx, &[id]).await).unwrap();
    assert_eq!(rows[0], v4);
    assert_eq!((rows[1].key.as_str(), rows[1].position), ("v6", 1));

    let again = pool(&network, "v4", "10.0.9.0/24");
    let refused = write!(store, (again), tx => pools::insert(tx, &again).await).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::POOL_KEY));
}

#[tokio::test]
async fn what_is_free_follows_the_leases_and_the_range() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let id = pool.id;
    for _ in 0..10 {
        write!(store, (pool), tx => lease_lowest(tx, &pool, "box").await).unwrap();
    }
    let free =
        |store: netloom_store::Store| async move { read!(store, (), tx => pools::free(tx, &[id]).await).unwrap()[&id] };
    let summary = free(store.clone()).await;
    assert_eq!((summary.total, summary.in_range), (244, 244));
    assert_eq!(summary.largest, Some(span("10.0.0.11-10.0.0.254")));

    // .1 to .10 are leased: the range loses them one by one as its low end moves, and gets them back.
    for (range, in_range) in [("10.0.0.6-10.0.0.20", 10), ("10.0.0.100-10.0.0.109", 10), ("10.0.0.0/24", 244)] {
        let range = span(range);
        write!(store, (), tx => pools::set_range(tx, id, range).await).unwrap();
        assert_eq!(free(store.clone()).await.in_range, in_range, "{range}");
        assert_eq!(read!(store, (), tx => integrity::check(tx).await).unwrap(), Vec::<String>::new());
    }
    let outside = span("10.0.0.0-10.0.1.3");
    let refused = write!(store, (), tx => pools::set_range(tx, id, outside).await).unwrap_err();
    assert!(matches!(refused, Error::Constraint { .. }));

    let counts = read!(store, (), tx => pools::counts(tx, &[id]).await).unwrap();
    assert_eq!(counts[&id], [(LeaseKind::Dynamic, LeaseState::Bound, 10)]);
    let held = read!(store, (), tx => leases::by_address(tx, ip("10.0.0.3")).await).unwrap().unwrap();
    write!(store, (held), tx => { leases::set_state(tx, std::slice::from_ref(&held), LeaseState::Held, 2, at(2_000)); Ok::<_, Error>(()) })
        .unwrap();
    let counts = read!(store, (), tx => pools::counts(tx, &[id]).await).unwrap();
    assert_eq!(counts[&id], [(LeaseKind::Dynamic, LeaseState::Bound, 9), (LeaseKind::Dynamic, LeaseState::Held, 1)]);
}

#[tokio::test]
async fn the_fullest_pools_come_first() {
    let (_directory, store) = open().await;
    for (name, subnet, leased) in [("a", "10.0.0.0/24", 20), ("b", "10.0.1.0/29", 5), ("c", "10.0.2.0/24", 0)] {
        let (_, pool) = network_with_pool(&store, name, subnet).await;
        for _ in 0..leased {
            write!(store, (pool), tx => lease_lowest(tx, &pool, "box").await).unwrap();
        }
    }
    let (_, narrow) = network_with_pool(&store, "narrow", "10.0.3.0/24").await;
    let (range, id) = (span("10.0.3.1-10.0.3.2"), narrow.id);
    write!(store, (), tx => pools::set_range(tx, id, range).await).unwrap();
    for _ in 0..2 {
        write!(store, (narrow), tx => lease_lowest(tx, &narrow, "box").await).unwrap();
    }
    let uses = read!(store, (), tx => pools::uses(tx).await).unwrap();
    let found = uses.iter().map(|one| (one.network_name.as_str(), one.leased, one.usable, one.free_in_range));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [("narrow", 2, 254, 0), ("b", 5, 6, 1), ("a", 20, 254, 234), ("c", 0, 254, 254)]
    );
}

#[tokio::test]
async fn pools_of_all_networks_are_paged_by_subnet() {
    let (_directory, store) = open().await;
    let (red, _) = network_with_pool(&store, "red", "10.0.2.0/24").await;
    network_with_pool(&store, "blue", "10.0.0.0/24").await;
    network_with_pool(&store, "green", "::1:0:0/112").await;
    let mut six = pool(&red, "v6", "fd00:1::/64");
    six.position = 1;
    write!(store, (six), tx => pools::insert(tx, &six).await).unwrap();
    let cases = [
        (None, None, vec!["green ::1:0:0/112", "blue 10.0.0.0/24", "red 10.0.2.0/24", "red fd00:1::/64"]),
        (Some(red.id), None, vec!["red 10.0.2.0/24", "red fd00:1::/64"]),
        (None, Some(Family::V4), vec!["blue 10.0.0.0/24", "red 10.0.2.0/24"]),
        (None, Some(Family::V6), vec!["green ::1:0:0/112", "red fd00:1::/64"]),
        (Some(red.id), Some(Family::V6), vec!["red fd00:1::/64"]),
    ];
    for (network, family, wanted) in cases {
        let mut query = PoolQuery { network, family, limit: 1, ..Default::default() };
        let mut found = Vec::new();
        while let Some((row, name)) = read!(store, (query), tx => pools::list(tx, &query).await).unwrap().pop() {
            query.after = Some(Place::of_pool(&row));
            found.push(format!("{name} {}", row.subnet));
        }
        assert_eq!(found, wanted, "{query:?}");
    }
}
