//! The block `bridge` as written. The bridge's name on the host, and whether there is a gateway, are settled when the
//! network is made; all else may change.
//!
//! What must not live here: whether another network has the name, which needs rows (`networks::bridge`).

use std::net::IpAddr;

use netloom_model::facts::{Facts, HostLink};
use netloom_model::invalid::Code;
use netloom_model::name::{check_host_link_name, check_interface_name};
use netloom_model::net::{Family, parse_address};
use netloom_model::network::{Driver, GatewayMode, NetworkSpec};
use netloom_model::{Invalid, host_link};

use crate::validate::{Problems, immutable};

/// JSON Pointer to the bridge's name.
pub(crate) const INTERFACE_NAME: &str = "/bridge/interface_name";

/// Checks the block of a network that is to be made; answers the bridge of the host's that it uses. Without facts, what depends on the host is
/// not checked.
pub(super) fn check<'f>(problems: &mut Problems, spec: &NetworkSpec, facts: Option<&'f Facts>) -> Option<&'f HostLink> {
    belongs(problems, spec);
    if spec.driver != Driver::Bridge {
        return None;
    }
    gateways(problems, spec);
    if spec.unmanaged_bridge().is_some() {
        owners(problems, spec);
        return problems.check(existing(spec, facts)).flatten();
    }
    not_probed(problems, spec);
    if let Some(name) = interface_name(spec) {
        problems.check(check_name(name, facts));
    }
    None
}

/// On a bridge of Netloom's own nothing is probed.
fn not_probed(problems: &mut Problems, spec: &NetworkSpec) {
    if spec.unmanaged_bridge().is_none() && spec.bridge.as_ref().is_some_and(|bridge| bridge.probe.is_some()) {
        let message = "addresses on a bridge of Netloom's own are nobody else's, and are not probed";
        let hint = "leave it out, or say `managed: false` to use a bridge of the host's";
        problems.add(refused("/bridge/probe", message).hint(hint));
    }
}

/// What is not Netloom's to say of a bridge that is not Netloom's.
fn owners(problems: &mut Problems, spec: &NetworkSpec) {
    let Some(bridge) = spec.unmanaged_bridge() else { return };
    if spec.mtu.is_some() {
        // A port of another MTU would change the bridge's (`br_mtu_auto_adjust` in net/bridge/br_if.c).
        let message = "all that is on a bridge has its MTU";
        problems.add(refused("/mtu", message).hint("leave it out, or leave out `managed`"));
    }
    for (field, given) in [
        ("masquerade", bridge.masquerade.is_some()),
        ("isolation", bridge.isolation.is_some()),
        ("gateway_mode4", bridge.gateway_mode4.is_some()),
        ("gateway_mode6", bridge.gateway_mode6.is_some()),
        ("source_address4", bridge.source_address4.is_some()),
        ("source_address6", bridge.source_address6.is_some()),
    ] {
        if given {
            let message = "of a bridge that is not managed this is its owner's to say";
            problems.add(refused(&format!("/bridge/{field}"), message).hint("leave it out, or leave out `managed`"));
        }
    }
}

/// A field that is refused whatever its value.
fn refused(pointer: &str, message: &str) -> Invalid {
    Invalid { value: None, ..Invalid::new(pointer, Code::NotAllowedHere, "", message) }
}

/// The bridge of the host's that the network is to use.
fn existing<'f>(spec: &NetworkSpec, facts: Option<&'f Facts>) -> Result<Option<&'f HostLink>, Invalid> {
    let Some(name) = interface_name(spec) else {
        let required = Invalid::required(INTERFACE_NAME, "a bridge that is not managed is one of the host's, by name");
        return Err(match facts {
            Some(facts) => required.hint(bridges_hint(facts)),
            None => required,
        });
    };
    check_host_link_name(INTERFACE_NAME, name).map_err(|refused| refused.hint("for example `br0`"))?;
    let Some(facts) = facts else { return Ok(None) };
    let Some(link) = facts.link(name) else {
        return Err(super::absent(INTERFACE_NAME, name, "a bridge that is not managed").hint(bridges_hint(facts)));
    };
    let reason = if link.kind.as_deref() != Some("bridge") {
        "is no bridge"
    } else if !link.up {
        "is down"
    } else {
        return Ok(Some(link));
    };
    let message = format!("link `{name}` {reason}");
    Err(Invalid::new(INTERFACE_NAME, Code::NotAvailable, name, message).hint(bridges_hint(facts)))
}

fn bridges_hint(facts: &Facts) -> String {
    let fit = |link: &&HostLink| link.up && link.kind.as_deref() == Some("bridge");
    let names: Vec<&str> = facts.links.iter().filter(fit).map(|link| link.name.as_str()).collect();
    if names.is_empty() {
        return "this host has no bridge that is up (`ip link add br0 type bridge`, `ip link set br0 up`)".to_owned();
    }
    format!("bridges of this host that are up: {}", names.join(", "))
}

/// Checks the block of a network that exists, as it is to be.
pub(super) fn fixed(problems: &mut Problems, old: &NetworkSpec, new: &NetworkSpec) {
    belongs(problems, new);
    let (was, is) = (interface_name(old), interface_name(new));
    if new.driver == Driver::Bridge && was != is {
        let say = |name: Option<&str>| name.unwrap_or("one of Netloom's choice").to_owned();
        problems.add(immutable(INTERFACE_NAME, &say(is), &say(was)));
    }
    let managed = |spec: &NetworkSpec| spec.unmanaged_bridge().is_none();
    if managed(old) != managed(new) {
        problems.add(immutable("/bridge/managed", &managed(new).to_string(), &managed(old).to_string()));
        return;
    }
    let probe = |spec: &NetworkSpec| spec.unmanaged_bridge().map(|bridge| bridge.probe.unwrap_or(true));
    if let (Some(was), Some(is)) = (probe(old), probe(new))
        && was != is
    {
        problems.add(immutable("/bridge/probe", &is.to_string(), &was.to_string()));
    }
    not_probed(problems, new);
    owners(problems, new);
    for family in [Family::V4, Family::V6] {
        let (was, is) = (old.gateway_mode(family), new.gateway_mode(family));
        if was != is && [was, is].contains(&GatewayMode::Isolated) && old.internal == new.internal {
            let pointer = at("gateway_mode", family);
            problems.add(immutable(&pointer, is.as_str(), was.as_str()).hint(
                "between `nat` and `routed` it may change; with `isolated` come and go addresses of the gateway: make another network",
            ));
        }
    }
    gateways(problems, new);
}

/// JSON Pointer to a field that is there for each version of IP.
pub(crate) fn at(field: &str, family: Family) -> String {
    format!("/bridge/{field}{}", family.number())
}

/// What goes together of modes and source addresses.
fn gateways(problems: &mut Problems, spec: &NetworkSpec) {
    let Some(bridge) = &spec.bridge else { return };
    for family in [Family::V4, Family::V6] {
        if let Some(mode) = bridge.gateway_mode(family)
            && spec.internal == Some(true)
            && mode != GatewayMode::Isolated
        {
            let message = "an internal network has no gateway";
            let invalid = Invalid::new(&at("gateway_mode", family), Code::NotAllowedHere, mode.as_str(), message);
            problems.add(invalid.hint("leave `internal` or the mode out"));
        }
        if let Some(text) = bridge.source_address(family) {
            problems.check(source_address(spec, family, text));
        }
    }
}

/// An address that packets may leave with. Whether the host has it is looked at by the node: it may come and go.
fn source_address(spec: &NetworkSpec, family: Family, text: &str) -> Result<(), Invalid> {
    let pointer = at("source_address", family);
    let refused = |code, message: String| Err(Invalid::new(&pointer, code, text, message));
    let address = parse_address(&pointer, text)?;
    if Family::of(address) != family {
        return refused(Code::WrongFamily, format!("{address} is not an {family} address"));
    }
    let link_local = matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || link_local {
        let message = format!("{address} is no address that others could answer to");
        return refused(Code::OutOfRange, message).map_err(|invalid| invalid.hint("give an address of this host"));
    }
    let mode = spec.gateway_mode(family);
    if mode != GatewayMode::Nat {
        let message = format!("in gateway mode {} the sandbox's own address stays", mode.as_str());
        return refused(Code::NotAllowedHere, message);
    }
    if spec.bridge.as_ref().and_then(|bridge| bridge.masquerade) == Some(false) {
        return refused(Code::NotAllowedHere, "without `masquerade` the sandbox's own address stays".to_owned());
    }
    Ok(())
}

/// The name that the bridge is to have.
fn interface_name(spec: &NetworkSpec) -> Option<&str> {
    spec.bridge.as_ref()?.interface_name.as_deref()
}

fn belongs(problems: &mut Problems, spec: &NetworkSpec) {
    if spec.bridge.is_some() && spec.driver != Driver::Bridge {
        let message = format!("the block is for driver bridge, and the driver is {}", spec.driver.as_str());
        problems.add(Invalid { value: None, ..Invalid::new("/bridge", Code::NotAllowedHere, "", message) });
    }
}

fn check_name(name: &str, facts: Option<&Facts>) -> Result<(), Invalid> {
    check_interface_name(INTERFACE_NAME, name).map_err(|refused| refused.hint("for example `br-web`"))?;
    if name.starts_with(host_link::PREFIX) {
        let message = format!("names that begin with `{}` are for Netloom to give", host_link::PREFIX);
        return Err(Invalid::new(INTERFACE_NAME, Code::NotAllowedHere, name, message)
            .hint("choose another name, or leave it out to get one of those"));
    }
    if facts.is_some_and(|facts| facts.link(name).is_some()) {
        let message = format!("the host has a link `{name}`, which is not Netloom's");
        return Err(Invalid::new(INTERFACE_NAME, Code::NotAvailable, name, message)
            .hint("choose another name, leave it out, or remove that link by hand"));
    }
    Ok(())
}
