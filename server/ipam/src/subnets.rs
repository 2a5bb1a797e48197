//! Subnets: whether one overlaps what is taken, which one of that size is free next, where an automatic one fits.
//!
//! What must not live here: reading what is taken. The caller gathers it from pools, routes, nameservers and peers.

use ipnet::IpNet;
use netloom_model::net::{Family, Span, from_number, to_number};

use crate::spans::overlap;

/// The blocks that private addressing uses (RFC 1918, RFC 4193): where the next free subnet is looked for.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"];

/// Addresses no subnet may hold, with the reason: they mean something else everywhere.
const SPECIAL: [(&str, &str); 7] = [
    ("0.0.0.0/8", "0.0.0.0/8 means this host"),
    ("127.0.0.0/8", "127.0.0.0/8 is loopback"),
    ("224.0.0.0/4", "224.0.0.0/4 is multicast"),
    ("240.0.0.0/4", "240.0.0.0/4 is not usable"),
    ("::/8", "::/8 holds loopback, IPv4-mapped and translated addresses"),
    ("fe80::/10", "fe80::/10 is link-local, which every interface has of its own"),
    ("ff00::/8", "ff00::/8 is multicast"),
];

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok()
}

/// Why a subnet can't be one, if it can't: it holds addresses that mean something else everywhere.
pub fn special(subnet: IpNet) -> Option<&'static str> {
    let span = Span::of(subnet);
    SPECIAL.iter().find(|(text, _)| net(text).is_some_and(|s| overlap(Span::of(s), span))).map(|(_, reason)| *reason)
}

/// The first subnet of this prefix length in `within`, at or above `from`, that shares no address with anything taken.
fn first_free(within: IpNet, prefix_length: u8, from: u128, taken: &[Span]) -> Option<IpNet> {
    if prefix_length < within.prefix_len() || prefix_length > within.max_prefix_len() {
        return None;
    }
    let size = 1u128.checked_shl(u32::from(within.max_prefix_len() - prefix_length))?;
    let whole = Span::of(within);
    let last = to_number(whole.high);
    // Round up to a multiple of the size; IPv4-mapped numbers keep IPv4's alignment.
    let align = |number: u128| number.checked_add(size - 1).map(|n| n & !(size - 1));
    let mut low = align(from.max(to_number(whole.low)))?;
    loop {
        let high = low.checked_add(size - 1)?;
        if high > last {
            return None;
        }
        let candidate = Span { low: from_number(low), high: from_number(high) };
        match taken.iter().filter(|span| overlap(**span, candidate)).map(|span| to_number(span.high)).max() {
            None => return IpNet::new(candidate.low, prefix_length).ok(),
            Some(end) => low = align(end.checked_add(1)?)?,
        }
    }
}

/// The next free subnet of the size of one that overlaps: upwards from it, then from the start of the private block that it is in
/// (of 10.0.0.0/8 or fd00::/8 when it is in none).
pub fn next_free(subnet: IpNet, taken: &[Span]) -> Option<IpNet> {
    let blocks = || PRIVATE.iter().filter_map(|text| net(text));
    let family = Family::of(subnet.network());
    let block = blocks()
        .find(|block| block.contains(&subnet))
        .or_else(|| blocks().find(|block| Family::of(block.network()) == family))?;
    let above = to_number(subnet.broadcast()).checked_add(1)?;
    first_free(block, subnet.prefix_len(), above, taken).or_else(|| first_free(block, subnet.prefix_len(), 0, taken))
}

/// Cuts a subnet out of the default pools, the first that fits, clear of everything taken.
pub fn cut(pools: &[IpNet], prefix_length: u8, taken: &[Span]) -> Option<IpNet> {
    fitting(pools, prefix_length, taken).next().map(|(subnet, _)| subnet)
}

/// Every subnet of this prefix length in the pools that is clear of everything taken, in the order in which they would be cut, each with the
/// pool that it lies in.
pub fn fitting<'a>(
    pools: &'a [IpNet],
    prefix_length: u8,
    taken: &'a [Span],
) -> impl Iterator<Item = (IpNet, IpNet)> + 'a {
    pools.iter().flat_map(move |pool| {
        let next = move |before: &IpNet| {
            let from = to_number(before.broadcast()).checked_add(1)?;
            first_free(*pool, prefix_length, from, taken)
        };
        std::iter::successors(first_free(*pool, prefix_length, 0, taken), next).map(move |subnet| (subnet, *pool))
    })
}

#[cfg(test)]
mod tests;
