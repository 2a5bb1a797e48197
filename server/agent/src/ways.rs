//! Probes of the ways to other nodes: every so often, and at once when one came or somebody asks. Each node is probed once, however many networks it shares.
//!
//! What must not live here: which nodes there are (`beside`), which sizes are tried (`sounding`), dates (control, which has the clock).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use netloom_kernel::{Echo, Echoed};
use netloom_model::assignment::{AssignedNetwork, AssignedOverlay, Assignment, Key, PROBES};
use netloom_model::condition::{Condition, NODES_UNREACHABLE, PATH_MTU_SMALL};
use netloom_model::facts::Facts;
use netloom_model::health::{self, Trouble, TroubleCode};
use netloom_model::host_link;
use netloom_model::report::Report;
use netloom_plan::{overlay_mtu, probe_mac};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::agent::Inner;
use crate::backoff::jittered;
use crate::sounding::{SMALL, Sounding};
use crate::state::{Assigned, State};

/// How often, at the longest; jitter shortens it by up to a half.
const EVERY: Duration = Duration::from_secs(15);
/// How soon after one did not answer, at first: it may be just about to let us in.
const SOON: Duration = Duration::from_secs(1);
/// Between the end of a round and the next that is asked for: however many ask, they share one.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer is waited for.
const WITHIN: Duration = Duration::from_millis(500);
/// After so many rounds what of a way is smaller than it might be is looked for anew.
const DEEP: u64 = 4;
/// One that never answered is told of after so many rounds.
const UNPROVEN: u32 = 3;
/// Most nodes that a sentence names.
const NAMED: usize = 8;

/// What is known of the ways, by the other node's address on the underlay.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    known: BTreeMap<IpAddr, Known>,
    /// The number of the last round.
    rounds: u64,
}

#[derive(Debug, Clone, Default)]
struct Known {
    /// Whether it ever answered.
    proven: bool,
    /// Rounds without an answer, in a row.
    misses: u32,
    last: Option<health::Sounding>,
}

/// Whom to probe, and how.
#[derive(Debug, Clone)]
struct Target {
    /// This node's address on the underlay.
    here: IpAddr,
    /// UDP port of the packets.
    port: u16,
    /// The size that this node's own link takes, in bytes.
    top: u32,
    /// What networks need that have no MTU of their own.
    needed: u32,
    nodes: Vec<IpAddr>,
}

/// Probes until the agent is gone. `sound` has it be done at once.
pub(crate) async fn run(inner: Weak<Inner>, sound: Arc<Notify>) {
    let mut wait = jittered(EVERY);
    loop {
        let ended = Instant::now();
        tokio::select! {
            () = sound.notified() => sleep_until(ended + PAUSE).await,
            () = sleep(wait) => {}
        }
        let Some(inner) = inner.upgrade() else { return };
        if inner.state().stopping {
            return;
        }
        wait = round(&inner).await;
    }
}

/// After a pass that held the network of probes: another node came, or what leads to one was made anew.
pub(crate) fn look_again(inner: &Inner, assignment: &Assignment) {
    if assignment.networks.contains_key(&PROBES) {
        inner.sound.notify_one();
    }
}

/// Has it be done at once, and waits for that.
pub(crate) async fn sound(inner: &Inner, within: Duration) {
    let begun = {
        let state = inner.state();
        if target(&state).is_none() {
            return;
        }
        state.ways.rounds
    };
    let mut sounded = inner.sounded.subscribe();
    inner.sound.notify_one();
    // Whoever asks is then told what was known before.
    let _ = timeout(within, sounded.wait_for(|done| *done > begun)).await;
}

/// Probes all; answers when it is to be done again.
async fn round(inner: &Arc<Inner>) -> Duration {
    let (target, number, mut soundings) = {
        let mut state = inner.state();
        let target = target(&state);
        state.ways.rounds += 1;
        let number = state.ways.rounds;
        let begin = |target: &Target| target.nodes.iter().map(|to| (*to, state.ways.begin(*to, target))).collect();
        let soundings: BTreeMap<IpAddr, Sounding> = target.as_ref().map(begin).unwrap_or_default();
        (target, number, soundings)
    };
    let mut found = Vec::new();
    if let Some(target) = &target {
        match ask(inner, target, &mut soundings).await {
            Ok(asked) => found = judge(inner, target, asked).await,
            Err(error) => {
                tracing::debug!(%error, "the ways to other nodes could not be probed; tried again");
                return SOON;
            }
        }
    }
    let (told, wait) = {
        let mut state = inner.state();
        let was_nothing = state.ways.known.is_empty() && found.is_empty();
        state.ways.take(found);
        wake_concerned(&mut state);
        ((!was_nothing).then(|| state.ways.told()), state.ways.wait())
    };
    inner.changed.notify_one();
    if let Some(told) = told
        && let Err(error) = inner.sink.report(Report::Sounded(told)).await
    {
        tracing::warn!(%error, "what is known of the ways to other nodes was not taken; it is said again");
    }
    inner.sounded.send_replace(number);
    wait
}

/// Whom to probe now; nobody while what leads there is not made.
fn target(state: &State) -> Option<Target> {
    let tracked = state.tracked.get(&Key::Network(PROBES))?;
    let Some(Assigned::Network(network)) = &tracked.assigned else { return None };
    let overlay = network.overlay.as_ref().filter(|_| network.in_use && tracked.verified_as.is_some())?;
    let top = overlay_mtu(network, &state.host.facts)?;
    let (here, port) = (overlay.vtep, overlay.data_path_port);
    let needed = overlay.mtu.map_or(top, |everywhere| everywhere.min(top));
    Some(Target { here, port, top, needed, nodes: overlay.vteps.iter().copied().collect() })
}

/// What came of one.
struct Asked {
    to: IpAddr,
    usable: Option<u32>,
    rtt: Option<Duration>,
    refused: Option<String>,
}

/// Sends and listens until each is known.
async fn ask(
    inner: &Inner,
    target: &Target,
    soundings: &mut BTreeMap<IpAddr, Sounding>,
) -> Result<Vec<Asked>, netloom_kernel::Error> {
    let begin = |to: &IpAddr| (*to, Asked { to: *to, usable: None, rtt: None, refused: None });
    let mut asked: BTreeMap<IpAddr, Asked> = soundings.keys().map(begin).collect();
    loop {
        let tried: Vec<(IpAddr, u32)> =
            soundings.iter().flat_map(|(to, one)| one.sizes().into_iter().map(|size| (*to, size))).collect();
        if tried.is_empty() {
            break;
        }
        let frame = |(to, size): &(IpAddr, u32)| Echo {
            to: probe_mac(target.here, *to),
            from: probe_mac(*to, target.here),
            size: *size,
        };
        let frames: Vec<Echo> = tried.iter().map(frame).collect();
        let outcomes = inner.kernel.echo(host_link::tunnel(PROBES), &frames, WITHIN).await?;
        let mut back: BTreeMap<IpAddr, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
        for ((to, size), outcome) in tried.into_iter().zip(outcomes) {
            let (sizes, came) = back.entry(to).or_default();
            sizes.push(size);
            let Some(one) = asked.get_mut(&to) else { continue };
            match outcome {
                Echoed::Back(took) => {
                    came.push(size);
                    if size <= SMALL {
                        one.rtt = Some(took);
                    }
                }
                Echoed::Silence => {}
                Echoed::Refused(why) => one.refused = Some(why),
            }
        }
        for (to, (sizes, came)) in back {
            if let Some(sounding) = soundings.get_mut(&to) {
                sounding.hear(&sizes, &came);
            }
        }
    }
    for (to, sounding) in soundings {
        if let Some(one) = asked.get_mut(to) {
            one.usable = sounding.usable();
        }
    }
    Ok(asked.into_values().collect())
}

/// Says what is wrong with each.
async fn judge(inner: &Inner, target: &Target, asked: Vec<Asked>) -> Vec<health::Sounding> {
    let mut found = Vec::with_capacity(asked.len());
    for one in asked {
        let trouble = match one.usable {
            Some(usable) if usable >= target.needed => None,
            Some(usable) => Some(only_small(target, one.to, usable)),
            None => Some(silent(inner, target, &one).await),
        };
        let rtt_us = one.rtt.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        found.push(health::Sounding { to: one.to, usable_mtu: one.usable, rtt_us, trouble });
    }
    found
}

fn only_small(target: &Target, to: IpAddr, usable: u32) -> Trouble {
    let message = format!(
        "packets of up to {usable} bytes pass to {to} and back, and larger ones don't, though {} fit this node's link: a link on the way takes less. Give \
         all links between the nodes one MTU, or a smaller one to the links of the nodes' own, which networks follow",
        target.top
    );
    Trouble { code: TroubleCode::OnlySmall, message }
}

/// Why nothing comes back, as far as this host can tell.
async fn silent(inner: &Inner, target: &Target, one: &Asked) -> Trouble {
    let Target { here, port, .. } = target;
    let to = one.to;
    if let Some(why) = &one.refused {
        let message = format!("the kernel refused to send to {to}: {why}");
        return Trouble { code: TroubleCode::Refused, message };
    }
    match inner.kernel.objection(*here, to, *port).await {
        Ok(Some((true, why))) => Trouble {
            code: TroubleCode::NoRoute,
            message: format!(
                "this host has no way to {to}: {why}; `ip route get {to} from {here}` shows where it looks"
            ),
        },
        Ok(Some((false, why))) => Trouble {
            code: TroubleCode::Refused,
            message: format!("the kernel refuses to send from {here} to {to}: {why}"),
        },
        Ok(None) | Err(_) => Trouble {
            code: TroubleCode::NoAnswer,
            message: format!(
                "nothing that goes to {to} on UDP port {port} comes back: that host is off, or a firewall on one of the two, or between them, drops it; \
                 `tcpdump -ni any udp port {port}` on both shows how far it gets"
            ),
        },
    }
}

impl Ways {
    /// What to try of one way.
    fn begin(&self, to: IpAddr, target: &Target) -> Sounding {
        let usable = self.known.get(&to).and_then(|known| known.last.as_ref()?.usable_mtu);
        Sounding::new(target.top, usable, self.rounds.is_multiple_of(DEEP))
    }

    /// Takes what was found; of nodes that are not among it nothing is known any more.
    fn take(&mut self, found: Vec<health::Sounding>) {
        let mut former = std::mem::take(&mut self.known);
        for last in found {
            let mut known = former.remove(&last.to).unwrap_or_default();
            known.proven |= last.usable_mtu.is_some();
            known.misses = if last.usable_mtu.is_some() { 0 } else { known.misses.saturating_add(1) };
            self.known.insert(last.to, Known { last: Some(last), ..known });
        }
    }

    /// What is told of.
    fn told(&self) -> Vec<health::Sounding> {
        let told = self.known.values().filter(|known| known.proven || known.misses >= UNPROVEN);
        told.filter_map(|known| known.last.clone()).collect()
    }

    /// When to probe again.
    fn wait(&self) -> Duration {
        let soonest = self.known.values().map(|known| known.misses).filter(|misses| *misses > 0).min();
        let after = |misses: u32| SOON.saturating_mul(1 << (misses - 1).min(4)).min(EVERY);
        jittered(soonest.map_or(EVERY, after))
    }

    /// What is remarkable of a network for what is known of the ways to the nodes on it.
    pub(crate) fn conditions(&self, network: &AssignedNetwork, facts: &Facts) -> Vec<Condition> {
        let overlay = network.overlay.as_ref().filter(|_| network.in_use && network.id != PROBES);
        let (Some(overlay), Some(mtu)) = (overlay, overlay_mtu(network, facts)) else { return Vec::new() };
        let told = self.known.values().filter(|known| known.proven || known.misses >= UNPROVEN);
        let of_network = told.filter_map(|known| known.last.as_ref()).filter(|last| overlay.vteps.contains(&last.to));
        let (mut silent, mut small) = (Vec::new(), Vec::new());
        for last in of_network {
            match last.usable_mtu {
                None => silent.push(last.to),
                Some(usable) if usable < mtu => small.push((last.to, usable)),
                Some(_) => {}
            }
        }
        let names = |nodes: &[IpAddr]| names(nodes, overlay);
        let unreachable = (!silent.is_empty()).then(|| unreachable(&names(&silent)));
        let least = small.iter().map(|(_, usable)| *usable).min();
        let to: Vec<IpAddr> = small.iter().map(|(node, _)| *node).collect();
        let small = least.map(|least| too_small(&names(&to), least, mtu));
        unreachable.into_iter().chain(small).collect()
    }
}

fn unreachable(nodes: &str) -> Condition {
    let message = format!(
        "sandboxes here don't reach those on {nodes}: VXLAN packets to there don't come back. `GET /networks/{{id}}/health` says why"
    );
    Condition::new(NODES_UNREACHABLE, "ProbesUnanswered", message)
}

fn too_small(nodes: &str, least: u32, mtu: u32) -> Condition {
    let message = format!(
        "the network's MTU is {mtu}, and packets of more than {least} bytes get lost on the way to {nodes}: give the way between the nodes a greater MTU, or the \
         nodes' links that of the way (`ip link set`), which networks without `mtu` follow"
    );
    Condition::new(PATH_MTU_SMALL, "LargeProbesUnanswered", message)
}

/// Nodes by their hosts' names, where these are known, with their addresses.
fn names(nodes: &[IpAddr], overlay: &AssignedOverlay) -> String {
    let name = |node: &IpAddr| match overlay.hostnames.get(node) {
        Some(hostname) => format!("`{hostname}` ({node})"),
        None => node.to_string(),
    };
    let named: Vec<String> = nodes.iter().take(NAMED).map(name).collect();
    let more = nodes.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more nodes", named.join(", ")) } else { format!("node {}", named.join(", ")) }
}

/// A network is assigned with another MTU than before: the links of sandboxes on it follow. To be called before what is assigned now is written down.
pub(crate) fn follow_mtu(state: &mut State, key: Key, assigned: Option<&Assigned>) {
    let Key::Network(id) = key else { return };
    let mtu = |assigned: Option<&Assigned>| match assigned {
        Some(Assigned::Network(network)) => overlay_mtu(network, &state.host.facts),
        _ => None,
    };
    let before = mtu(state.tracked.get(&key).and_then(|tracked| tracked.assigned.as_ref()));
    let now = mtu(assigned);
    if before.is_some() && now.is_some() && before != now {
        let at = tokio::time::Instant::now();
        state.hear_those_on(id, at, at);
    }
}

/// Wakes networks of which something else is remarkable now.
fn wake_concerned(state: &mut State) {
    let is_ours = |condition: &&Condition| [NODES_UNREACHABLE, PATH_MTU_SMALL].contains(&condition.kind.as_str());
    let differs = |(key, tracked): (&Key, &crate::state::Tracked)| {
        let Some(Assigned::Network(network)) = &tracked.assigned else { return None };
        network.overlay.as_ref()?;
        let now = state.ways.conditions(network, &state.host.facts);
        (!tracked.conditions.iter().filter(is_ours).eq(now.iter())).then_some(*key)
    };
    let networks = state.tracked.iter().take_while(|(key, _)| matches!(key, Key::Network(_)));
    let concerned: Vec<Key> = networks.filter_map(differs).collect();
    let now = tokio::time::Instant::now();
    concerned.into_iter().for_each(|key| state.wake(key, now, false));
}

#[cfg(test)]
mod tests;
