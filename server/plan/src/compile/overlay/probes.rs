//! The network of probes: what leads to each other node, and what of theirs is sent back.
//!
//! A probe is a frame to an address that is that of the way from one node to another. There the bridge's table says of that address that it is behind the VXLAN device that
//! the frame came in by, and that device's table that it is at the node that sent it: so it goes back, by kernels alone, whole or not at all. Here nobody has
//! that address, so that it goes no further. What must not live here: what is sent, and when (agent).

use std::collections::BTreeSet;

use netloom_model::assignment::{AssignedNetwork, AssignedOverlay, PROBES};
use netloom_model::{MacAddr, host_link};

use super::of;
use crate::compile::Compiled;
use crate::object::{AssignedKey, Object, probe_mac};
use crate::overlay::{Forwarding, Way};

/// What leads to the other nodes, and back to them.
fn entries(overlay: &AssignedOverlay) -> impl Iterator<Item = Object> {
    let (here, link) = (overlay.vtep, host_link::tunnel(PROBES));
    // Another node that says it has this one's address is no other place: a frame to there would come back by itself, and go round for ever. So would
    // one whose way back has the address of a way out.
    let others = || overlay.vteps.iter().copied().filter(move |there| *there != here);
    let outs: BTreeSet<MacAddr> = others().map(|there| probe_mac(here, there)).collect();
    others().flat_map(move |there| {
        let (out, back) = (probe_mac(here, there), probe_mac(there, here));
        let node = Way::Node(Some(there));
        let ways = [(out, node), (back, node), (back, Way::Port { sticky: true })];
        let returns = !outs.contains(&back);
        let wanted = ways.into_iter().filter(move |(mac, _)| *mac == out || returns);
        let link = link.clone();
        wanted.map(move |(mac, way)| Object::Forwarding(Forwarding { link: link.clone(), mac, way }))
    })
}

/// Wants it.
pub(super) fn wanted(compiled: &mut Compiled, overlay: &AssignedOverlay) {
    for entry in entries(overlay) {
        let key = entry.key();
        compiled.overlay_scope().entries.insert(key.clone());
        compiled.judged.insert(key);
        compiled.want(AssignedKey::Network(PROBES), entry);
    }
}

impl Compiled {
    /// Has what led to other nodes by a former network of probes looked at, and judged: what of it nobody wants goes.
    pub fn look_for_probes(&mut self, former: &AssignedNetwork) {
        for entry in of(former).into_iter().flat_map(entries) {
            let key = entry.key();
            self.overlay_scope().entries.insert(key.clone());
            self.judged.insert(key.clone());
            self.owners.entry(key).or_insert(AssignedKey::Network(PROBES));
        }
    }
}
