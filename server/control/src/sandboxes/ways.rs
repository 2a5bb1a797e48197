//! How packets from outside come to an endpoint's ports: by a port of the host that is translated, or to its own address, as the
//! network's gateway mode says.
//!
//! What must not live here: which numbers are free (`ports`).

use std::net::{IpAddr, Ipv4Addr};

use netloom_model::Invalid;
use netloom_model::invalid::Code;
use netloom_model::net::Family;
use netloom_model::network::{GatewayMode, NetworkSpec};
use netloom_model::port::PublishedPort;

use crate::error::Error;
use crate::validate::port::WantedPort;

/// Where ports are published: the network, and the addresses that the endpoint has on it.
pub(crate) struct Ways<'a> {
    pub(crate) network: &'a NetworkSpec,
    pub(crate) addresses: &'a [IpAddr],
}

/// How packets come to a published port.
pub(crate) enum Way {
    /// To this address of the host's, which is translated.
    Translated(IpAddr),
    /// To the sandbox's own.
    Direct(IpAddr),
}

impl Ways<'_> {
    /// The way to a port: the host's address as given, else IPv4's loopback; where nothing is translated the sandbox's address.
    pub(crate) fn to(&self, want: &WantedPort) -> Result<Way, Error> {
        let Some(family) = [Family::V4, Family::V6].into_iter().find(|family| self.has_way(*family)) else {
            return Err(self.nowhere(&want.pointer));
        };
        let pointer = format!("{}/host_address", want.pointer);
        let Some(given) = want.host_address else { return self.usual(family, &pointer) };
        let family = Family::of(given);
        let invalid = |code, message: String, hint: &str| {
            Err(Invalid::new(&pointer, code, &given.to_string(), message).hint(hint).into())
        };
        let Some(own) = self.address(family) else {
            return invalid(
                Code::WrongFamily,
                format!(
                    "the sandbox has no {family} address on this network that packets to {given} could be sent on to"
                ),
                "give an address of the other family, or attach to a network that has both",
            );
        };
        match self.network.gateway_mode(family) {
            GatewayMode::Nat => Ok(Way::Translated(given)),
            GatewayMode::Routed if given.is_unspecified() || given == own => Ok(Way::Direct(own)),
            GatewayMode::Routed => invalid(
                Code::NotAllowedHere,
                // Which address that is, is not said: a sandbox that is refused has none.
                format!("the network is routed for {family}: its ports are open at the sandbox's own address"),
                "leave it out, or say `0.0.0.0` or `::` for the family",
            ),
            GatewayMode::Isolated => invalid(
                Code::NotAllowedHere,
                format!("the network is isolated for {family}: nothing outside reaches it"),
                "give an address of the other family, or leave the ports out",
            ),
        }
    }

    /// The way to a port of which nobody said the address, by the first family that has one.
    fn usual(&self, family: Family, pointer: &str) -> Result<Way, Error> {
        match (family, self.network.gateway_mode(family), self.address(family)) {
            (_, GatewayMode::Routed, Some(own)) => Ok(Way::Direct(own)),
            (Family::V4, ..) => Ok(Way::Translated(Ipv4Addr::LOCALHOST.into())),
            (Family::V6, ..) => {
                let message = "the sandbox has no IPv4 address on this network that is reached from outside, so that 127.0.0.1, the usual \
                               address, can't lead to it";
                let missing = Invalid::required(pointer, message);
                Err(missing.hint("give an IPv6 address of this host, or `::` for all of them").into())
            }
        }
    }

    /// Whether packets from outside come to the sandbox by a family.
    fn has_way(&self, family: Family) -> bool {
        self.address(family).is_some() && self.network.gateway_mode(family) != GatewayMode::Isolated
    }

    /// The refusal of a port to which there is no way, whatever else is said of it.
    fn nowhere(&self, pointer: &str) -> Error {
        let has = |family: &Family| self.address(*family).is_some();
        let families: Vec<String> = [Family::V4, Family::V6].iter().filter(|f| has(f)).map(Family::to_string).collect();
        let message = match families.as_slice() {
            [] => "the sandbox has no address on this network that packets could be sent on to".to_owned(),
            of => {
                format!("the network is isolated for {}: nothing outside reaches the sandbox there", of.join(" and "))
            }
        };
        let refused = Invalid { value: None, ..Invalid::new(pointer, Code::NotAllowedHere, "", message) };
        let hint = "leave the ports out, or publish them on another bridge network, with gateway mode `nat` or `routed`, that the sandbox is \
                    attached to as well";
        refused.hint(hint).into()
    }

    fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| Family::of(*address) == family)
    }
}

/// Ports of the sandbox's own: the number is the same on both sides.
pub(crate) fn direct(want: &WantedPort, address: IpAddr) -> Result<PublishedPort, Error> {
    let WantedPort { protocol, target, count, .. } = *want;
    if let Some(other) = want.published.filter(|published| *published != target) {
        let message =
            format!("the network is routed: port {target} is open at the sandbox's own address, by its own number");
        return Err(Invalid::new(
            &format!("{}/published", want.pointer),
            Code::NotAllowedHere,
            &other.to_string(),
            message,
        )
        .hint("leave `published` out")
        .into());
    }
    Ok(PublishedPort { protocol, host_address: address, published: target, target, count, direct: true })
}
