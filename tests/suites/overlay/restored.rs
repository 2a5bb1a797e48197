//! A manager whose store is put back to how it was before: what workers hold since then is known again, and nobody else gets their addresses.

use netloom_tests::until;

use crate::agreement::agree;
use crate::kit::{SOON, address, attach, hosts, knows, pings, remove, swarm};

#[test]
fn what_a_restored_manager_does_not_know_is_told_by_who_holds_it() {
    let lab = hosts(2);
    let hosts = swarm(&lab);
    let [one, two] = hosts.as_slice() else { panic!("two hosts") };
    attach(one, "a");
    attach(two, "before");
    assert_eq!(agree(&hosts, "two attachments"), 2);
    let directories = format!("--data-dir {} --run-dir {}", one.data_dir.display(), one.run_dir.display());
    let file = lab.beside().join("backup.db");
    lab.netloom(&format!("backup {directories} {}", file.display())).ok();
    remove(two, "before");
    attach(two, "since");
    let held = address(two, "since");
    assert_eq!(agree(&hosts, "one went, and one came"), 2);
    one.stop();
    lab.netloom(&format!("restore --yes {directories} {}", file.display())).ok();
    one.start();
    knows(two);
    // What went since comes free, what came since is held.
    assert_eq!(agree(&hosts, "the manager's store was restored"), 2);
    until("it is reached again", SOON, || pings(one, "a", &held).then_some(()));
    attach(one, "new");
    assert_ne!(address(one, "new"), held);
    assert_eq!(agree(&hosts, "an attachment after that"), 3);
    lab.netloom("lab down").ok();
}
