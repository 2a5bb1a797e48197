//! Table `event` and its counter.

use netloom_model::condition::{CLEARED, RAISED};
use netloom_model::order::EventOrder;
use netloom_store::{Error, EventQuery, NewEvent, Store, events};

use crate::kit::{event, network_with_pool, open, read, write};

async fn found(store: &Store, query: EventQuery) -> Vec<String> {
    let found = read!(store, (), tx => events::list(tx, &query).await).unwrap();
    found.into_iter().map(|event| format!("{} {}", event.seq, event.kind)).collect()
}

#[tokio::test]
async fn events_are_numbered_from_one_and_selected() {
    let (_directory, store) = open().await;
    assert_eq!(read!(store, (), tx => events::bounds(tx).await).unwrap(), (1, 0));
    for (kind, name) in [
        ("network.created", "blue"),
        ("network.create_failed", "red"),
        ("networks.x", "blue"),
        ("lease.released", "10.0.0.2"),
    ] {
        let event = event(kind, name);
        write!(store, (event), tx => events::append(tx, &event).await).unwrap();
    }
    let all = EventQuery { limit: 9, ..EventQuery::default() };
    let kinds =
        |kinds: &[&str]| EventQuery { kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(), ..all.clone() };
    let object = |object: &str| EventQuery { object: Some(object.to_owned()), ..all.clone() };
    let latest = |query: EventQuery| EventQuery { order: EventOrder::Latest, ..query };
    assert_eq!(found(&store, all.clone()).await.len(), 4);
    assert_eq!(found(&store, kinds(&["network.created"])).await, ["1 network.created"]);
    let two = ["1 network.created", "4 lease.released"];
    assert_eq!(found(&store, kinds(&["network.created", "lease.released"])).await, two);
    assert_eq!(found(&store, object("blue")).await, ["1 network.created", "3 networks.x"]);
    let by_id = EventQuery { after: 3, ..object("net_aaaaaaaaaaaaaaaaaaaaaaaaaa") };
    assert_eq!(found(&store, by_id).await, ["4 lease.released"]);
    let page = EventQuery { after: 1, limit: 2, ..all.clone() };
    assert_eq!(found(&store, page).await, ["2 network.create_failed", "3 networks.x"]);
    assert_eq!(found(&store, latest(object("blue"))).await, ["3 networks.x", "1 network.created"]);
    let before = EventQuery { before: Some(4), limit: 2, ..latest(all.clone()) };
    assert_eq!(found(&store, before).await, ["3 networks.x", "2 network.create_failed"], "backwards from a place");

    let last = EventQuery { limit: 1, ..latest(all.clone()) };
    let last = read!(store, (), tx => events::list(tx, &last).await).unwrap().remove(0);
    assert_eq!(last.id, format!("{}:4", store.id()));
    assert_eq!((last.data["fact"].as_str(), last.request_id.as_deref()), ("value", Some("r1")));
    let by = |actor: &str| EventQuery { actor: Some(actor.to_owned()), ..all.clone() };
    assert_eq!(found(&store, by(&last.actor)).await.len(), 4);
    assert!(found(&store, by("nobody")).await.is_empty());
    let of = |request: &str| EventQuery { request_id: Some(request.to_owned()), ..latest(all.clone()) };
    assert_eq!((found(&store, of("r1")).await.len(), found(&store, of("r2")).await.len()), (4, 0));
    let from = EventQuery { from: Some(last.time), ..all.clone() };
    let until = EventQuery { until: Some(last.time), ..all };
    assert_eq!(found(&store, from).await.len() + found(&store, until).await.len(), 4, "each is on one side");
    assert_eq!(read!(store, (), tx => events::bounds(tx).await).unwrap(), (1, 4));

    assert_eq!(write!(store, (), tx => events::prune(tx, 1).await).unwrap(), 3);
    assert_eq!(read!(store, (), tx => events::bounds(tx).await).unwrap(), (4, 4));
    assert_eq!(write!(store, (), tx => events::prune(tx, 0).await).unwrap(), 1);
    let next = event("network.created", "green");
    assert_eq!(write!(store, (next), tx => events::append(tx, &next).await).unwrap(), 5, "numbers go on");
}

#[tokio::test]
async fn events_of_conditions_that_stand_outlive_the_others() {
    let (_directory, store) = open().await;
    let (network, _) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let told = |kind: &str, condition: &str, object: &str| {
        let mut event: NewEvent = event(kind, "blue");
        event.object.id = object.to_owned();
        event.data.insert("type".into(), condition.into());
        event
    };
    let (here, gone) = (network.id.to_string(), "net_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    let events = [
        told("network.created", "", &here),
        told(RAISED, "Over", &here),
        told(RAISED, "Stands", &here),
        told(RAISED, "Again", &here),
        told(RAISED, "OfNothing", gone),
        told(CLEARED, "Over", &here),
        told(CLEARED, "Again", &here),
        told(RAISED, "Again", &here),
        told("network.updated", "", &here),
        told("network.updated", "", &here),
    ];
    for event in events {
        write!(store, (event), tx => events::append(tx, &event).await).unwrap();
    }
    assert_eq!(write!(store, (), tx => events::prune(tx, 2).await).unwrap(), 6);
    let kept = ["3 condition.raised", "8 condition.raised", "9 network.updated", "10 network.updated"];
    assert_eq!(found(&store, EventQuery { limit: 99, ..EventQuery::default() }).await, kept);
    let standing = read!(store, (), tx => events::standing(tx).await).unwrap();
    assert_eq!(standing.iter().map(|event| event.seq).collect::<Vec<_>>(), [3, 8]);
    assert_eq!(
        read!(store, (), tx => events::bounds(tx).await).unwrap(),
        (9, 10),
        "a cursor before it has missed some"
    );
    assert_eq!(write!(store, (), tx => events::prune(tx, 1).await).unwrap(), 1, "what is spared is in nobody's way");
    assert_eq!(read!(store, (), tx => events::bounds(tx).await).unwrap(), (10, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_have_no_gap_after_jobs_that_fail() {
    let (_directory, store) = open().await;
    let watch = store.committed();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200_u32 {
        let store = store.clone();
        tasks.spawn(async move {
            let event = event("network.created", &number.to_string());
            write!(store, (event), tx => {
                let seq = events::append(tx, &event).await?;
                match number % 4 {
                    0 => Err(Error::NotFound),
                    1 if number % 8 == 1 => panic!("a job that panics on purpose"),
                    _ => Ok(seq),
                }
            })
        });
    }
    let mut numbers: Vec<u64> = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        numbers.extend(outcome.unwrap().ok());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=125).collect::<Vec<_>>(), "each answered number is there once, and none is missing");
    let stored =
        read!(store, (), tx => events::list(tx, &EventQuery { after: 0, limit: 1_000, ..EventQuery::default() }).await)
            .unwrap();
    assert_eq!(stored.iter().map(|event| event.seq).collect::<Vec<_>>(), numbers);
    assert_eq!(*watch.borrow(), 125);
}
