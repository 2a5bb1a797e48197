//! Pools as written: family, subnet, range, gateway, reserved addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_ipam::{defaults, request, spans, subnets};
use netloom_model::Invalid;
use netloom_model::document::escape_pointer;
use netloom_model::invalid::Code;
use netloom_model::name::check_name;
use netloom_model::net::{Family, Span, parse_address, parse_span, parse_subnet, usable};
use netloom_model::network::{GatewayMode, NetworkSpec, PoolSpec};

use super::Problems;

/// Most pools of one network.
pub(crate) const POOLS_MAX: usize = 16;
/// Most entries of one reserved map.
const RESERVED_ENTRIES_MAX: usize = 256;
/// Most addresses of one reserved map.
const RESERVED_ADDRESSES_MAX: u128 = 4096;
/// Shortest and longest prefix of a pool: IPv4 from /8 to /31 (RFC 3021), IPv6 from /16 to /127 (RFC 6164).
const PREFIX: [(Family, u8, u8); 2] = [(Family::V4, 8, 31), (Family::V6, 16, 127)];

/// A pool as wanted, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedPool {
    /// Its key.
    pub(crate) key: String,
    /// Its family.
    pub(crate) family: Family,
    /// The subnet; absent when one is to be cut from the default pools.
    pub(crate) subnet: Option<IpNet>,
    /// Length of the prefix to cut.
    pub(crate) prefix_length: u8,
    /// The range as written.
    pub(crate) range: Option<Span>,
    /// The gateway as written.
    pub(crate) gateway: Option<IpAddr>,
    /// Reserved spans by name.
    pub(crate) reserved: Vec<(String, Span)>,
}

impl WantedPool {
    /// Addresses that dynamic leases come from, once the subnet is known.
    pub(crate) fn range_in(&self, subnet: IpNet) -> Span {
        let whole = usable(subnet);
        self.range.and_then(|range| spans::intersection(range, whole)).unwrap_or(whole)
    }

    /// The router's address on a network, once the subnet is known: the first usable one unless said, where there is one.
    pub(crate) fn gateway_in(&self, network: &NetworkSpec, subnet: IpNet) -> Option<IpAddr> {
        let isolated = network.gateway_mode(Family::of(subnet.addr())) == GatewayMode::Isolated;
        if isolated { None } else { self.gateway.or(Some(usable(subnet).low)) }
    }
}

/// Checks the pools of a network. `known` holds the subnets of pools that exist already, so that an automatic pool's
/// range and reserved map can be edited later.
pub(crate) fn pools(
    problems: &mut Problems,
    network: &NetworkSpec,
    known: &BTreeMap<String, IpNet>,
) -> Vec<WantedPool> {
    let Some(specs) = network.pools.as_ref().filter(|specs| !specs.is_empty()) else { return first() };
    if specs.len() > POOLS_MAX {
        let count = specs.len().to_string();
        problems.add(Invalid::new("/pools", Code::TooLong, &count, format!("a network has at most {POOLS_MAX} pools")));
        return Vec::new();
    }
    let mut wanted: Vec<WantedPool> = Vec::with_capacity(specs.len());
    for (key, spec) in specs {
        let Some(pool) = pool(problems, key, spec, network, known.get(key).copied()) else { continue };
        let twin = wanted
            .iter()
            .find(|other| matches!((other.subnet, pool.subnet), (Some(a), Some(b)) if spans::overlap(Span::of(a), Span::of(b))));
        if let (Some(other), Some(subnet)) = (twin, pool.subnet) {
            let message = format!("it overlaps the subnet of pool `{}`", other.key);
            problems.add(Invalid::new(&at(key, "subnet"), Code::NotAllowedHere, &subnet.to_string(), message));
        }
        wanted.push(pool);
    }
    wanted
}

/// The pools of a network that asks for none.
pub(crate) fn first() -> Vec<WantedPool> {
    vec![automatic("v4")]
}

fn automatic(key: &str) -> WantedPool {
    WantedPool {
        key: key.to_owned(),
        family: Family::V4,
        subnet: None,
        prefix_length: defaults::prefix_length(Family::V4),
        range: None,
        gateway: None,
        reserved: Vec::new(),
    }
}

/// What people call a pool that they mean to be an IPv6 one.
const SIX: [&str; 3] = ["v6", "ipv6", "inet6"];

/// JSON Pointer to a pool's field.
pub(crate) fn at(key: &str, field: &str) -> String {
    format!("/pools/{}/{field}", escape_pointer(key))
}

fn pool(
    problems: &mut Problems,
    key: &str,
    spec: &PoolSpec,
    network: &NetworkSpec,
    known: Option<IpNet>,
) -> Option<WantedPool> {
    problems.check(check_name(&format!("/pools/{}", escape_pointer(key)), key));
    let family = family(problems, key, spec);
    if family.is_none()
        && spec.subnet.is_none()
        && known.is_none()
        && SIX.iter().any(|six| key.eq_ignore_ascii_case(six))
    {
        let message =
            format!("the pool `{key}` would be an IPv4 one: without `subnet`, `family` is 4 unless it is given");
        problems.add(
            Invalid { value: None, ..Invalid::new(&at(key, "family"), Code::Required, "", message) }
                .hint(format!("`\"{key}\": {{\"family\": 6}}` makes an IPv6 one, with a subnet of its own")),
        );
    }
    let subnet = match &spec.subnet {
        Some(text) => Some(subnet(problems, key, text, family)?),
        None => None,
    };
    let family = family.or_else(|| subnet.map(|net| Family::of(net.network()))).unwrap_or(Family::V4);
    let prefix_length = prefix_length(problems, key, spec, family);
    let mut wanted = WantedPool { key: key.to_owned(), family, subnet, prefix_length, ..automatic(key) };
    let Some(subnet) = subnet.or(known) else {
        for (field, given) in [
            ("range", spec.range.is_some()),
            ("gateway", spec.gateway.is_some()),
            ("reserved", spec.reserved.is_some()),
        ] {
            if given {
                let message = "an automatic subnet is not known before it is cut";
                problems.add(
                    Invalid { value: None, ..Invalid::new(&at(key, field), Code::NotAllowedHere, "", message) }
                        .hint("give `subnet` as well, or add this field once the network exists"),
                );
            }
        }
        return Some(wanted);
    };
    wanted.range = spec.range.as_ref().and_then(|text| range(problems, key, text, subnet));
    wanted.gateway = spec.gateway.as_ref().and_then(|text| gateway(problems, key, text, subnet, network));
    if let Some(entries) = &spec.reserved {
        wanted.reserved = reserved(problems, key, entries, subnet);
    }
    Some(wanted)
}

fn family(problems: &mut Problems, key: &str, spec: &PoolSpec) -> Option<Family> {
    match spec.family {
        None => None,
        Some(4) => Some(Family::V4),
        Some(6) => Some(Family::V6),
        Some(other) => {
            problems.add(Invalid::new(&at(key, "family"), Code::OutOfRange, &other.to_string(), "a family is 4 or 6"));
            None
        }
    }
}

pub(crate) fn bounds(family: Family) -> (u8, u8) {
    PREFIX.iter().find(|(of, ..)| *of == family).map_or((0, 128), |(_, short, long)| (*short, *long))
}

fn subnet(problems: &mut Problems, key: &str, text: &str, family: Option<Family>) -> Option<IpNet> {
    let pointer = at(key, "subnet");
    let net = problems.check(block(&pointer, text))?;
    let own = Family::of(net.network());
    if let Some(wanted) = family.filter(|wanted| *wanted != own) {
        let message = format!("the subnet is {own}, and `family` says {}", wanted.number());
        problems.add(Invalid::new(&pointer, Code::WrongFamily, text, message).hint("leave `family` out"));
        return None;
    }
    Some(net)
}

/// A subnet as written, of a size that a pool may have, and of no special use.
///
/// # Errors
/// What of that it is not.
pub(crate) fn block(pointer: &str, text: &str) -> Result<IpNet, Invalid> {
    let net = parse_subnet(pointer, text)?;
    let own = Family::of(net.network());
    let (short, long) = bounds(own);
    if !(short..=long).contains(&net.prefix_len()) {
        let message = format!("an {own} pool's prefix has {short} to {long} bits");
        return Err(Invalid::new(pointer, Code::OutOfRange, text, message));
    }
    if let Some(reason) = subnets::special(net) {
        let example = if own == Family::V4 { "192.168.122.0/24" } else { "fd00:1::/64" };
        return Err(Invalid::new(pointer, Code::OutOfRange, text, reason).hint(format!("for example {example}")));
    }
    Ok(net)
}

fn prefix_length(problems: &mut Problems, key: &str, spec: &PoolSpec, family: Family) -> u8 {
    let Some(length) = spec.prefix_length else { return defaults::prefix_length(family) };
    let (pointer, given) = (at(key, "prefix_length"), length.to_string());
    let (short, long) = bounds(family);
    if spec.subnet.is_some() {
        let message = "`prefix_length` is for an automatic subnet, and `subnet` is given";
        problems.add(Invalid::new(&pointer, Code::NotAllowedHere, &given, message).hint("leave one of the two out"));
    } else if !(short..=long).contains(&length) {
        let message = format!("an {family} pool's prefix has {short} to {long} bits");
        let refused = Invalid::new(&pointer, Code::OutOfRange, &given, message);
        let is_six = spec.family.is_none() && bounds(Family::V6).1 >= length && length > long;
        problems.add(if is_six { refused.hint("for an IPv6 pool say `\"family\": 6`") } else { refused });
    }
    length
}

fn range(problems: &mut Problems, key: &str, text: &str, subnet: IpNet) -> Option<Span> {
    let pointer = at(key, "range");
    let span = problems.check(parse_span(&pointer, text))?;
    if Family::of(span.low) != Family::of(subnet.network()) {
        let message = format!("the range is {}, and the subnet is {subnet}", Family::of(span.low));
        problems.add(Invalid::new(&pointer, Code::WrongFamily, text, message));
        return None;
    }
    let whole = Span::of(subnet);
    if !(whole.contains(span.low) && whole.contains(span.high)) {
        let message = format!("the range must lie within {subnet}");
        problems
            .add(Invalid::new(&pointer, Code::OutOfRange, text, message).hint(format!("within {}", usable(subnet))));
        return None;
    }
    if spans::intersection(span, usable(subnet)).is_none() {
        let message = "the range holds no address that can be given out";
        problems
            .add(Invalid::new(&pointer, Code::OutOfRange, text, message).hint(format!("within {}", usable(subnet))));
        return None;
    }
    Some(span)
}

fn gateway(problems: &mut Problems, key: &str, text: &str, subnet: IpNet, network: &NetworkSpec) -> Option<IpAddr> {
    let pointer = at(key, "gateway");
    let address = problems.check(parse_address(&pointer, text))?;
    if network.gateway_mode(Family::of(subnet.addr())) == GatewayMode::Isolated {
        let (message, hint) = match network.internal {
            Some(true) => ("an internal network has no gateway", "leave `gateway` or `internal` out"),
            _ => ("in gateway mode isolated there is no gateway", "leave `gateway` out, or choose another mode"),
        };
        problems.add(Invalid::new(&pointer, Code::NotAllowedHere, text, message).hint(hint));
        return None;
    }
    problems.check(usable_address(&pointer, text, subnet, address))
}

/// Checks that a subnet can give an address.
pub(crate) fn usable_address(pointer: &str, text: &str, subnet: IpNet, address: IpAddr) -> Result<IpAddr, Invalid> {
    request::check(subnet, address).map(|()| address).map_err(|refused| {
        let code = match refused {
            request::Unusable::WrongFamily { .. } => Code::WrongFamily,
            _ => Code::OutOfRange,
        };
        Invalid::new(pointer, code, text, format!("{address} can't be given: {refused}"))
            .hint(format!("an address within {}", usable(subnet)))
    })
}

fn reserved(
    problems: &mut Problems,
    key: &str,
    entries: &BTreeMap<String, String>,
    subnet: IpNet,
) -> Vec<(String, Span)> {
    let map = at(key, "reserved");
    if entries.len() > RESERVED_ENTRIES_MAX {
        let message = format!("at most {RESERVED_ENTRIES_MAX} entries");
        problems.add(Invalid::new(&map, Code::TooLong, &entries.len().to_string(), message));
        return Vec::new();
    }
    let mut spans_by_name: Vec<(String, Span)> = Vec::with_capacity(entries.len());
    for (name, text) in entries {
        let pointer = format!("{map}/{}", escape_pointer(name));
        problems.check(check_name(&pointer, name));
        let Some(span) = problems.check(reserved_span(&pointer, text, subnet)) else { continue };
        if let Some((other, _)) = spans_by_name.iter().find(|(_, known)| spans::overlap(*known, span)) {
            let message = format!("it overlaps the entry `{other}`");
            problems.add(Invalid::new(&pointer, Code::NotAllowedHere, text, message));
        }
        spans_by_name.push((name.clone(), span));
    }
    let count = spans_by_name.iter().fold(0u128, |sum, (_, span)| sum.saturating_add(span.len()));
    if count > RESERVED_ADDRESSES_MAX {
        let message = format!("the entries hold at most {RESERVED_ADDRESSES_MAX} addresses in all");
        problems.add(
            Invalid::new(&map, Code::OutOfRange, &count.to_string(), message)
                .hint("to keep a large part out of dynamic use, narrow `range`"),
        );
        return Vec::new();
    }
    spans_by_name
}

fn reserved_span(pointer: &str, text: &str, subnet: IpNet) -> Result<Span, Invalid> {
    let span = parse_span(pointer, text)?;
    if Family::of(span.low) != Family::of(subnet.network()) {
        let message = format!("it is {}, and the subnet is {subnet}", Family::of(span.low));
        return Err(Invalid::new(pointer, Code::WrongFamily, text, message));
    }
    let whole = Span::of(subnet);
    if !(whole.contains(span.low) && whole.contains(span.high)) {
        let message = format!("it must lie within {subnet}");
        return Err(Invalid::new(pointer, Code::OutOfRange, text, message));
    }
    spans::intersection(span, usable(subnet)).ok_or_else(|| {
        let message = "it holds only addresses that are never given out anyway";
        Invalid::new(pointer, Code::OutOfRange, text, message).hint("leave the entry out")
    })
}
