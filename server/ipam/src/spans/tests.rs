//! Free spans always make up the pool: whatever is taken and given back, in whatever order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn span(low: &str, high: &str) -> Span {
    Span { low: ip(low), high: ip(high) }
}

/// A pool's free spans, changed only through the functions under test.
struct Free(Vec<Span>);

impl Free {
    fn apply(&mut self, change: &Change) {
        for gone in &change.remove {
            let at = self.0.iter().position(|span| span == gone).expect("only spans that exist are removed");
            self.0.remove(at);
        }
        self.0.extend(&change.insert);
        self.0.sort_by_key(|span| to_number(span.low));
    }

    fn take_lowest(&mut self, range: Span) -> Option<IpAddr> {
        let free = *self.0.iter().find(|span| span.overlaps(&range))?;
        let address = lowest(free, range)?;
        self.apply(&take(free, single(address)).expect("the span contains its own lowest address"));
        Some(address)
    }

    fn give(&mut self, address: IpAddr) {
        let number = to_number(address);
        let below = self.0.iter().copied().find(|span| to_number(span.high) + 1 == number);
        let above = self.0.iter().copied().find(|span| to_number(span.low) == number + 1);
        self.apply(&give_back(single(address), below, above));
    }
}

#[test]
fn the_middle_splits_and_the_ends_shrink() {
    let free = span("10.0.0.1", "10.0.0.9");
    let middle = take(free, span("10.0.0.4", "10.0.0.5")).expect("inside");
    assert_eq!(middle.insert, [span("10.0.0.1", "10.0.0.3"), span("10.0.0.6", "10.0.0.9")]);
    assert_eq!(take(free, single(ip("10.0.0.1"))).expect("inside").insert, [span("10.0.0.2", "10.0.0.9")]);
    assert_eq!(take(free, free).expect("inside").insert, []);
    assert_eq!(take(free, span("10.0.0.9", "10.0.0.10")), None);
}

#[test]
fn the_dynamic_range_bounds_the_choice() {
    let range = span("10.0.0.128", "10.0.0.255");
    assert_eq!(lowest(span("10.0.0.2", "10.0.0.254"), range), Some(ip("10.0.0.128")));
    assert_eq!(lowest(span("10.0.0.2", "10.0.0.100"), range), None);
}

#[test]
fn a_span_is_written_as_the_subnet_that_it_is() {
    let cases = [
        ("10.0.0.0", "10.0.0.255", "10.0.0.0/24"),
        ("10.0.0.128", "10.0.0.255", "10.0.0.128/25"),
        ("10.0.0.2", "10.0.0.3", "10.0.0.2/31"),
        ("10.0.0.9", "10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", "10.0.0.254", "10.0.0.1-10.0.0.254"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.1-10.0.0.2"),
        ("10.0.0.64", "10.0.0.191", "10.0.0.64-10.0.0.191"),
        ("0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
        ("fd00::", "fd00::ffff:ffff:ffff:ffff", "fd00::/64"),
        ("fd00::1", "fd00::ffff:ffff:ffff:ffff", "fd00::1-fd00::ffff:ffff:ffff:ffff"),
        ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
    ];
    for (low, high, wanted) in cases {
        assert_eq!(written(span(low, high)), wanted);
    }
}

#[test]
fn neighbours_become_one_span() {
    let spans = consecutive(["10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.255", "10.0.1.0"].map(ip));
    assert_eq!(spans, [span("10.0.0.1", "10.0.0.2"), single(ip("10.0.0.9")), span("10.0.0.255", "10.0.1.0")]);
}

proptest! {
    #[test]
    fn what_is_written_of_a_span_is_read_as_that_span(low in any::<u32>(), length in 0u32..5000, six in any::<bool>()) {
        let base = if six { to_number(ip("fd00::")) } else { to_number(ip("0.0.0.0")) };
        let high = low.saturating_add(length);
        let span = Span { low: from_number(base + u128::from(low)), high: from_number(base + u128::from(high)) };
        let text = written(span);
        prop_assert_eq!(netloom_model::net::parse_span("/r", &text), Ok(span));
        let aligned = span.len().is_power_of_two() && u128::from(low) % span.len() == 0;
        prop_assert_eq!(text.contains('/'), aligned && span.len() > 1, "{}", text);
    }

    #[test]
    fn taking_and_giving_back_never_loses_or_doubles_an_address(
        steps in proptest::collection::vec((any::<bool>(), 0usize..64), 1..200),
        six in any::<bool>(),
    ) {
        let whole = if six { span("fd00::1", "fd00::40") } else { span("10.0.0.1", "10.0.0.64") };
        let mut free = Free(vec![whole]);
        let mut taken: BTreeSet<u128> = BTreeSet::new();
        for (take_one, pick) in steps {
            if take_one {
                let expected = addresses(whole).find(|a| !taken.contains(&to_number(*a)));
                let got = free.take_lowest(whole);
                prop_assert_eq!(got, expected, "lowest free first");
                taken.extend(got.map(to_number));
            } else if let Some(number) = taken.iter().copied().nth(pick % taken.len().max(1)) {
                taken.remove(&number);
                free.give(from_number(number));
            }
            let total: u128 = free.0.iter().map(Span::len).sum();
            prop_assert_eq!(total + taken.len() as u128, 64);
            for pair in free.0.windows(2) {
                prop_assert!(to_number(pair[0].high) + 1 < to_number(pair[1].low), "disjoint and merged: {:?}", pair);
            }
        }
    }
}

#[test]
fn addresses_next_to_each_other_are_one_run() {
    let runs = |addresses: &[&str]| -> Vec<String> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        super::runs(addresses).into_iter().map(written).collect()
    };
    assert!(runs(&[]).is_empty());
    assert_eq!(runs(&["10.0.0.9", "10.0.0.3", "10.0.0.2", "10.0.0.4", "10.0.0.3"]), ["10.0.0.2-10.0.0.4", "10.0.0.9"]);
    assert_eq!(runs(&["10.0.0.255", "10.0.1.0"]), ["10.0.0.255-10.0.1.0"]);
    assert_eq!(runs(&["255.255.255.255", "255.255.255.254"]), ["255.255.255.254/31"]);
    assert_eq!(runs(&["fd00::ffff", "fd00::1:0", "fd00::2"]), ["fd00::2", "fd00::ffff-fd00::1:0"]);
}

proptest! {
    #[test]
    fn runs_hold_the_addresses_and_no_others_and_never_touch(
        numbers in proptest::collection::btree_set(0u32..200, 0..100)
    ) {
        let addresses = numbers.iter().map(|number| IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + number)));
        let runs = super::runs(addresses.clone());
        let within: Vec<IpAddr> = (0..200u32)
            .map(|number| IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + number)))
            .filter(|address| runs.iter().any(|run| run.contains(*address)))
            .collect();
        prop_assert_eq!(within, addresses.collect::<Vec<_>>());
        for pair in runs.windows(2) {
            prop_assert!(to_number(pair[0].high) + 1 < to_number(pair[1].low));
        }
    }
}
