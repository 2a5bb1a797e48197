//! nftables by netlink against the kernel, each test in a network namespace of its own; `nft` and real packets judge.

mod events;
mod ownership;
mod recipes;
mod topology;
mod traffic;
mod transactions;

use netloom_kernel::nft::Nft;
use netloom_nftables::rule::Position;
use netloom_nftables::{Batch, Chain, Family, Hook, Policy, Rule, Table, TableId};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value as Json;

use crate::host::{json, run};

/// Runs a test in a fresh network namespace.
fn in_a_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("tests of the kernel run as root");
        run("ip link set lo up");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn table() -> TableId {
    TableId::new(Family::INET, "netloom")
}

fn forward() -> Chain {
    Chain::filter("forward", Hook::FORWARD, -10, Policy::Accept)
}

fn postrouting() -> Chain {
    Chain::nat("postrouting", Hook::POSTROUTING, 100)
}

fn prerouting() -> Chain {
    Chain::nat("prerouting", Hook::PREROUTING, -100)
}

/// Chains by name, with rules, in a table that anybody may change.
fn with_rules(batch: &mut Batch, chain: &Chain, rules: &[Rule]) {
    batch.add_table(&Table::open(table())).add_chain(&table(), chain);
    for rule in rules {
        batch.add_rule(&table(), &chain.name, Position::Last, rule);
    }
}

/// Does a batch that succeeds.
fn apply(nft: &mut Nft, batch: &Batch) -> u32 {
    nft.transact(batch).unwrap_or_else(|error| panic!("{error}"))
}

/// What `nft` says is there: the objects of a kind, such as `rule`.
fn listed(kind: &str) -> Vec<Json> {
    let ruleset = json("nft -j list ruleset");
    let objects = ruleset["nftables"].as_array().expect("a list").iter();
    objects.filter_map(|object| object.get(kind)).cloned().collect()
}
