//! The block `overlay` as written, and `attachable`. Nothing of the block can change once the network is made.
//!
//! What must not live here: whether the host is in a swarm, and whether a number is taken, which need rows (`overlay::network`).

use netloom_model::Invalid;
use netloom_model::invalid::Code;
use netloom_model::network::{Driver, NetworkSpec, OverlaySpec, VNI_MAX, VNI_MIN};

use crate::validate::{Problems, immutable};

/// JSON Pointer to the number in VXLAN packets.
pub(crate) const VNI: &str = "/overlay/vni";

/// Checks the block of a network that is to be made.
pub(super) fn check(problems: &mut Problems, spec: &NetworkSpec) {
    if spec.driver != Driver::Overlay {
        let driver = spec.driver.as_str();
        let fields = [("/overlay", spec.overlay.is_some()), ("/attachable", spec.attachable.is_some())];
        for (pointer, _) in fields.into_iter().filter(|(_, given)| *given) {
            let message = format!("it is for driver overlay, and the driver is {driver}");
            problems.add(Invalid { value: None, ..Invalid::new(pointer, Code::NotAllowedHere, "", message) });
        }
        return;
    }
    let Some(block) = &spec.overlay else { return };
    if let Some(vni) = block.vni.filter(|vni| !(VNI_MIN..=VNI_MAX).contains(vni)) {
        let message = format!("a VXLAN network identifier is {VNI_MIN} to {VNI_MAX} here");
        problems.add(
            Invalid::new(VNI, Code::OutOfRange, &vni.to_string(), message).hint("leave it out, and one is chosen"),
        );
    }
    if block.encrypted == Some(true) {
        let message = "encrypting packets between nodes (IPsec ESP) is not available in this version";
        problems.add(
            Invalid::new("/overlay/encrypted", Code::NotAvailable, "true", message)
                .hint("leave it out, and join the nodes by links that are encrypted themselves, such as WireGuard"),
        );
    }
}

/// Refuses what can't change.
pub(super) fn fixed(problems: &mut Problems, old: &NetworkSpec, new: &NetworkSpec) {
    let none = OverlaySpec::default();
    let (was, is) = (old.overlay.as_ref().unwrap_or(&none), new.overlay.as_ref().unwrap_or(&none));
    if was.vni != is.vni {
        let say = |vni: Option<u32>| vni.map_or_else(|| "chosen by Netloom".to_owned(), |vni| vni.to_string());
        problems.add(immutable(VNI, &say(is.vni), &say(was.vni)));
    }
    let (was, is) = (was.encrypted.unwrap_or(false), is.encrypted.unwrap_or(false));
    if was != is {
        problems.add(immutable("/overlay/encrypted", &is.to_string(), &was.to_string()));
    }
    if new.driver != Driver::Overlay && old.attachable != new.attachable {
        check(problems, new);
    }
}
