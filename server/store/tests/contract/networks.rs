//! Table `network`.

use std::collections::BTreeMap;

use netloom_model::network::Driver;
use netloom_store::{Error, NetworkQuery, constraint, endpoints, leases, networks, pools, sandboxes};

use crate::kit::{at, endpoint, ip, lease, network, network_with_pool, open, pool, read, sandbox, write};

#[tokio::test]
async fn a_network_comes_back_as_it_was_written() {
    let (_directory, store) = open().await;
    let mut row = network("blue");
    row.spec.labels = Some(BTreeMap::from([("tier".into(), "edge".into())]));
    row.spec.description = Some("Zwölf \"quoted\"".into());
    write!(store, (row), tx => networks::insert(tx, &row).await).unwrap();
    let id = row.id;
    assert_eq!(read!(store, (), tx => networks::by_id(tx, id).await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => networks::by_name(tx, "blue").await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => networks::by_name(tx, "Blue").await).unwrap(), None);
    assert_eq!(read!(store, (), tx => networks::on_parent(tx, "parent0").await).unwrap(), [row.clone()]);

    row.spec.labels = None;
    row.revision = 2;
    row.updated_at = at(2_000);
    write!(store, (row), tx => networks::update(tx, &row).await).unwrap();
    assert_eq!(read!(store, (), tx => networks::by_id(tx, id).await).unwrap(), Some(row.clone()));
    write!(store, (), tx => networks::mark_deleting(tx, id, 3, at(3_000)).await).unwrap();
    let marked = read!(store, (), tx => networks::by_id(tx, id).await).unwrap().unwrap();
    assert!(marked.deleting && marked.revision == 3 && marked.updated_at == at(3_000));
}

#[tokio::test]
async fn a_name_is_unique() {
    let (_directory, store) = open().await;
    let (first, second) = (network("blue"), network("blue"));
    write!(store, (first), tx => networks::insert(tx, &first).await).unwrap();
    let refused = write!(store, (second), tx => networks::insert(tx, &second).await).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::NETWORK_NAME));
}

#[tokio::test]
async fn a_network_is_found_by_its_bridges_name() {
    let (_directory, store) = open().await;
    let block =
        |name: &str| netloom_model::network::BridgeSpec { interface_name: Some(name.into()), ..Default::default() };
    let (mut named, mut unnamed, mut other) = (network("named"), network("unnamed"), network("other"));
    (named.driver, unnamed.driver) = (Driver::Bridge, Driver::Bridge);
    (named.parent, unnamed.parent) = (None, None);
    (named.spec.bridge, other.spec.bridge) = (Some(block("br-web")), Some(block("br-mac")));
    for row in [named.clone(), unnamed, other] {
        write!(store, (row), tx => networks::insert(tx, &row).await).unwrap();
    }
    assert_eq!(read!(store, (), tx => networks::with_bridge(tx, "br-web").await).unwrap(), Some(named));
    assert_eq!(read!(store, (), tx => networks::with_bridge(tx, "br-mac").await).unwrap(), None, "of another driver");
    assert_eq!(read!(store, (), tx => networks::with_bridge(tx, "br-new").await).unwrap(), None);
}

#[tokio::test]
async fn lists_select_and_page_by_name() {
    let (_directory, store) = open().await;
    for (name, driver, labels) in [
        ("a", Driver::Macvlan, vec![("tier", "edge")]),
        ("b", Driver::Host, vec![("tier", "core"), ("site", "x")]),
        ("c", Driver::Macvlan, vec![("tier", "core")]),
        ("d", Driver::Macvlan, vec![]),
    ] {
        let mut row = network(name);
        row.driver = driver;
        row.spec.labels = Some(labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
        row.spec.description = Some(format!("The {name} network"));
        let pool = pool(&row, "v4", &format!("10.0.{}.0/24", name.as_bytes()[0]));
        write!(store, (row, pool), tx => {
            networks::insert(tx, &row).await?;
            pools::insert(tx, &pool).await
        })
        .unwrap();
    }
    let all = NetworkQuery { limit: 10, ..Default::default() };
    let label = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    let cases = [
        (all.clone(), "abcd"),
        (NetworkQuery { driver: Some(Driver::Host), ..all.clone() }, "b"),
        (NetworkQuery { labels: vec![label("tier", Some("core"))], ..all.clone() }, "bc"),
        (NetworkQuery { labels: vec![label("tier", None)], ..all.clone() }, "abc"),
        (NetworkQuery { labels: vec![label("tier", Some("core")), label("site", None)], ..all.clone() }, "b"),
        (NetworkQuery { contains: Some(ip("10.0.99.7")), ..all.clone() }, "c"),
        (NetworkQuery { contains: Some(ip("10.9.99.7")), ..all.clone() }, ""),
        (NetworkQuery { text: Some("THE D".into()), ..all.clone() }, "d"),
        (NetworkQuery { text: Some("%".into()), ..all.clone() }, ""),
        (NetworkQuery { limit: 2, ..all.clone() }, "ab"),
    ];
    for (query, wanted) in cases {
        let found = read!(store, (query), tx => networks::list(tx, &query).await).unwrap();
        assert_eq!(found.into_iter().map(|row| row.name).collect::<String>(), wanted, "{query:?}");
    }
    let by_driver = read!(store, (), tx => networks::count_by_driver(tx).await).unwrap();
    assert_eq!(by_driver, [(Driver::Host, 1), (Driver::Macvlan, 3)]);
}

#[tokio::test]
async fn a_network_goes_with_its_pools_but_not_from_under_leases_and_endpoints() {
    let (_directory, store) = open().await;
    let (network, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let (row, sandbox) = (lease(&pool, ip("10.0.0.2"), "box"), sandbox("box"));
    let endpoint = endpoint(&sandbox, &network, 0);
    write!(store, (row, sandbox, endpoint), tx => {
        leases::insert(tx, &row).await?;
        sandboxes::insert(tx, &sandbox).await?;
        endpoints::insert(tx, &endpoint).await
    })
    .unwrap();
    let id = network.id;
    assert_eq!(read!(store, (), tx => networks::extents(tx, &[id]).await).unwrap()[&id].endpoints, 1);
    assert_eq!(read!(store, (), tx => networks::unused(tx).await).unwrap(), []);

    let refused = write!(store, (), tx => networks::purge(tx, id).await).unwrap_err();
    assert!(matches!(refused, Error::Constraint { .. }), "{refused}");
    assert_eq!(read!(store, (), tx => pools::of_networks(tx, &[id]).await).unwrap().len(), 1, "nothing went");
    write!(store, (row), tx => { leases::remove(tx, std::slice::from_ref(&row), at(9_000)); Ok::<_, Error>(()) })
        .unwrap();
    assert!(write!(store, (), tx => networks::purge(tx, id).await).is_err());
    write!(store, (endpoint), tx => endpoints::purge(tx, &[endpoint.id]).await).unwrap();
    assert_eq!(read!(store, (), tx => networks::unused(tx).await).unwrap().len(), 1);
    write!(store, (), tx => networks::purge(tx, id).await).unwrap();
    assert_eq!(read!(store, (), tx => pools::all_spans(tx).await).unwrap(), []);
    assert!(matches!(write!(store, (), tx => networks::purge(tx, id).await), Err(Error::NotFound)));
}
