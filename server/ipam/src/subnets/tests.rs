//! A subnet that was chosen is aligned, inside its block, and clear of all that is taken; and none below it was free.

use super::*;
use proptest::prelude::*;

fn nets(texts: &[&str]) -> Vec<Span> {
    texts.iter().map(|text| Span::of(text.parse().expect("a subnet"))).collect()
}

fn subnet(text: &str) -> IpNet {
    text.parse().expect("a subnet")
}

#[test]
fn the_next_free_subnet_follows_the_refused_one() {
    let taken = nets(&["192.168.122.0/24", "192.168.123.0/25"]);
    assert_eq!(next_free(subnet("192.168.122.0/24"), &taken), Some(subnet("192.168.124.0/24")));
    assert_eq!(next_free(subnet("192.168.122.0/25"), &taken), Some(subnet("192.168.123.128/25")));
}

#[test]
fn it_wraps_to_the_start_of_the_block() {
    let taken = nets(&["192.168.255.0/24", "192.168.0.0/24"]);
    assert_eq!(next_free(subnet("192.168.255.0/24"), &taken), Some(subnet("192.168.1.0/24")));
    assert_eq!(next_free(subnet("192.168.0.0/16"), &nets(&["192.168.4.0/24"])), None);
    assert_eq!(next_free(subnet("203.0.113.0/24"), &nets(&["203.0.113.0/24"])), Some(subnet("10.0.0.0/24")));
    assert_eq!(next_free(subnet("fd00::/64"), &nets(&["fd00::/64"])), Some(subnet("fd00:0:0:1::/64")));
}

#[test]
fn automatic_subnets_come_from_the_first_pool_with_room() {
    let pools = [subnet("10.200.0.0/23"), subnet("10.210.0.0/16")];
    assert_eq!(cut(&pools, 24, &[]), Some(subnet("10.200.0.0/24")));
    assert_eq!(cut(&pools, 24, &nets(&["10.200.0.0/24"])), Some(subnet("10.200.1.0/24")));
    assert_eq!(cut(&pools, 24, &nets(&["10.200.0.0/15"])), Some(subnet("10.210.0.0/24")));
    assert_eq!(cut(&pools, 16, &[]), Some(subnet("10.210.0.0/16")));
    assert_eq!(cut(&pools, 8, &[]), None);
    assert_eq!(cut(&pools, 33, &[]), None);
    assert_eq!(cut(&[subnet("fd00::/48")], 64, &nets(&["fd00::/64"])), Some(subnet("fd00:0:0:1::/64")));
}

#[test]
fn special_ranges_are_named() {
    for text in ["127.0.0.0/8", "224.0.1.0/24", "0.0.0.0/24", "::/16", "fe80::/64", "ff02::/64"] {
        assert!(special(subnet(text)).is_some(), "{text}");
    }
    for text in ["10.0.0.0/8", "192.168.122.0/24", "100.64.0.0/10", "2001:db8::/32", "fd00::/8"] {
        assert!(special(subnet(text)).is_none(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_cut_is_the_first_free_aligned_block(
        starts in proptest::collection::vec((0u32..4096, 20u8..=32), 0..40),
        prefix in 21u8..=30,
    ) {
        let pool = subnet("10.200.0.0/20");
        let taken: Vec<Span> = starts
            .iter()
            .map(|(offset, length)| {
                let low = std::net::Ipv4Addr::from_bits(u32::from_be_bytes([10, 200, 0, 0]) + offset);
                Span::of(IpNet::new(low.into(), *length).expect("a length up to 32").trunc())
            })
            .collect();
        let expected = pool
            .subnets(prefix)
            .expect("a longer prefix")
            .find(|candidate| !taken.iter().any(|span| span.overlaps(&Span::of(*candidate))));
        prop_assert_eq!(cut(&[pool], prefix, &taken), expected);
    }
}
