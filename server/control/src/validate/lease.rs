//! Leases without sandbox, as written.

use std::net::IpAddr;

use netloom_model::MacAddr;
use netloom_model::lease::LeaseSpec;
use netloom_model::name::{check_description, check_name};
use netloom_model::net::parse_address;

use super::sandbox::mac;
use super::{Problems, immutable};
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
    let wanted = read(&mut problems, spec);
    problems.finish(wanted)
}

/// Checks another spec of a reservation, which has this address of this pool. It may say so where it didn't before.
///
/// # Errors
/// Everything that is wrong with it, and what can't change.
pub(crate) fn update(old: &LeaseSpec, new: &LeaseSpec, address: IpAddr, pool: &str) -> Result<WantedLease, Error> {
    let mut problems = Problems::default();
    let wanted = read(&mut problems, new);
    if old.key != new.key {
        problems.add(immutable("/key", &new.key, &old.key));
    }
    if let Some(other) = wanted.address.filter(|wanted| wanted.to_canonical() != address) {
        problems.add(immutable("/address", &other.to_string(), &address.to_string()));
    }
    if let Some(other) = new.pool.as_ref().filter(|wanted| *wanted != pool) {
        problems.add(immutable("/pool", other, pool));
    }
    problems.finish(wanted)
}

fn read(problems: &mut Problems, spec: &LeaseSpec) -> WantedLease {
    problems.check(check_name("/key", &spec.key));
    if let Some(pool) = &spec.pool {
        problems.check(check_name("/pool", pool));
    }
    if let Some(text) = &spec.description {
        problems.check(check_description("/description", text));
    }
    let address = spec.address.as_ref().and_then(|text| problems.check(parse_address("/address", text)));
    let mac = spec.mac.as_ref().and_then(|text| problems.check(mac("/mac", text)));
    WantedLease { address, mac }
}
