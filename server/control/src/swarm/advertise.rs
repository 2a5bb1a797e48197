//! Where a manager listens for nodes: what was asked for, or the host's only address that others can reach.

use std::net::{IpAddr, SocketAddr};

use netloom_model::Invalid;
use netloom_model::facts::Facts;
use netloom_model::invalid::Code;
use netloom_model::net::unassignable;
use netloom_model::swarm::PORT;

/// Where it stands in a spec.
pub(super) const POINTER: &str = "/advertise_address";

/// Reads an address with a port that may be left out: `192.0.2.1`, `192.0.2.1:2377`, `fd00::1`, `[fd00::1]:2377`.
pub(super) fn parse(pointer: &str, text: &str) -> Result<SocketAddr, Invalid> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let parsed = match bracketed.unwrap_or(text).parse::<IpAddr>() {
        Ok(address) => Some(SocketAddr::new(address, PORT)),
        Err(_) => text.parse::<SocketAddr>().ok(),
    };
    let Some(parsed) = parsed else {
        let message = "an IP address is needed, with a port after it unless that is 2377; names are not looked up";
        return Err(Invalid::new(pointer, Code::Format, text, message).hint("for example 192.168.122.185:2377"));
    };
    let parsed = SocketAddr::new(parsed.ip().to_canonical(), parsed.port());
    if let Some(what) = unassignable(parsed.ip()).filter(|_| !parsed.ip().is_loopback()) {
        return Err(Invalid::new(pointer, Code::OutOfRange, text, format!("nobody listens at {what}")));
    }
    if parsed.port() == 0 {
        return Err(Invalid::new(pointer, Code::OutOfRange, text, "nobody listens at port 0")
            .hint("leave the port out for 2377"));
    }
    Ok(parsed)
}

/// Where the manager listens on a host: what was asked for, or its only address.
pub(super) fn choose(given: Option<&str>, facts: &Facts) -> Result<SocketAddr, Invalid> {
    let candidates = candidates(facts);
    if let Some(text) = given {
        let wanted = parse(POINTER, text)?;
        if facts.has_address(wanted.ip()) {
            return Ok(wanted);
        }
        let message = format!("this host has no address {}", wanted.ip());
        return Err(Invalid::new(POINTER, Code::NotAvailable, text, message).hint(listed(&candidates)));
    }
    let of_family = |four: bool| candidates.iter().filter(|(address, _)| address.is_ipv4() == four).collect::<Vec<_>>();
    match (of_family(true).as_slice(), of_family(false).as_slice()) {
        ([(only, _)], _) | ([], [(only, _)]) => Ok(SocketAddr::new(*only, PORT)),
        ([], []) => Err(Invalid::required(POINTER, "this host has no address that others could reach it at")
            .hint("give a link of the host's an address, or name one here")),
        _ => Err(Invalid::required(POINTER, "this host has several addresses: say at which of them nodes reach it")
            .hint(listed(&candidates))),
    }
}

/// The host's addresses that others can reach, with their links.
fn candidates(facts: &Facts) -> Vec<(IpAddr, &str)> {
    let links = facts.links.iter().filter(|link| link.up && !link.loopback);
    let all = links.flat_map(|link| link.addresses.iter().map(|net| (net.addr(), link.name.as_str())));
    all.filter(|(address, _)| unassignable(*address).is_none() && !is_link_local(*address)).collect()
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn listed(candidates: &[(IpAddr, &str)]) -> String {
    let words: Vec<String> = candidates.iter().map(|(address, link)| format!("{address} ({link})")).collect();
    if words.is_empty() {
        "no link of the host's that is up has one".to_owned()
    } else {
        format!("one of {}", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_model::facts::HostLink;

    fn host(links: &[(&str, bool, &[&str])]) -> Facts {
        let link = |(name, up, addresses): &(&str, bool, &[&str])| HostLink {
            name: (*name).to_owned(),
            index: 1,
            kind: None,
            mac: None,
            mtu: 1500,
            up: *up,
            loopback: *name == "lo",
            controller: None,
            addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
        };
        Facts { links: links.iter().map(link).collect(), ..Facts::default() }
    }

    #[test]
    fn an_address_may_have_a_port() {
        for (text, wanted) in [
            ("192.0.2.1", "192.0.2.1:2377"),
            ("192.0.2.1:4000", "192.0.2.1:4000"),
            ("fd00::1", "[fd00::1]:2377"),
            ("[fd00::1]", "[fd00::1]:2377"),
            ("[fd00::1]:4000", "[fd00::1]:4000"),
            ("::ffff:192.0.2.1", "192.0.2.1:2377"),
        ] {
            assert_eq!(parse("/x", text).map(|address| address.to_string()), Ok(wanted.to_owned()), "{text}");
        }
        for text in [
            "",
            "manager",
            "manager:2377",
            "192.0.2.1:0",
            "192.0.2.1:99999",
            "0.0.0.0",
            "224.0.0.1",
            "http://192.0.2.1",
        ] {
            assert_eq!(parse("/x", text).map_err(|wrong| wrong.pointer), Err("/x".to_owned()), "{text}");
        }
    }

    #[test]
    fn the_only_address_is_taken_and_several_are_listed() {
        let lo = ("lo", true, &["127.0.0.1/8", "::1/128"][..]);
        let one = host(&[
            lo,
            ("eth0", true, &["192.0.2.1/24", "fe80::1/64", "fd00::1/64", "fd00::2/64"]),
            ("down0", false, &["198.51.100.1/24"]),
        ]);
        assert_eq!(choose(None, &one).map(|address| address.to_string()), Ok("192.0.2.1:2377".to_owned()));
        let six = host(&[lo, ("eth0", true, &["fd00::1/64", "169.254.1.1/16"])]);
        assert_eq!(choose(None, &six).map(|address| address.to_string()), Ok("[fd00::1]:2377".to_owned()));
        let two = host(&[lo, ("eth0", true, &["192.0.2.1/24"]), ("eth1", true, &["198.51.100.1/24"])]);
        let refused = choose(None, &two).expect_err("several");
        assert_eq!(refused.hint.as_deref(), Some("one of 192.0.2.1 (eth0), 198.51.100.1 (eth1)"));
        assert_eq!(choose(Some("198.51.100.1"), &two).map(|address| address.port()), Ok(2377));
        assert_eq!(choose(Some("203.0.113.1"), &two).map_err(|wrong| wrong.code), Err(Code::NotAvailable));
        assert_eq!(choose(None, &host(&[lo])).map_err(|wrong| wrong.code), Err(Code::Required));
    }
}
