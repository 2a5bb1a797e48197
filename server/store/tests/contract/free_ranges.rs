//! Table `free_range`: whatever is done, ranges and leases make up the pool.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::net::{from_number, to_number};
use netloom_store::{PoolRow, Store, free_ranges, integrity, leases, pools};
use proptest::prelude::*;

use crate::kit::{at, give_back, ip, lease, lease_lowest, network_with_pool, open, read, span, take, texts, write};

#[tokio::test]
async fn a_new_pool_is_one_run_without_the_addresses_nobody_can_have() {
    let (_directory, store) = open().await;
    for (name, subnet, run) in [
        ("a", "10.0.0.0/24", "10.0.0.1-10.0.0.254"),
        ("b", "10.0.1.0/31", "10.0.1.0-10.0.1.1"),
        ("c", "fd00::/64", "fd00::1-fd00::ffff:ffff:ffff:ffff"),
    ] {
        let (_, pool) = network_with_pool(&store, name, subnet).await;
        let runs = read!(store, (), tx => free_ranges::of_pool(tx, pool.id, 9).await).unwrap();
        assert_eq!(texts(&runs), [run]);
    }
}

#[tokio::test]
async fn seeks_find_the_run_and_the_neighbours() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let id = pool.id;
    for address in ["10.0.0.1", "10.0.0.2", "10.0.0.10"] {
        let address = ip(address);
        assert!(write!(store, (), tx => take(tx, id, address).await).unwrap());
    }
    let lowest = |range: &str| {
        let (store, network, range) = (store.clone(), pool.network_id, span(range));
        async move {
            write!(store, (), tx => pools::set_range(tx, id, range).await).unwrap();
            let found = read!(store, (), tx => pools::with_lowest_free(tx, network).await).unwrap();
            assert_eq!((found.len(), found[0].0.id, found[0].0.range), (1, id, range));
            found[0].1
        }
    };
    assert_eq!(lowest("10.0.0.0-10.0.0.255").await, Some(span("10.0.0.3-10.0.0.9")));
    assert_eq!(lowest("10.0.0.5-10.0.0.6").await, Some(span("10.0.0.3-10.0.0.9")));
    assert_eq!(lowest("10.0.0.10-10.0.0.20").await, Some(span("10.0.0.11-10.0.0.254")));
    assert_eq!(lowest("10.0.0.1-10.0.0.2").await, None);
    let neighbours = |of: &str| {
        let (store, of) = (store.clone(), span(of));
        async move { read!(store, (), tx => free_ranges::neighbours(tx, id, of).await).unwrap() }
    };
    assert_eq!(neighbours("10.0.0.1-10.0.0.2").await, (None, Some(span("10.0.0.3-10.0.0.9"))));
    assert_eq!(neighbours("10.0.0.10").await, (Some(span("10.0.0.3-10.0.0.9")), Some(span("10.0.0.11-10.0.0.254"))));
    assert_eq!(neighbours("10.0.0.2").await, (None, Some(span("10.0.0.3-10.0.0.9"))));
    assert_eq!(neighbours("10.0.0.1").await, (None, None));
}

#[derive(Debug, Clone)]
enum Step {
    Lowest,
    Take(u8),
    Release(u8),
    State(u8, LeaseState),
    Requested(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Lowest),
        any::<u8>().prop_map(Step::Take),
        any::<u8>().prop_map(Step::Release),
        (any::<u8>(), 0..LeaseState::ALL.len()).prop_map(|(at, state)| Step::State(at, LeaseState::ALL[state])),
        any::<u8>().prop_map(Step::Requested),
    ]
}

fn nth(pool: &PoolRow, number: u8) -> IpAddr {
    from_number(to_number(pool.subnet.network()) + 1 + u128::from(number % 62))
}

async fn perform(store: &Store, pool: &PoolRow, step: &Step, held: &mut BTreeSet<IpAddr>) {
    match *step {
        Step::Lowest => {
            let wanted = (0..62).map(|number| nth(pool, number)).find(|address| !held.contains(address));
            let got = write!(store, (pool), tx => lease_lowest(tx, &pool, "box").await).unwrap();
            assert_eq!(got.as_ref().map(|row| row.address), wanted, "lowest free first");
            held.extend(wanted);
        }
        Step::Take(number) | Step::Requested(number) => {
            let mut row = lease(pool, nth(pool, number), "box");
            if matches!(step, Step::Requested(_)) {
                row.kind = LeaseKind::Requested;
            }
            let taken = write!(store, (row), tx => {
                if !take(tx, row.pool_id, row.address).await? {
                    return Ok(false);
                }
                leases::insert(tx, &row).await?;
                Ok(true)
            });
            assert_eq!(taken.unwrap(), held.insert(row.address));
        }
        Step::Release(number) => {
            let address = nth(pool, number);
            let found = write!(store, (), tx => {
                let Some(row) = leases::by_address(tx, address).await? else { return Ok(false) };
                leases::remove(tx, std::slice::from_ref(&row), at(9_000));
                give_back(tx, row.pool_id, address).await?;
                Ok(true)
            });
            assert_eq!(found.unwrap(), held.remove(&address));
        }
        Step::State(number, state) => {
            let address = nth(pool, number);
            write!(store, (), tx => {
                let Some(row) = leases::by_address(tx, address).await? else { return Ok(()) };
                { leases::set_state(tx, std::slice::from_ref(&row), state, 2, at(2_000)); Ok(()) }
            })
            .unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranges_and_leases_make_up_the_pool_after_any_steps(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_directory, store) = open().await;
            let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/26").await;
            let mut held = BTreeSet::new();
            for step in &steps {
                perform(&store, &pool, step, &mut held).await;
            }
            // The check covers the pool address by address, and compares every counter with COUNT(*).
            assert_eq!(read!(store, (), tx => integrity::check(tx).await).unwrap(), Vec::<String>::new());
            let id = pool.id;
            let free = read!(store, (), tx => netloom_store::pools::free(tx, &[id]).await).unwrap()[&id];
            assert_eq!(free.total, 62 - held.len() as u128);
            let counted = read!(store, (), tx => leases::count_by_kind_state(tx).await).unwrap();
            assert_eq!(counted.iter().map(|(_, _, n)| n).sum::<u64>(), held.len() as u64);
            let runs = read!(store, (), tx => free_ranges::of_pool(tx, id, 100).await).unwrap();
            assert_eq!(free.largest.map(|run| run.len()), runs.iter().map(netloom_model::net::Span::len).max());
            store.close().await;
        });
    }
}

#[tokio::test]
async fn the_check_finds_what_is_lost_and_what_is_there_twice() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let row = lease(&pool, ip("10.0.0.9"), "box");
    write!(store, (row), tx => leases::insert(tx, &row).await).unwrap();
    let findings = read!(store, (), tx => integrity::check(tx).await).unwrap();
    assert!(findings.iter().any(|finding| finding.contains("counted twice")), "{findings:?}");
    write!(store, (row), tx => {
        take(tx, row.pool_id, row.address).await?;
        take(tx, row.pool_id, ip("10.0.0.20")).await
    })
    .unwrap();
    let findings = read!(store, (), tx => integrity::check(tx).await).unwrap();
    assert_eq!(findings, ["pool blue/v4: 10.0.0.20-10.0.0.20 is neither leased nor free"]);
}

#[tokio::test]
async fn runs_of_a_block_are_those_that_reach_into_it() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/16").await;
    let id = pool.id;
    for address in ["10.0.0.9", "10.0.1.0", "10.0.1.255", "10.0.9.0"] {
        let address = ip(address);
        assert!(write!(store, (), tx => take(tx, id, address).await).unwrap());
    }
    for (block, limit, runs) in [
        ("10.0.0.0/24", 9, vec!["10.0.0.1-10.0.0.8", "10.0.0.10-10.0.0.255"]),
        ("10.0.0.0/24", 1, vec!["10.0.0.1-10.0.0.8"]),
        ("10.0.1.0/24", 9, vec!["10.0.1.1-10.0.1.254"]),
        ("10.0.1.0/32", 9, vec![]),
        ("10.0.3.0/24", 9, vec!["10.0.2.0-10.0.8.255"]),
        ("10.0.255.0/24", 9, vec!["10.0.9.1-10.0.255.254"]),
    ] {
        let of = span(block);
        let found = read!(store, (), tx => free_ranges::within(tx, id, of, limit).await).unwrap();
        assert_eq!(texts(&found), runs, "{block}");
    }
}
