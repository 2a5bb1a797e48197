//! Hearing who changed what.

use std::collections::BTreeSet;
use std::time::Duration;

use netloom_kernel::nft::{Change, EventSocket, Events, Nft};
use netloom_nftables::{Batch, Family, Table, TableId};

use super::{apply, forward, in_a_namespace, table};
use crate::host::run;

fn in_a_runtime(test: impl AsyncFnOnce(Nft, Events) + Send + 'static) {
    in_a_namespace(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let nft = Nft::open().expect("a socket");
        let socket = EventSocket::open(&nft).expect("a socket");
        runtime.block_on(async {
            let events = socket.listen().expect("watched");
            test(nft, events).await;
        });
    });
}

async fn heard(events: &mut Events) -> Vec<Change> {
    let heard = tokio::time::timeout(Duration::from_secs(2), events.next()).await;
    heard.expect("something is heard").expect("readable")
}

#[test]
fn a_foreign_writer_is_heard_by_name_with_what_it_touched() {
    in_a_runtime(async |mut nft, mut events| {
        run("nft add table ip foreign");
        let changes = heard(&mut events).await;
        let [Change::Foreign { generation, tables, .. }] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!(generation.process_name, "nft");
        assert_ne!(generation.process_id, 0);
        assert_eq!(generation.number, nft.generation().expect("a number"));
        assert_eq!(*tables, BTreeSet::from([TableId::new(Family::IPV4, "foreign")]));
        let mut batch = Batch::new();
        batch.add_table(&Table::open(table())).add_chain(&table(), &forward());
        apply(&mut nft, &batch);
        run("nft add rule inet netloom forward drop");
        run("nft flush ruleset");
        let mut changes = heard(&mut events).await;
        while changes.len() < 2 {
            changes.extend(heard(&mut events).await);
        }
        // Ours in between is left out.
        let touched: Vec<_> = changes
            .iter()
            .map(|change| match change {
                Change::Foreign { tables, .. } => tables.iter().map(ToString::to_string).collect::<Vec<_>>(),
                Change::Overrun => vec!["overrun".to_owned()],
            })
            .collect();
        assert_eq!(touched, [vec!["inet netloom"], vec!["inet netloom", "ip foreign"]]);
    });
}

#[test]
fn our_own_transactions_are_not_heard() {
    in_a_runtime(async |mut nft, mut events| {
        let mut batch = Batch::new();
        batch.add_table(&Table::open(table())).add_chain(&table(), &forward()).delete_table(&table());
        apply(&mut nft, &batch);
        let silence = tokio::time::timeout(Duration::from_millis(100), events.next()).await;
        assert!(silence.is_err(), "{silence:?}");
        run("nft add table ip foreign");
        assert_eq!(heard(&mut events).await.len(), 1);
    });
}
