//! The writer: jobs that share a transaction do not share their fates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use netloom_store::{Error, EventQuery, events, integrity, leases, networks};

use crate::kit::{event, lease_lowest, network, network_with_pool, open, read, write};

#[tokio::test]
async fn a_job_that_fails_takes_back_what_it_wrote_and_nothing_else() {
    let (_directory, store) = open().await;
    let mut answers = Vec::new();
    // Queued at once, so that they share transactions.
    for number in 0..50_u32 {
        let (store, row) = (store.clone(), network(&format!("n{number:02}")));
        answers.push(tokio::spawn(async move {
            write!(store, (row), tx => {
                networks::insert(tx, &row).await?;
                match number % 5 {
                    // By its own word, by a rule of the schema, and by one that it would not mind: writing comes later than it thinks.
                    1 => Err(Error::NotFound),
                    2 => networks::insert(tx, &row).await,
                    3 => {
                        let _: Result<(), Error> = networks::insert(tx, &row).await;
                        Ok(())
                    }
                    _ => Ok(()),
                }
            })
        }));
    }
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().is_ok(), !matches!(number % 5, 1..=3), "{number}");
    }
    let names: Vec<_> = read!(store, (), tx => networks::all(tx).await).unwrap().into_iter().map(|n| n.name).collect();
    let wanted: Vec<_> = (0..50).filter(|n| !matches!(n % 5, 1..=3)).map(|n| format!("n{n:02}")).collect();
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn a_dry_run_answers_and_leaves_nothing() {
    let (_directory, store) = open().await;
    let (_, pool) = network_with_pool(&store, "blue", "10.0.0.0/24").await;
    let run = store.clone();
    let address = run
        .dry_run::<_, Error, _>(move |tx| {
            let pool = pool.clone();
            Box::pin(async move {
                events::append(tx, &event("lease.reserved", "x")).await?;
                Ok(lease_lowest(tx, &pool, "box").await?.unwrap().address)
            })
        })
        .await
        .unwrap();
    assert_eq!(address.to_string(), "10.0.0.1");
    assert_eq!(read!(store, (), tx => leases::by_address(tx, address).await).unwrap(), None);
    assert_eq!(read!(store, (), tx => integrity::check(tx).await).unwrap(), Vec::<String>::new());
    assert_eq!(*store.committed().borrow(), 0);
    assert_eq!(read!(store, (), tx => events::bounds(tx).await).unwrap(), (1, 0));
}

#[tokio::test]
async fn a_panic_is_one_callers_failure() {
    let (_directory, store) = open().await;
    let row = network("blue");
    let failed = write!(store, (row), tx => {
        networks::insert(tx, &row).await?;
        if row.name == "blue" {
            panic!("a job that panics on purpose");
        }
        Ok(())
    });
    assert!(failed.unwrap_err().to_string().contains("panics on purpose"));
    write!(store, (row), tx => networks::insert(tx, &row).await).expect("the writer lives and the name is free");
}

#[tokio::test]
async fn a_caller_that_gives_up_stops_nothing() {
    let (_directory, store) = open().await;
    let ran = Arc::new(AtomicU32::new(0));
    let row = network("blue");
    let (job_store, job_ran) = (store.clone(), ran.clone());
    let caller = tokio::spawn(async move {
        write!(job_store, (row, job_ran), tx => {
            job_ran.fetch_add(1, Ordering::SeqCst);
            networks::insert(tx, &row).await
        })
    });
    while ran.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    // The next job comes after it.
    let event = event("network.created", "blue");
    write!(store, (event), tx => events::append(tx, &event).await).unwrap();
    assert!(read!(store, (), tx => networks::by_name(tx, "blue").await).unwrap().is_some());
}

#[tokio::test]
async fn a_watcher_sees_a_number_only_when_it_can_read_the_event() {
    let (_directory, store) = open().await;
    let mut watch = store.committed();
    let writer = store.clone();
    let task = tokio::spawn(async move {
        for _ in 0..100 {
            let event = event("network.created", "blue");
            write!(writer, (event), tx => events::append(tx, &event).await).unwrap();
        }
    });
    let mut seen = 0;
    while seen < 100 {
        watch.changed().await.unwrap();
        let seq = *watch.borrow_and_update();
        assert!(seq > seen);
        let (_, latest) = read!(store, (), tx => events::bounds(tx).await).unwrap();
        assert!(latest >= seq);
        seen = seq;
    }
    task.await.unwrap();
}

#[tokio::test]
async fn a_job_that_writes_much_without_reading_keeps_the_order_and_is_all_or_nothing() {
    let (_directory, store) = open().await;
    // Some hundred kilobytes of statements: more than goes to the database in one piece.
    const MANY: u64 = 300;
    write!(store, (), tx => {
        for number in 1..=MANY {
            assert_eq!(events::append(tx, &event("lease.reserved", &number.to_string())).await?, number);
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    let row = network("blue");
    let refused = write!(store, (row), tx => {
        networks::insert(tx, &row).await?;
        for number in 1..=MANY {
            events::append(tx, &event("lease.reserved", &number.to_string())).await?;
        }
        networks::insert(tx, &row).await
    });
    assert!(matches!(refused, Err(Error::Duplicate { .. })), "{refused:?}");
    assert_eq!(*store.committed().borrow(), MANY);
    let stored =
        read!(store, (), tx => events::list(tx, &EventQuery { after: 0, limit: 1000, ..EventQuery::default() }).await)
            .unwrap();
    let names: Vec<(u64, String)> = stored.into_iter().map(|event| (event.seq, event.object.name)).collect();
    let wanted: Vec<(u64, String)> = (1..=MANY).map(|number| (number, number.to_string())).collect();
    assert_eq!(names, wanted);
    assert!(read!(store, (), tx => networks::by_name(tx, "blue").await).unwrap().is_none());
    write!(store, (row), tx => networks::insert(tx, &row).await).expect("the writer goes on, and the name is free");
}
