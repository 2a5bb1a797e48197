//! Free spans: the next free address, and what a span becomes when part of it is taken or given back.
//!
//! The free spans of a pool are disjoint and never touch: two neighbours are always merged. What must not live here: which pool.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::net::{Family, Span, from_number, to_number};

/// What to do to a pool's free spans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Spans that are no longer as they were.
    pub remove: Vec<Span>,
    /// Spans that are there instead.
    pub insert: Vec<Span>,
}

/// A span of one address.
pub const fn single(address: IpAddr) -> Span {
    Span { low: address, high: address }
}

/// Whether two spans of one family share an address. Spans of different families never do, although an IPv6 span
/// may hold the numbers of IPv4-mapped addresses.
pub fn overlap(a: Span, b: Span) -> bool {
    Family::of(a.low) == Family::of(b.low) && a.overlaps(&b)
}

/// The part that two spans share.
pub fn intersection(a: Span, b: Span) -> Option<Span> {
    if !overlap(a, b) {
        return None;
    }
    let low = to_number(a.low).max(to_number(b.low));
    let high = to_number(a.high).min(to_number(b.high));
    Some(Span { low: from_number(low), high: from_number(high) })
}

/// The lowest address of a free span that lies within the dynamic range.
pub fn lowest(free: Span, range: Span) -> Option<IpAddr> {
    intersection(free, range).map(|part| part.low)
}

/// Takes `taken` out of the free span that contains it. `None` when it doesn't contain all of it.
pub fn take(free: Span, taken: Span) -> Option<Change> {
    if !(free.contains(taken.low) && free.contains(taken.high)) {
        return None;
    }
    let mut insert = Vec::with_capacity(2);
    if to_number(free.low) < to_number(taken.low) {
        insert.push(Span { low: free.low, high: from_number(to_number(taken.low) - 1) });
    }
    if to_number(taken.high) < to_number(free.high) {
        insert.push(Span { low: from_number(to_number(taken.high) + 1), high: free.high });
    }
    Some(Change { remove: vec![free], insert })
}

/// Gives `back` to a pool whose free spans `below` and `above` end just below and start just above it, where there are such.
pub fn give_back(back: Span, below: Option<Span>, above: Option<Span>) -> Change {
    let merged = Span { low: below.map_or(back.low, |span| span.low), high: above.map_or(back.high, |span| span.high) };
    Change { remove: below.into_iter().chain(above).collect(), insert: vec![merged] }
}

/// The spans that addresses of one family make up, lowest first; each address once.
pub fn runs(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<Span> {
    let addresses: BTreeSet<IpAddr> = addresses.into_iter().collect();
    let mut runs: Vec<Span> = Vec::new();
    for address in addresses {
        match runs.last_mut() {
            Some(run) if to_number(run.high).checked_add(1) == Some(to_number(address)) => run.high = address,
            _ => runs.push(single(address)),
        }
    }
    runs
}

/// A span as people write it: a subnet in CIDR form where it is exactly one, else `first-last`; a single address stands alone.
/// [`netloom_model::net::parse_span`] reads all three.
pub fn written(span: Span) -> String {
    if span.low == span.high {
        return span.low.to_string();
    }
    match subnet(span) {
        Some(subnet) => subnet.to_string(),
        None => span.to_string(),
    }
}

/// The subnet that has exactly these addresses, if there is one.
fn subnet(span: Span) -> Option<IpNet> {
    let (low, high) = (to_number(span.low), to_number(span.high));
    // In a subnet the ends differ in the host's bits alone, which are 0 in the one and 1 in the other.
    let host = low ^ high;
    let fits = low & host == 0 && host & host.wrapping_add(1) == 0;
    let bits = u8::try_from(host.count_ones()).ok()?;
    let prefix = Family::of(span.low).bits().checked_sub(bits)?;
    IpNet::new(span.low, prefix).ok().filter(|_| fits)
}

/// Consecutive addresses as spans, lowest first. `addresses` must be in ascending order, without repetition.
pub fn consecutive(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for address in addresses {
        match spans.last_mut() {
            Some(last) if to_number(last.high).checked_add(1) == Some(to_number(address)) => last.high = address,
            _ => spans.push(single(address)),
        }
    }
    spans
}

/// Every address of a span, lowest first. The caller bounds the length.
pub fn addresses(span: Span) -> impl Iterator<Item = IpAddr> {
    (to_number(span.low)..=to_number(span.high)).map(from_number)
}

#[cfg(test)]
mod tests;
