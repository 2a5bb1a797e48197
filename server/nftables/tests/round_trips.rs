//! What is encoded reads as what it was: elements, comments, rules, sets, through the messages of a batch, and what a
//! batch says of itself.
#![allow(clippy::unwrap_used)]

use netloom_nftables::message::{Kind, Message, messages};
use netloom_nftables::rule::Position;
use netloom_nftables::{
    Batch, Chain, Comment, DataType, Element, Family, Hook, Policy, Rule, Set, Table, TableId, Value, Verdict, dump,
};
use proptest::prelude::*;

fn table() -> TableId {
    TableId::new(Family::INET, "netloom")
}

/// What a reader makes of the operations of a batch.
fn read<T>(batch: &Batch, reader: impl Fn(&Message<'_>) -> Option<T>) -> Vec<T> {
    messages(&batch.encode(1)).filter_map(|message| reader(&message)).collect()
}

fn comments() -> impl Strategy<Value = Option<Comment>> {
    let short = "[ -!#-~éλ]{0,60}".prop_map(|text| Comment::new(text).unwrap());
    prop::option::of(short)
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Accept),
        Just(Verdict::Drop),
        Just(Verdict::Continue),
        Just(Verdict::Return),
        "[a-z]{1,30}".prop_map(Verdict::Jump),
        "[a-z]{1,30}".prop_map(Verdict::Goto),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    prop::collection::vec(any::<u8>(), 1..=64).prop_map(Value::new)
}

fn elements() -> impl Strategy<Value = Element> {
    let data = prop_oneof![values().prop_map(Ok), verdicts().prop_map(Err)];
    let parts = (values(), prop::option::of(values()), any::<bool>(), prop::option::of(data), comments());
    parts.prop_map(|(key, key_end, interval_end, data, comment)| {
        let element = Element { key_end, interval_end, comment, ..Element::new(key) };
        match data {
            Some(Ok(value)) => element.value(value),
            Some(Err(verdict)) => element.verdict(verdict),
            None => element,
        }
    })
}

proptest! {
    #[test]
    fn elements_come_back(elements in prop::collection::vec(elements(), 0..40)) {
        let mut batch = Batch::new();
        batch.add_elements(&table(), "members", &elements);
        let there: Vec<Element> = read(&batch, dump::elements).into_iter().flat_map(Result::unwrap).collect();
        prop_assert_eq!(there, elements);
    }

    #[test]
    fn rules_come_back_with_their_comments(verdict in verdicts(), comment in comments(), mark: u32, count: bool) {
        let mut rule = Rule { comment, ..Rule::new().mark(mark, mark) };
        if count {
            rule = rule.counter();
        }
        let rule = rule.verdict(&verdict);
        let mut batch = Batch::new();
        batch.replace_rule(&table(), "forward", 7, &rule);
        let there = read(&batch, dump::rule).pop().unwrap().unwrap();
        prop_assert_eq!((there.rule, there.handle), (rule, 7));
        prop_assert_eq!(there.counted.is_some(), count);
    }

    #[test]
    fn a_comment_is_what_nft_can_read_again(text in "\\PC{0,140}") {
        let fits = text.len() <= 127 && !text.contains('"') && !text.chars().any(char::is_control);
        prop_assert_eq!(Comment::new(text).is_ok(), fits);
    }

    #[test]
    fn a_network_is_where_it_begins_and_where_it_ends(address: u32, prefix in 0u8..=32) {
        let net = ipnet::Ipv4Net::new(address.into(), prefix).unwrap();
        let elements = Element::network(net.into());
        let number = |element: &Element| u32::from_be_bytes(element.key.as_bytes().try_into().unwrap());
        prop_assert_eq!(number(&elements[0]), u32::from(net.network()));
        match net.broadcast().to_bits().checked_add(1) {
            Some(end) => prop_assert!(number(&elements[1]) == end && elements[1].interval_end),
            None => prop_assert_eq!(elements.len(), 1),
        }
    }

    #[test]
    fn fields_of_a_concatenation_come_back(address: [u8; 16], name in "[a-z]{1,15}", protocol: u8, port: u16) {
        let types =
            [DataType::IPV6_ADDR, DataType::IFNAME, DataType::INET_PROTO, DataType::INET_SERVICE];
        let fields =
            [Value::new(address), Value::ifname(&name), Value::inet_proto(protocol), Value::inet_service(port)];
        let value = Value::concatenation(&fields);
        let whole = DataType::concatenation(&types);
        prop_assert_eq!(value.as_bytes().len(), whole.length as usize);
        let there = value.fields(whole);
        prop_assert_eq!(there[0].to_address(), Some(std::net::Ipv6Addr::from(address).into()));
        prop_assert_eq!(there[1].to_ifname(), name);
        prop_assert_eq!(there[3].to_inet_service(), Some(port));
        prop_assert_eq!(&there, &fields);
    }

    #[test]
    fn any_bytes_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for message in messages(&bytes) {
            let _ = (dump::rule(&message), dump::elements(&message), message.acknowledgement());
        }
    }
}

#[test]
fn tables_chains_and_sets_come_back() {
    let chain = Chain::filter("forward", Hook::FORWARD, -10, Policy::Drop);
    let key = DataType::concatenation(&[DataType::IPV4_ADDR, DataType::INET_PROTO, DataType::INET_SERVICE]);
    let set = Set::new("services", key).map_to(DataType::VERDICT).interval();
    assert!(set.is_interval());
    let mut batch = Batch::new();
    batch.add_table(&Table::owned(table())).add_chain(&table(), &chain).add_set(&table(), &set);
    assert_eq!(read(&batch, dump::table), [Ok(Table::owned(table()))]);
    assert_eq!(read(&batch, dump::chain), [Ok((table(), chain))]);
    assert_eq!(read(&batch, dump::set), [Ok((table(), set))]);
}

#[test]
fn many_elements_go_in_messages_that_fit() {
    let element = |number: u32| Element::new(Value::mark(number));
    let long = |number: u32| element(number).comment(Comment::new("x".repeat(127)).unwrap());
    for elements in [(0..1201).map(element).collect::<Vec<_>>(), (0..1201).map(long).collect()] {
        let mut batch = Batch::new();
        batch.add_elements(&table(), "members", &elements);
        let parts: Vec<Vec<Element>> = read(&batch, dump::elements).into_iter().map(Result::unwrap).collect();
        assert!(parts.iter().all(|part| part.len() <= 500));
        assert_eq!(parts.concat(), elements);
    }
    let mut batch = Batch::new();
    assert!(batch.add_elements(&table(), "members", &[]).is_empty());
}

#[test]
fn a_sequence_number_names_its_operation() {
    let mut batch = Batch::new();
    let comment = Comment::new("net_1:00").unwrap();
    batch
        .add_table(&Table::open(table()))
        .add_rule(&table(), "forward", Position::Last, &Rule::new().accept().comment(comment))
        .delete_elements(&table(), "members", &[Element::new(Value::mark(1))])
        .delete_rule(&table(), "forward", 12);
    let words = [
        "the transaction",
        "add table inet netloom",
        "add rule \"net_1:00\" to chain inet netloom forward",
        "delete 1 element from set inet netloom members",
        "delete rule with handle 12 from chain inet netloom forward",
        "the transaction",
    ];
    for (sequence, words) in (41..).zip(words) {
        assert_eq!(batch.describe(41, sequence, None), words);
    }
    let sequences: Vec<u32> = messages(&batch.encode(41)).map(|message| message.sequence).collect();
    assert_eq!(sequences, [41, 42, 43, 44, 45, 46]);
    assert_eq!(batch.last_sequence(41), 45);
}

#[test]
fn an_offset_names_the_element() {
    let elements: Vec<Element> = (1..=3).map(|port| Element::new(Value::inet_service(port))).collect();
    let mut batch = Batch::new();
    batch.add_elements(&table(), "ports", &elements);
    // Header 20, table 12, set 12, head of the list 4; an element of two bytes takes 16.
    for (offset, key) in [(48, "0001"), (64, "0002"), (80, "0003")] {
        let words = format!("add 3 elements to set inet netloom ports: the one with key {key}");
        assert_eq!(batch.describe(1, 2, Some(offset)), words);
    }
    assert_eq!(batch.describe(1, 2, Some(20)), "add 3 elements to set inet netloom ports");
}

#[test]
fn the_first_operation_asks_for_an_echo_and_the_last_for_an_acknowledgement() {
    let mut batch = Batch::at_generation(9);
    assert_eq!((batch.generation(), batch.len()), (Some(9), 0));
    batch.delete_set(&table(), "members").delete_chain(&table(), "forward").destroy_table(&table());
    let flags: Vec<u16> = messages(&batch.encode(1)).map(|message| message.flags).collect();
    assert_eq!(flags, [0x1, 0x9, 0x1, 0x5, 0x1]);
    let bytes = batch.encode(1);
    let kinds: Vec<Option<Kind>> = messages(&bytes).map(|message| message.kind()).collect();
    assert_eq!(kinds[1..4], [Some(Kind::DELETE_SET), Some(Kind::DELETE_CHAIN), Some(Kind::DESTROY_TABLE)]);
    // NFNL_BATCH_GENID behind the opening's header.
    assert_eq!(bytes[20..28], [8, 0, 1, 0, 0, 0, 0, 9]);
    let mut both = Batch::new();
    both.append(batch.clone());
    both.append(batch);
    assert_eq!(both.len(), 6);
}
