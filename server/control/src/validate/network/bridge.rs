//! The block `bridge` as written. The bridge's name on the host is settled when the network is made; all else may change.
//!
//! What must not live here: whether another network has the name, which needs rows (`networks::bridge`).

use netloom_model::Invalid;
use netloom_model::facts::Facts;
use netloom_model::invalid::Code;
use netloom_model::name::check_interface_name;
use netloom_model::network::{Driver, NetworkSpec};

use crate::validate::{Problems, immutable};

/// JSON Pointer to the bridge's name.
pub(crate) const INTERFACE_NAME: &str = "/bridge/interface_name";
/// How the names begin that Netloom itself gives to links on the host (plan has the same).
const OWN: &str = "nl-";

/// Checks the block of a network that is to be made. Without facts, what depends on the host is not checked.
pub(super) fn check(problems: &mut Problems, spec: &NetworkSpec, facts: Option<&Facts>) {
    belongs(problems, spec);
    if spec.driver == Driver::Bridge
        && let Some(name) = interface_name(spec)
    {
        problems.check(check_name(name, facts));
    }
}

/// Checks the block of a network that exists, as it is to be.
pub(super) fn fixed(problems: &mut Problems, old: &NetworkSpec, new: &NetworkSpec) {
    belongs(problems, new);
    let (was, is) = (interface_name(old), interface_name(new));
    if new.driver == Driver::Bridge && was != is {
        let say = |name: Option<&str>| name.unwrap_or("one of Netloom's choice").to_owned();
        problems.add(immutable(INTERFACE_NAME, &say(is), &say(was)));
    }
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
    if name.starts_with(OWN) {
        let message = format!("names that begin with `{OWN}` are for Netloom to give");
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
