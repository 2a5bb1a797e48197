//! Addresses that are asked for on the wire before they are set (RFC 5227, RFC 4862). Each probe is a task of its own, so that
//! nothing else waits for it; what it finds opens a gate, and the sandbox is looked at again.

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use netloom_model::assignment::Key;
use netloom_model::plan::Refusal;
use netloom_model::report::Report;
use netloom_model::{EndpointId, MacAddr, SandboxId};
use netloom_plan::object::{Key as ObjectKey, Object, Observed, Place};
use netloom_plan::{Compiled, ProbeNeeded};
use tokio::time::{Instant, sleep};

use crate::agent::Inner;
use crate::backoff::Backoff;
use crate::state::Gate;

/// What a socket says whose link went.
const LINK_GONE: [&str; 3] = ["ENXIO", "ENODEV", "ENETDOWN"];
/// How long until such a probe is made anew.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Starts the probes that are needed and not under way, as soon as the endpoint's link is there to send from.
pub(crate) fn start(inner: &Arc<Inner>, wanted: &Compiled, observed: &Observed) {
    for probe in wanted.probes.iter().filter(|probe| has_link(probe, observed)) {
        let mut state = inner.state();
        let number = state.probes + 1;
        let gates = state.gates.entry(probe.sandbox).or_default();
        if gates.contains_key(&(probe.endpoint, probe.address)) {
            continue;
        }
        gates.insert((probe.endpoint, probe.address), Gate::Probing(number));
        state.probes = number;
        drop(state);
        tokio::spawn(run(Arc::downgrade(inner), probe.clone(), number));
    }
}

fn has_link(probe: &ProbeNeeded, observed: &Observed) -> bool {
    let key = ObjectKey::Link(Place::Sandbox(probe.sandbox), probe.link.clone());
    let Some(Object::Link(link)) = observed.ours.get(&key) else { return false };
    link.up && link.mac == Some(probe.mac) && link.owner == probe.endpoint.to_string()
}

async fn run(inner: Weak<Inner>, probe: ProbeNeeded, number: u64) {
    let Some(kernel) = inner.upgrade().map(|inner| inner.kernel.clone()) else { return };
    let found = kernel.address_probe(probe.sandbox, &probe.link, probe.address, probe.mac).await;
    let gate = match found {
        Ok(None) => Some(Gate::Clear),
        Ok(Some(stranger)) => match conflict(&inner, &probe, number, stranger).await {
            Ok(()) => None,
            Err(refusal) => Some(Gate::Refused(refusal)),
        },
        // The link went, or was made anew (another address brings another Ethernet address) while it was being asked: asked again.
        Err(refusal) if refusal.errno.as_deref().is_some_and(|errno| LINK_GONE.contains(&errno)) => {
            sleep(ASK_AGAIN).await;
            None
        }
        Err(refusal) => Some(Gate::Refused(refusal)),
    };
    let Some(inner) = inner.upgrade() else { return };
    let mut state = inner.state();
    let Some(gates) = state.gates.get_mut(&probe.sandbox) else { return };
    let address = (probe.endpoint, probe.address);
    // The endpoint may have gone, or come again with a probe of its own.
    if gates.get(&address) != Some(&Gate::Probing(number)) {
        return;
    }
    let afresh = gate.is_none();
    match gate {
        Some(gate) => gates.insert(address, gate),
        None => gates.remove(&address),
    };
    state.wake(Key::Sandbox(probe.sandbox), Instant::now(), afresh);
    drop(state);
    inner.changed.notify_one();
}

/// Reports a stranger until the report is taken (another address is then assigned) or refused for good.
async fn conflict(inner: &Weak<Inner>, probe: &ProbeNeeded, number: u64, stranger: MacAddr) -> Result<(), Refusal> {
    let mut backoff = Backoff::default();
    while let Some(inner) = inner.upgrade() {
        if !is_current(&inner, probe.sandbox, (probe.endpoint, probe.address), number) {
            break;
        }
        let report = Report::AddressConflict { endpoint: probe.endpoint, address: probe.address, mac: stranger };
        match inner.sink.report(report).await {
            Ok(()) => break,
            Err(error) if error.retry => tracing::warn!(%error, "an address conflict was not taken; it is said again"),
            Err(error) => return Err(refusal(probe, stranger, &error.message)),
        }
        drop(inner);
        sleep(backoff.failed()).await;
    }
    Ok(())
}

fn is_current(inner: &Inner, sandbox: SandboxId, address: (EndpointId, IpAddr), number: u64) -> bool {
    let state = inner.state();
    state.gates.get(&sandbox).and_then(|gates| gates.get(&address)) == Some(&Gate::Probing(number))
}

fn refusal(probe: &ProbeNeeded, stranger: MacAddr, message: &str) -> Refusal {
    Refusal {
        code: "address-conflict".to_owned(),
        object: format!("address {} on {}", probe.address, probe.link),
        operation: "create".to_owned(),
        errno: None,
        message: message.to_owned(),
        hint: Some(format!(
            "{stranger} uses {} on the wire: choose another address, or reserve it and take the stranger's away",
            probe.address
        )),
    }
}
