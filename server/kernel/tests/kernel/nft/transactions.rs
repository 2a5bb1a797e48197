//! All or nothing, many elements, and what an error says.

use std::net::Ipv4Addr;

use netloom_kernel::nft::{Nft, NftError};
use netloom_nftables::rule::Position;
use netloom_nftables::{Batch, Comment, DataType, Element, Rule, Set, Table, Value};

use super::{apply, forward, in_a_namespace, listed, table, with_rules};
use crate::host::run;

fn addresses(count: u32) -> Vec<Element> {
    (0..count).map(|number| Element::new(Ipv4Addr::from_bits(0x0a00_0000 + number).into())).collect()
}

/// A socket, and a table with one set of addresses.
fn with_a_set() -> Nft {
    let mut nft = Nft::open().expect("a socket");
    let mut batch = Batch::new();
    batch.add_table(&Table::open(table())).add_set(&table(), &Set::new("members", DataType::IPV4_ADDR));
    apply(&mut nft, &batch);
    nft
}

#[test]
fn of_a_batch_with_one_bad_operation_nothing_is_done() {
    in_a_namespace(|| {
        let mut nft = Nft::open().expect("a socket");
        let before = nft.generation().expect("a number");
        let astray = Rule::new().jump("nowhere").comment(Comment::new("net_1:00").expect("short"));
        let mut batch = Batch::new();
        with_rules(&mut batch, &forward(), &[Rule::new().accept(), astray, Rule::new().drop()]);
        batch.add_set(&table(), &Set::new("members", DataType::IPV4_ADDR));
        let error = nft.transact(&batch).expect_err("there is no such chain");
        let NftError::Refused { operation, errno, .. } = &error else { panic!("{error}") };
        assert_eq!(operation, "add rule \"net_1:00\" to chain inet netloom forward");
        assert_eq!(*errno, libc::ENOENT);
        assert!(error.to_string().contains("ENOENT"), "{error}");
        assert_eq!(run("nft list ruleset"), "");
        assert_eq!(nft.generation().expect("a number"), before);
    });
}

#[test]
fn an_error_names_the_element_among_many() {
    in_a_namespace(|| {
        let mut nft = with_a_set();
        let mut batch = Batch::new();
        batch.add_elements(&table(), "members", &addresses(1200)[777..778]);
        apply(&mut nft, &batch);
        let mut batch = Batch::new();
        batch.create_elements(&table(), "members", &addresses(1200));
        assert_eq!(batch.len(), 3);
        let error = nft.transact(&batch).expect_err("one is there");
        assert_eq!(error.errno(), Some(libc::EEXIST));
        let words = "create 500 elements in set inet netloom members: the one with key 0a000309: ";
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(nft.elements(&table(), "members").expect("a dump").len(), 1);
    });
}

#[test]
fn thousands_of_elements_are_added_dumped_found_and_deleted() {
    in_a_namespace(|| {
        let mut nft = with_a_set();
        let elements = addresses(5000);
        let mut batch = Batch::new();
        batch.add_elements(&table(), "members", &elements);
        apply(&mut nft, &batch);
        assert!(nft.elements(&table(), "members").expect("a dump") == elements, "all of them, each once");
        // `nft`, too, lists some twice and others not while the kernel makes the table larger.
        let all = || listed("set")[0]["elem"].as_array().map(Vec::len) == Some(5000);
        assert!((0..5).any(|_| all()), "nft lists as many");
        let asked = [&addresses(5300)[4800..], &elements[..3]].concat();
        let found = nft.find_elements(&table(), "members", &asked).expect("answers");
        assert_eq!(found, [&elements[4800..], &elements[..3]].concat());
        let mut batch = Batch::new();
        batch.delete_elements(&table(), "members", &elements);
        apply(&mut nft, &batch);
        assert_eq!(nft.elements(&table(), "members").expect("a dump"), []);
        assert!(listed("set")[0].get("elem").is_none());
        // Deleting is strict, destroying is not.
        let mut batch = Batch::new();
        batch.delete_elements(&table(), "members", &elements[..1]);
        assert!(nft.transact(&batch).expect_err("gone").is_absent());
        let mut batch = Batch::new();
        batch.destroy_elements(&table(), "members", &elements[..1]);
        apply(&mut nft, &batch);
    });
}

#[test]
fn the_generation_is_the_one_that_was_made_and_guards_the_next() {
    in_a_namespace(|| {
        let mut nft = with_a_set();
        let before = nft.generation().expect("a number");
        let mut batch = Batch::at_generation(before);
        batch.add_elements(&table(), "members", &addresses(1));
        let after = apply(&mut nft, &batch);
        assert_eq!(after, before + 1);
        assert_eq!(nft.generation().expect("a number"), after);
        // What is there already changes nothing.
        let mut batch = Batch::new();
        batch.add_table(&Table::open(table()));
        assert_eq!(apply(&mut nft, &batch), after);
        assert_eq!(apply(&mut nft, &Batch::new()), after);
        run("nft add table ip foreign");
        let mut batch = Batch::at_generation(after);
        batch.add_elements(&table(), "members", &addresses(2));
        let error = nft.transact(&batch).expect_err("somebody was there");
        assert!(matches!(error, NftError::GenerationMoved), "{error}");
        assert_eq!(nft.elements(&table(), "members").expect("a dump").len(), 1);
    });
}

#[test]
fn rules_go_where_they_are_put_and_are_replaced_and_deleted_by_handle() {
    in_a_namespace(|| {
        let mut nft = Nft::open().expect("a socket");
        let named = |name: &str| Rule::new().iifname("nl-a").accept().comment(Comment::new(name).expect("short"));
        let mut batch = Batch::new();
        with_rules(&mut batch, &forward(), &[named("b")]);
        batch.add_rule(&table(), "forward", Position::First, &named("a"));
        batch.add_rule(&table(), "forward", Position::Last, &named("e"));
        apply(&mut nft, &batch);
        let names = |nft: &mut Nft| -> Vec<(String, u64)> {
            let rules = nft.rules(&table()).expect("a dump").into_iter();
            rules.map(|dumped| (dumped.rule.comment.expect("a comment").to_string(), dumped.handle)).collect()
        };
        let there = names(&mut nft);
        let handle = |name: &str| there.iter().find(|(there, _)| there == name).expect("there").1;
        let mut batch = Batch::new();
        batch.add_rule(&table(), "forward", Position::After(handle("b")), &named("c"));
        batch.add_rule(&table(), "forward", Position::Before(handle("e")), &named("d"));
        batch.replace_rule(&table(), "forward", handle("a"), &named("A"));
        batch.delete_rule(&table(), "forward", handle("e"));
        apply(&mut nft, &batch);
        let order: String = names(&mut nft).into_iter().map(|(name, _)| name).collect();
        assert_eq!(order, "Abcd");
        let comments: Vec<String> =
            listed("rule").iter().map(|rule| rule["comment"].as_str().unwrap_or_default().to_owned()).collect();
        assert_eq!(comments.concat(), order);
        let mut batch = Batch::new();
        batch.flush_chain(&table(), "forward");
        apply(&mut nft, &batch);
        assert_eq!(listed("rule").len(), 0);
        let mut batch = Batch::new();
        batch.delete_chain(&table(), "forward").delete_table(&table()).destroy_table(&table());
        apply(&mut nft, &batch);
        assert_eq!(run("nft list ruleset"), "");
    });
}

#[test]
fn what_is_not_there_is_an_empty_answer_or_a_clear_one() {
    in_a_namespace(|| {
        let mut nft = Nft::open().expect("a socket");
        assert_eq!(nft.tables().expect("a dump"), []);
        assert_eq!(nft.chains(&table()).expect("a dump"), []);
        assert_eq!(nft.rules(&table()).expect("a dump"), []);
        assert_eq!(nft.sets(&table()).expect("a dump"), []);
        assert_eq!(nft.find_elements(&table(), "members", &addresses(1)).expect("an answer"), []);
        let error = nft.elements(&table(), "members").expect_err("there is no such set");
        assert!(error.is_absent());
        assert_eq!(
            error.to_string(),
            "ask for the elements of set inet netloom members: No such file or directory (ENOENT)"
        );
    });
}

#[test]
fn a_key_with_other_data_is_refused_and_a_mapped_value_comes_back() {
    in_a_namespace(|| {
        let mut nft = Nft::open().expect("a socket");
        let element = |mark| Element::new(Value::inet_service(80)).value(Value::mark(mark));
        let mut batch = Batch::new();
        batch
            .add_table(&Table::open(table()))
            .add_set(&table(), &Set::new("marks", DataType::INET_SERVICE).map_to(DataType::MARK))
            .add_elements(&table(), "marks", &[element(7)]);
        apply(&mut nft, &batch);
        let mut batch = Batch::new();
        batch.add_elements(&table(), "marks", &[element(8)]);
        let error = nft.transact(&batch).expect_err("it has another value");
        assert_eq!(error.errno(), Some(libc::EEXIST));
        let mut batch = Batch::new();
        batch.delete_elements(&table(), "marks", &[element(7)]).add_elements(&table(), "marks", &[element(8)]);
        apply(&mut nft, &batch);
        assert_eq!(nft.find_elements(&table(), "marks", &[element(7)]).expect("an answer"), [element(8)]);
        assert!(run("nft list map inet netloom marks").contains("80 : 0x00000008"));
    });
}
