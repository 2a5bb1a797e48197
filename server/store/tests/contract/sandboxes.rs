//! Table `sandbox`.

use std::collections::BTreeMap;

use netloom_model::SandboxId;
use netloom_model::assignment::{Adoption, NamespaceSource};
use netloom_store::{Error, LeaseRow, Orphaned, SandboxQuery, constraint, endpoints, leases, networks, sandboxes};

use crate::kit::{at, endpoint, ip, lease, network, network_with_pool, open, read, sandbox, write};

#[tokio::test]
async fn a_sandbox_comes_back_as_it_was_written() {
    let (_directory, store) = open().await;
    let mut row = sandbox("box");
    row.namespace = NamespaceSource::Adopted(Adoption {
        path: "/run/netns/blue".into(),
        cookie: u64::MAX,
        boot_id: "b".into(),
        start_time: Some(7),
    });
    write!(store, (row), tx => sandboxes::insert(tx, &row).await).unwrap();
    let id = row.id;
    assert_eq!(read!(store, (), tx => sandboxes::by_id(tx, id).await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => sandboxes::by_name(tx, "box").await).unwrap(), Some(row.clone()));
    assert_eq!(read!(store, (), tx => sandboxes::by_ids(tx, &[id]).await).unwrap(), [row.clone()]);

    row.running = false;
    row.spec.description = Some("stopped".into());
    row.revision = 2;
    write!(store, (row), tx => sandboxes::update(tx, &row).await).unwrap();
    let gone = Orphaned { reason: "gone".into(), since: at(2_000) };
    write!(store, (gone), tx => sandboxes::set_orphaned(tx, id, Some(&gone)).await).unwrap();
    row.orphaned = Some(gone);
    assert_eq!(read!(store, (), tx => sandboxes::stopped(tx).await).unwrap(), [row.clone()]);
    write!(store, (), tx => { sandboxes::mark_deleting(tx, id, 3, at(3_000)); Ok::<_, Error>(()) }).unwrap();
    assert_eq!(read!(store, (), tx => sandboxes::stopped(tx).await).unwrap(), []);

    let twin = sandbox("box");
    let refused = write!(store, (twin), tx => sandboxes::insert(tx, &twin).await).unwrap_err();
    assert!(matches!(refused, Error::Duplicate { constraint } if constraint == constraint::SANDBOX_NAME));
}

#[tokio::test]
async fn lists_select_and_page_by_name() {
    let (_directory, store) = open().await;
    let network = network("blue");
    write!(store, (network), tx => networks::insert(tx, &network).await).unwrap();
    for (name, running, label) in [("a", true, "x"), ("b", false, "y"), ("c", true, "y")] {
        let mut row = sandbox(name);
        row.running = running;
        row.spec.labels = Some(BTreeMap::from([("tier".into(), label.into())]));
        let endpoint = endpoint(&row, &network, 0);
        write!(store, (row, endpoint), tx => {
            sandboxes::insert(tx, &row).await?;
            if row.name == "c" {
                endpoints::insert(tx, &endpoint).await?;
            }
            Ok(())
        })
        .unwrap();
    }
    let all = SandboxQuery { limit: 10, ..Default::default() };
    let cases = [
        (all.clone(), "abc"),
        (SandboxQuery { network: Some(network.id), ..all.clone() }, "c"),
        (SandboxQuery { running: Some(true), ..all.clone() }, "ac"),
        (SandboxQuery { labels: vec![("tier".into(), Some("y".into()))], ..all.clone() }, "bc"),
        (SandboxQuery { labels: vec![("none".into(), None)], ..all.clone() }, ""),
        (SandboxQuery { text: Some("B".into()), ..all.clone() }, "b"),
    ];
    for (query, wanted) in cases {
        let found = read!(store, (query), tx => sandboxes::list(tx, &query).await).unwrap();
        assert_eq!(found.into_iter().map(|row| row.name).collect::<String>(), wanted, "{query:?}");
    }
    assert_eq!(read!(store, (), tx => sandboxes::count_by_running(tx).await).unwrap(), (2, 1));
}

#[tokio::test]
async fn a_sandbox_does_not_go_from_under_its_endpoints() {
    let (_directory, store) = open().await;
    let (network, sandbox) = (network("blue"), sandbox("box"));
    let endpoint = endpoint(&sandbox, &network, 0);
    write!(store, (network, sandbox, endpoint), tx => {
        networks::insert(tx, &network).await?;
        sandboxes::insert(tx, &sandbox).await?;
        endpoints::insert(tx, &endpoint).await
    })
    .unwrap();
    let id = sandbox.id;
    let alone = write!(store, (), tx => {
        sandboxes::purge(tx, id);
        tx.flush().await
    });
    assert!(matches!(alone, Err(Error::Constraint { .. })));
    write!(store, (endpoint), tx => {
        endpoints::purge(tx, &[endpoint.id]).await?;
        sandboxes::purge(tx, id);
        Ok(())
    })
    .unwrap();
    assert_eq!(read!(store, (), tx => sandboxes::all(tx).await).unwrap(), []);
}

#[tokio::test]
async fn a_sandbox_is_read_whole_with_what_the_same_job_has_written() {
    let (_directory, store) = open().await;
    let (network, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let (own, other) = (sandbox("own"), sandbox("other"));
    let rows = [(own.clone(), "10.0.0.9"), (other, "10.0.0.10")].map(|(sandbox, address)| {
        let endpoint = endpoint(&sandbox, &network, 0);
        let lease = LeaseRow { endpoint_id: Some(endpoint.id), ..lease(&pool, ip(address), &sandbox.name) };
        (sandbox, endpoint, lease)
    });
    let id = own.id;
    let whole = write!(store, (rows), tx => {
        for (sandbox, endpoint, lease) in &rows {
            sandboxes::insert(tx, sandbox).await?;
            endpoints::insert(tx, endpoint).await?;
            leases::insert(tx, lease).await?;
        }
        sandboxes::whole(tx, id).await
    });
    let (row, endpoints, leases) = whole.unwrap().unwrap();
    assert_eq!(row, own);
    assert_eq!(endpoints.iter().map(|row| row.sandbox_id).collect::<Vec<_>>(), [id]);
    assert_eq!(leases.iter().map(|row| row.address).collect::<Vec<_>>(), [ip("10.0.0.9")]);
    assert_eq!(read!(store, (), tx => sandboxes::whole(tx, SandboxId::from_random([9; 16])).await).unwrap(), None);
}

#[tokio::test]
async fn orphans_are_found_by_how_long_they_are_gone() {
    let (_directory, store) = open().await;
    for (name, since) in [("late", 9_000), ("early", 2_000), ("going", 1_000)] {
        let row = sandbox(name);
        let orphaned = Orphaned { reason: "gone".into(), since: at(since) };
        write!(store, (row, orphaned), tx => {
            sandboxes::insert(tx, &row).await?;
            sandboxes::set_orphaned(tx, row.id, Some(&orphaned)).await?;
            if row.name == "going" {
                sandboxes::mark_deleting(tx, row.id, 2, at(9_000));
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    }
    let row = sandbox("sound");
    write!(store, (row), tx => sandboxes::insert(tx, &row).await).unwrap();
    for (by, limit, wanted) in
        [(1_999, 9, vec![]), (2_000, 9, vec!["early"]), (9_000, 9, vec!["early", "late"]), (9_000, 1, vec!["early"])]
    {
        let found = read!(store, (), tx => sandboxes::orphaned(tx, at(by), limit).await).unwrap();
        assert_eq!(found.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), wanted, "{by}");
    }
}
