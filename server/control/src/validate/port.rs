//! Published ports as written.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use netloom_model::Invalid;
use netloom_model::document::escape_pointer;
use netloom_model::invalid::Code;
use netloom_model::name::check_name;
use netloom_model::net::parse_address;
use netloom_model::port::{PORTS_MAX, PortSpec, Protocol};

use super::Problems;

/// Highest port.
const PORT_MAX: u16 = u16::MAX;

/// A mapping as wanted, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedPort {
    /// Its name, unique at the endpoint.
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    /// 127.0.0.1 unless given.
    pub(crate) host_address: Option<IpAddr>,
    /// One of Netloom's choice unless given.
    pub(crate) published: Option<u16>,
    pub(crate) target: u16,
    pub(crate) count: u16,
    /// JSON Pointer to it.
    pub(crate) pointer: String,
}

/// Reads the mappings at a pointer.
pub(crate) fn ports(
    problems: &mut Problems,
    pointer: &str,
    specs: Option<&BTreeMap<String, PortSpec>>,
) -> Vec<WantedPort> {
    let Some(specs) = specs else { return Vec::new() };
    let all = specs.values().map(|spec| spec.count.unwrap_or(1).max(0)).fold(0, i64::saturating_add);
    if all > i64::from(PORTS_MAX) {
        let message = format!("one endpoint publishes at most {PORTS_MAX} ports, and these are {all}");
        problems.add(Invalid::new(pointer, Code::TooLong, &all.to_string(), message));
        return Vec::new();
    }
    specs.iter().filter_map(|(name, spec)| port(problems, pointer, name, spec)).collect()
}

fn port(problems: &mut Problems, pointer: &str, name: &str, spec: &PortSpec) -> Option<WantedPort> {
    let pointer = format!("{pointer}/{}", escape_pointer(name));
    let at = |field: &str| format!("{pointer}/{field}");
    problems.check(check_name(&pointer, name))?;
    let count = spec.count.unwrap_or(1);
    let count = problems.check(number(&at("count"), count, PORTS_MAX, "a count is"))?;
    let target = run(problems, &at("target"), spec.target, count);
    let published = match spec.published {
        Some(first) => run(problems, &at("published"), first, count).map(Some),
        None => Some(None),
    };
    let host_address = match &spec.host_address {
        Some(text) => problems.check(host_address(&at("host_address"), text)).map(Some),
        None => Some(None),
    };
    let protocol = spec.protocol.unwrap_or_default();
    let (target, published, host_address) = (target?, published?, host_address?);
    Some(WantedPort { name: name.to_owned(), protocol, host_address, published, target, count, pointer })
}

/// The first of so many ports in a row.
fn run(problems: &mut Problems, pointer: &str, first: i64, count: u16) -> Option<u16> {
    let read = problems.check(number(pointer, first, PORT_MAX, "a port is"))?;
    let last = first + i64::from(count) - 1;
    if last > i64::from(PORT_MAX) {
        let message = format!("{count} ports from {first} on end with {last}, and the highest port is {PORT_MAX}");
        problems.add(Invalid::new(pointer, Code::OutOfRange, &first.to_string(), message));
        return None;
    }
    Some(read)
}

fn number(pointer: &str, number: i64, highest: u16, what: &str) -> Result<u16, Invalid> {
    let refused = || Invalid::new(pointer, Code::OutOfRange, &number.to_string(), format!("{what} 1 to {highest}"));
    u16::try_from(number).ok().filter(|read| (1..=highest).contains(read)).ok_or_else(refused)
}

fn host_address(pointer: &str, text: &str) -> Result<IpAddr, Invalid> {
    let address = parse_address(pointer, text)?;
    let reason = match address {
        IpAddr::V6(six) if six.is_loopback() => "IPv6's loopback, from which the kernel sends nothing on",
        IpAddr::V6(six) if six.is_unicast_link_local() => "a link-local address, which means nothing without its link",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(four) if is_nobodys(four) => "an address that nobody has: that of a whole subnet, or of all in it",
        _ => return Ok(address),
    };
    Err(Invalid::new(pointer, Code::OutOfRange, text, format!("{address} is {reason}"))
        .hint("give an address of this host, `0.0.0.0` or `::` for all of a family, or leave it out for 127.0.0.1"))
}

/// Whether an IPv4 address is no host's on any host, though the kernel lets programs listen there. Which are broadcast addresses of the host's
/// own subnets, the node says.
fn is_nobodys(address: Ipv4Addr) -> bool {
    let this_network = address.octets()[0] == 0 && !address.is_unspecified();
    let of_loopback = [Ipv4Addr::new(127, 0, 0, 0), Ipv4Addr::new(127, 255, 255, 255)].contains(&address);
    this_network || of_loopback || address.is_broadcast()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(spec: serde_json::Value) -> Vec<(String, Code)> {
        let specs: BTreeMap<String, PortSpec> = serde_json::from_value(spec).expect("a document");
        let mut problems = Problems::default();
        ports(&mut problems, "/p", Some(&specs));
        match problems.finish(()) {
            Ok(()) => Vec::new(),
            Err(error) => error.errors.into_iter().map(|invalid| (invalid.pointer, invalid.code)).collect(),
        }
    }

    #[test]
    fn ports_outside_their_range_are_refused_by_field() {
        for (spec, wanted) in [
            (serde_json::json!({"a": {"target": 0}}), Some(("/p/a/target", Code::OutOfRange))),
            (serde_json::json!({"a": {"target": 65536}}), Some(("/p/a/target", Code::OutOfRange))),
            (serde_json::json!({"a": {"target": 65535, "count": 2}}), Some(("/p/a/target", Code::OutOfRange))),
            (serde_json::json!({"a": {"target": 65535}}), None),
            (serde_json::json!({"a": {"target": 80, "published": 70000}}), Some(("/p/a/published", Code::OutOfRange))),
            (
                serde_json::json!({"a": {"target": 80, "published": 65000, "count": 600}}),
                Some(("/p/a/published", Code::OutOfRange)),
            ),
            (serde_json::json!({"a": {"target": 80, "count": 0}}), Some(("/p/a/count", Code::OutOfRange))),
            (serde_json::json!({"a": {"target": 80, "count": 5000}}), Some(("/p", Code::TooLong))),
            (
                serde_json::json!({"a": {"target": 80, "host_address": "224.0.0.1"}}),
                Some(("/p/a/host_address", Code::OutOfRange)),
            ),
            (
                serde_json::json!({"a": {"target": 80, "host_address": "fe80::1"}}),
                Some(("/p/a/host_address", Code::OutOfRange)),
            ),
            (
                serde_json::json!({"a": {"target": 80, "host_address": "::1"}}),
                Some(("/p/a/host_address", Code::OutOfRange)),
            ),
            (serde_json::json!({"a": {"target": 80, "host_address": "::"}}), None),
            (serde_json::json!({"a": {"target": -1}}), Some(("/p/a/target", Code::OutOfRange))),
            (serde_json::json!({"a": {"target": 80, "published": -1}}), Some(("/p/a/published", Code::OutOfRange))),
            (serde_json::json!({"a": {"target": 80, "count": i64::MIN}}), Some(("/p/a/count", Code::OutOfRange))),
            (
                serde_json::json!({"a": {"target": 80, "count": i64::MAX}, "b": {"target": 1}}),
                Some(("/p", Code::TooLong)),
            ),
        ] {
            let wanted: Vec<_> = wanted.into_iter().map(|(pointer, code)| (pointer.to_owned(), code)).collect();
            assert_eq!(refused(spec.clone()), wanted, "{spec}");
        }
    }

    #[test]
    fn numbers_are_refused_with_the_range_that_they_have() {
        let specs = serde_json::from_value(serde_json::json!({"a": {"target": 80, "count": -1}})).expect("a document");
        let mut problems = Problems::default();
        ports(&mut problems, "/p", Some(&specs));
        let error = problems.finish(()).expect_err("refused");
        assert_eq!(error.errors[0].message, "a count is 1 to 4096");
    }

    #[test]
    fn addresses_that_no_host_has_are_refused() {
        for (address, wanted) in [
            ("0.0.0.0", true),
            ("0.0.0.1", false),
            ("0.255.255.255", false),
            ("127.0.0.0", false),
            ("127.0.0.1", true),
            ("127.255.255.254", true),
            ("127.255.255.255", false),
            ("192.0.2.0", true),
            ("255.255.255.255", false),
        ] {
            assert_eq!(host_address("/a", address).is_ok(), wanted, "{address}");
        }
    }
}
