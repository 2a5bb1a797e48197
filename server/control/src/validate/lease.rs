//! Leases without sandbox, as written.

use std::net::IpAddr;

use netloom_model::MacAddr;
use netloom_model::lease::LeaseSpec;
use netloom_model::name::{check_description, check_name};
use netloom_model::net::parse_address;

use super::Problems;
use super::sandbox::mac;
use crate::error::Error;

/// A reservation as wanted, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedLease {
    /// Address asked for.
    pub(crate) address: Option<IpAddr>,
    /// Ethernet address, for people to see.
    pub(crate) mac: Option<MacAddr>,
}

/// Checks a reservation.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn reserve(spec: &LeaseSpec) -> Result<WantedLease, Error> {
    let mut problems = Problems::default();
    problems.check(check_name("/key", &spec.key));
    if let Some(pool) = &spec.pool {
        problems.check(check_name("/pool", pool));
    }
    if let Some(text) = &spec.description {
        problems.check(check_description("/description", text));
    }
    let address = spec.address.as_ref().and_then(|text| problems.check(parse_address("/address", text)));
    let mac = spec.mac.as_ref().and_then(|text| problems.check(mac("/mac", text)));
    problems.finish(WantedLease { address, mac })
}
