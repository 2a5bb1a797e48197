//! Maps of pools: a small block with its leases, a large one by what is taken of the blocks in it, IPv6 where something is; and what is free.

use ipnet::IpNet;
use netloom_control::command::*;
use netloom_control::{Error, ErrorKind};
use netloom_model::map::PoolMap;
use serde_json::json;

use crate::kit::pair::Pair;
use crate::kit::{Kit, macvlan};

async fn map(kit: &Kit, pool: Option<&str>, block: Option<&str>) -> Result<PoolMap, Error> {
    let block: Option<IpNet> = block.map(|text| text.parse().expect("a block"));
    let command = GetPoolMap { network: "n".into(), pool: pool.map(str::to_owned), block };
    kit.control.pool_map(kit.may(command)).await
}

async fn reserved(kit: &Kit, addresses: &[&str]) {
    for (at, address) in addresses.iter().enumerate() {
        let spec = json!({"key": format!("k{at}-{}", address.replace([':', '.'], "-")), "address": address});
        let spec = netloom_model::document::parse(spec).expect("a readable spec");
        let command = ReserveLease { network: "n".into(), spec };
        kit.control.reserve_lease(kit.may(command), WriteOptions::default()).await.expect("reserved");
    }
}

fn cells(map: &PoolMap) -> Vec<String> {
    map.cells.iter().map(|cell| format!("{} {}/{}", cell.block, cell.leased, cell.size)).collect()
}

fn free(map: &PoolMap) -> Vec<String> {
    map.free.iter().map(|free| format!("{} {}", free.block, free.size)).collect()
}

#[tokio::test]
async fn a_large_block_is_counted_by_its_blocks_and_leads_down_to_leases() {
    let kit = Kit::new().await;
    let pool = json!({"v4": {"subnet": "10.7.0.0/16", "gateway": "10.7.0.1"}});
    kit.create_network(macvlan("n", pool)).await.expect("a network");
    kit.on("a", "n").await.expect("a sandbox");
    reserved(&kit, &["10.7.3.0", "10.7.3.255", "10.7.255.254"]).await;

    let whole = map(&kit, None, None).await.expect("the pool");
    assert_eq!((whole.pool.as_str(), whole.block.as_str(), whole.cell_prefix_length), ("v4", "10.7.0.0/16", 24));
    assert_eq!(cells(&whole), ["10.7.0.0/24 2/256", "10.7.3.0/24 2/256", "10.7.255.0/24 1/256"]);
    assert_eq!((whole.leased, whole.leases.len(), whole.above.len()), (5, 0, 0));
    let runs = ["10.7.0.3-10.7.2.255 765", "10.7.3.1-10.7.3.254 254", "10.7.4.0-10.7.255.253 64510"];
    assert_eq!((free(&whole), whole.more_free), (runs.map(str::to_owned).to_vec(), false));

    let block = map(&kit, None, Some("10.7.3.0/24")).await.expect("a block");
    assert_eq!(
        (block.cell_prefix_length, block.leased, block.above.as_slice()),
        (32, 2, &["10.7.0.0/16".to_owned()][..])
    );
    let addresses: Vec<&str> = block.leases.iter().map(|lease| lease.status.address.as_str()).collect();
    assert_eq!(addresses, ["10.7.3.0", "10.7.3.255"]);
    assert_eq!(free(&block), ["10.7.3.1-10.7.3.254 254"], "no more than is in the block");
    let empty = map(&kit, None, Some("10.7.4.0/22")).await.expect("a block");
    assert_eq!((empty.leased, free(&empty)), (0, vec!["10.7.4.0/22 1024".to_owned()]));
}

#[tokio::test]
async fn a_map_of_ipv6_begins_where_something_is() {
    let kit = Kit::new().await;
    let pools = json!({"v4": {"subnet": "10.7.0.0/24"}, "v6": {"subnet": "fd00:7::/64", "gateway": "fd00:7::1"}});
    kit.create_network(macvlan("n", pools)).await.expect("a network");
    let whole = map(&kit, Some("v6"), None).await.expect("the pool");
    assert_eq!((whole.cell_prefix_length, cells(&whole)), (120, vec!["fd00:7::/120 1/256".to_owned()]));
    assert_eq!(whole.leases.len(), 1, "few enough to stand beside it");

    reserved(&kit, &["fd00:7::1:0:9", "fd00:7::8000:0"]).await;
    let whole = map(&kit, Some("v6"), None).await.expect("the pool");
    let wanted = ["fd00:7::/96 2/4294967296", "fd00:7::1:0:0/96 1/4294967296"];
    assert_eq!((cells(&whole), whole.leased, whole.leases.len()), (wanted.map(str::to_owned).to_vec(), 3, 3));
    let down = map(&kit, None, Some("fd00:7::/96")).await.expect("found by the block alone");
    assert_eq!(
        (down.pool.as_str(), cells(&down).len(), down.above.as_slice()),
        ("v6", 2, &["fd00:7::/64".to_owned()][..])
    );
    let grid = map(&kit, None, Some("fd00:7::/120")).await.expect("a block of addresses");
    assert_eq!((grid.cell_prefix_length, grid.leased), (128, 1));
    let nothing = map(&kit, None, Some("fd00:7:0:0:1::/80")).await.expect("an empty block");
    assert_eq!((nothing.leased, nothing.cells.len(), nothing.cell_prefix_length), (0, 0, 88));
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_name() {
    let kit = Kit::new().await;
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.7.0.0/24"}}))).await.expect("a network");
    let missing = map(&kit, Some("v6"), None).await.expect_err("no such pool");
    assert_eq!((missing.kind, missing.code), (ErrorKind::NotFound, "resource-not-found"));
    assert_eq!(map(&kit, None, Some("10.8.0.0/24")).await.expect_err("elsewhere").kind, ErrorKind::NotFound);
    for block in ["10.7.0.0/16", "10.8.0.0/24", "fd00::/64"] {
        let refused = map(&kit, Some("v4"), Some(block)).await.expect_err("outside");
        assert_eq!((refused.kind, refused.errors[0].pointer.as_str()), (ErrorKind::Invalid, "?block"), "{block}");
    }
    let command = GetPoolMap { network: "host".into(), pool: None, block: None };
    let none = kit.control.pool_map(kit.may(command)).await.expect_err("it gives no addresses");
    assert_eq!(none.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_free_is_told_up_to_a_bound() {
    let kit = Kit::new().await;
    kit.create_network(macvlan("n", json!({"v4": {"subnet": "10.7.0.0/20"}}))).await.expect("a network");
    let odd: Vec<String> = (0..560).map(|at| format!("10.7.{}.{}", at / 127, at % 127 * 2 + 3)).collect();
    reserved(&kit, &odd.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let whole = map(&kit, None, None).await.expect("the pool");
    assert_eq!((whole.free.len(), whole.more_free), (512, true));
    let small = map(&kit, None, Some("10.7.0.0/24")).await.expect("a block");
    assert!(!small.more_free);
}

#[tokio::test]
async fn a_worker_calls_nothing_free_of_a_network_that_the_manager_gives_out() {
    let pair = Pair::new().await;
    let spec = json!({"name": "n", "driver": "overlay", "internal": true, "pools": {"v4": {"subnet": "10.7.0.0/24"}}});
    pair.manager.create_network(spec).await.expect("a network");
    pair.until(async |pair: &Pair| pair.worker.network("n").await.is_ok()).await;
    let known = map(&pair.manager, None, None).await.expect("the pool");
    assert!(!known.free.is_empty() && known.reason.is_none(), "{known:?}");
    let unknown = map(&pair.worker, None, None).await.expect("the pool");
    assert!(unknown.free.is_empty() && !unknown.more_free, "{unknown:?}");
    assert!(unknown.reason.is_some_and(|reason| reason.contains("manager")));
    let command = ListFreeRanges { network: "n".into(), ..ListFreeRanges::default() };
    let refused = pair.worker.control.list_free_ranges(pair.worker.may(command)).await.expect_err("not its to say");
    assert_eq!((refused.kind, refused.code), (ErrorKind::Conflict, "not-manager"));
    let found = pair.worker.control.search(pair.worker.may(Search("10.7.0.77".into()))).await.expect("found");
    assert!(found.groups[0].hits[0].about.starts_with("not held on this host"), "{found:?}");
}
