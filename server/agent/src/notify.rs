//! Kernel notifications to wakes. A notification says where to look; those of our own doing are heard too, and cost one look.

use std::sync::{Arc, Weak};
use std::time::Duration;

use netloom_kernel::{Heard, Notification, OverlayEntry};
use netloom_model::assignment::{Key, PROBES};
use netloom_plan::Place;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use crate::agent::Inner;
use crate::host;
use crate::state::State;

/// A full pass that nobody asked for waits at least this long after the one before.
const FULL_GAP: Duration = Duration::from_secs(1);
/// ... and this many times what that one took: notifications of others must not keep the agent busy.
const FULL_SHARE: u32 = 20;

/// Listens until the kernel or the agent is gone.
pub(crate) async fn listen(mut heard: UnboundedReceiver<Heard>, inner: Weak<Inner>) {
    let mut refresh_at: Option<Instant> = None;
    loop {
        let refresh = async {
            match refresh_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            said = heard.recv() => {
                let (Some(said), Some(inner)) = (said, inner.upgrade()) else { return };
                let due = Instant::now() + inner.options.settle_after;
                if take(&inner, &said, due) {
                    refresh_at.get_or_insert(due);
                }
            }
            () = refresh => {
                refresh_at = None;
                let Some(inner) = inner.upgrade() else { return };
                if let Err(error) = host::refresh(&inner).await {
                    tracing::warn!(%error, "the host's links and routes can't be read; tried again");
                    refresh_at = Some(Instant::now() + Duration::from_secs(1));
                }
            }
        }
    }
}

/// Turns a notification into wakes; says whether the host's facts are to be read again.
fn take(inner: &Arc<Inner>, heard: &Heard, due: Instant) -> bool {
    let mut state = inner.state();
    state.counters.notifications += 1;
    let at = heard.at.into();
    let host_changed = match &heard.what {
        Notification::HostChanged => true,
        Notification::FirewallChanged => {
            for key in state.bridge_networks_in_use() {
                state.hear(key, at, due);
            }
            false
        }
        Notification::HostSettingChanged => {
            for key in state.concerned_by_settings() {
                state.hear(key, at, due);
            }
            false
        }
        Notification::Overrun => {
            state.counters.overruns += 1;
            state.wake_full(Instant::now());
            true
        }
        Notification::Changed { place: Some(Place::Sandbox(id)), .. } => {
            let key = Key::Sandbox(*id);
            match state.tracked.get(&key) {
                None => wake_full_later(&mut state, due),
                // A name that a stranger holds is not tried at all, so that what is heard there may be the stranger's leaving.
                Some(t) if t.refusal.as_ref().is_some_and(|refusal| refusal.code == "name-conflict") => {
                    state.hear(key, at, due);
                }
                Some(_) => state.hear_patiently(key, at, due),
            }
            false
        }
        // A link of the host's with a known owner concerns that one. Else it may be anybody's, or a foreign one's name that became free.
        Notification::Changed { place: Some(Place::Host), owner, .. } => match state.owner_of(owner.as_deref()) {
            Some(key) => {
                state.hear_patiently(key, at, due);
                false
            }
            // Of an endpoint that a pass is just making, or has removed: that pass looks at it last.
            None if owner.is_some() => false,
            None => {
                wake_full_later(&mut state, due);
                true
            }
        },
        // The namespace itself, its settings, or something without a mark there: each overlay network may need it.
        Notification::Changed { place: Some(Place::Overlay), owner: None, .. } => {
            let networks = state.overlays_in_use();
            if networks.is_empty() {
                wake_full_later(&mut state, due);
            }
            networks.into_iter().for_each(|key| state.hear(key, at, due));
            false
        }
        Notification::Changed { place: Some(Place::Overlay), owner, .. } => {
            if let Some(key) = state.owner_of(owner.as_deref()) {
                state.hear_patiently(key, at, due);
            }
            false
        }
        Notification::EntryChanged { owner, .. } if *owner == PROBES.to_string() => {
            state.hear_patiently(Key::Network(PROBES), at, due);
            false
        }
        Notification::EntryChanged { owner, entry, node, is_new } => {
            let network = owner.parse().ok();
            let behind = network.and_then(|network| state.peers.behind(network, *entry));
            // An Ethernet address is in the bridge's table once: what came to lead to another node was taken from a port here.
            let holder = network.filter(|_| matches!(entry, OverlayEntry::Forwarding(_)));
            if let Some(holder) = holder.and_then(|network| state.holder_of(network, *entry)) {
                state.hear_patiently(holder, at, due);
            }
            let is_elsewhere = behind.is_some_and(|peer| node.is_some_and(|node| node != peer.vtep));
            behind.into_iter().for_each(|peer| state.hear_patiently(Key::Peer(peer.id), at, due));
            // Nobody is to be there; or a second node beside the first, which only a look at everything sees.
            if *is_new && (behind.is_none() || is_elsewhere) {
                wake_full_later(&mut state, due);
            }
            false
        }
        Notification::Renamed { owner, name } => {
            if let Some(key) = state.owner_of(Some(owner)) {
                state.hear_renamed(key, name, at, due);
            }
            wake_full_later(&mut state, due);
            false
        }
        Notification::RouteChanged { owner, to } => {
            let holder = owner.parse().ok().and_then(|network| state.holder_of(network, OverlayEntry::Neighbour(*to)));
            if let Some(key) = holder.or_else(|| state.owner_of(Some(owner))) {
                state.hear_patiently(key, at, due);
            }
            false
        }
        Notification::Changed { place: None, .. } => {
            wake_full_later(&mut state, due);
            false
        }
    };
    drop(state);
    inner.changed.notify_one();
    host_changed
}

fn wake_full_later(state: &mut State, due: Instant) {
    let earliest = state.last_full.map(|(ended, took)| ended + FULL_GAP.max(took * FULL_SHARE));
    state.wake_full(earliest.map_or(due, |earliest| due.max(earliest)));
}
