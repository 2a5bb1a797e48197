//! Whose the table is: what others can't do to it, and how the next process takes it over.

use std::time::Duration;

use netloom_kernel::nft::Nft;
use netloom_nftables::table::{FLAG_OWNER, FLAG_PERSIST};
use netloom_nftables::{Batch, Table};

use super::{apply, forward, in_a_namespace, table};
use crate::host::{output, run};

fn refused(command: &str) -> bool {
    let output = output(command);
    !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("Operation not permitted")
}

#[test]
fn a_foreign_flush_of_everything_leaves_our_table() {
    in_a_namespace(|| {
        let mut nft = Nft::open().expect("a socket");
        let made = nft.claim(&table()).expect("ours");
        assert_eq!((made.flags, made.owner), (FLAG_OWNER | FLAG_PERSIST, Some(nft.port())));
        assert_eq!(nft.tables().expect("a dump"), [made]);
        let mut batch = Batch::new();
        batch.add_chain(&table(), &forward());
        apply(&mut nft, &batch);
        run("nft add table ip foreign");
        run("nft flush ruleset");
        let tables = run("nft list tables");
        assert_eq!(tables.trim(), "table inet netloom");
        assert!(run("nft list table inet netloom").contains("chain forward"));
        assert!(refused("nft add chain inet netloom intruder"));
        assert!(refused("nft delete table inet netloom"));
        // Claiming once more is no change.
        let before = nft.generation().expect("a number");
        nft.claim(&table()).expect("still ours");
        assert_eq!(nft.generation().expect("a number"), before);
    });
}

#[test]
fn the_next_socket_adopts_what_the_last_one_left() {
    in_a_namespace(|| {
        let mut first = Nft::open().expect("a socket");
        first.claim(&table()).expect("ours");
        let mut batch = Batch::new();
        batch.add_chain(&table(), &forward());
        apply(&mut first, &batch);
        let mut second = Nft::open().expect("a socket");
        let error = second.claim(&table()).expect_err("the first has it");
        assert_eq!(error.errno(), Some(libc::EPERM), "{error}");
        drop(first);
        // A process that another test starts just now holds the first socket, too, until it is another program.
        let adopted = (0..200).find_map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            second.claim(&table()).ok()
        });
        let adopted = adopted.expect("it has no owner");
        assert_eq!(second.tables().expect("a dump"), [adopted]);
        assert_eq!(second.chains(&table()).expect("a dump"), [forward()]);
        assert!(refused("nft add chain inet netloom intruder"));
        run("nft flush ruleset");
        let mut batch = Batch::new();
        batch.delete_table(&table());
        apply(&mut second, &batch);
        assert_eq!(run("nft list ruleset"), "");
    });
}

#[test]
fn a_table_that_is_there_without_an_owner_is_used_as_it_is() {
    in_a_namespace(|| {
        run("nft add table inet netloom");
        let mut nft = Nft::open().expect("a socket");
        assert_eq!(nft.claim(&table()).expect("usable"), Table::open(table()));
        let mut batch = Batch::new();
        batch.add_chain(&table(), &forward());
        apply(&mut nft, &batch);
        run("nft add chain inet netloom another");
    });
}
