//! Traffic of sandboxes: what each look at one found of its interfaces' counters, remembered for a while so that rates can be told. Nothing is done while
//! nobody looks: a page that is open looks again and again, and so does a program that asks.
//!
//! What must not live here: looking, which is the node's; and anything that outlives the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netloom_model::sandbox::{InterfaceStatus, Sandbox};
use netloom_model::traffic::{InterfaceTraffic, TrafficSample};
use netloom_model::{SandboxId, Timestamp};

use crate::clock::now;
use crate::command::GetSandbox;
use crate::control::Control;
use crate::error::Error;
use crate::principal::Authorized;

/// Most samples of an interface.
const SAMPLES: usize = 300;
/// Least time between two samples, in milliseconds: what is asked for more often adds nothing.
const SPACING: i64 = 1500;
/// How long what was seen is remembered, in milliseconds: 20 minutes.
const REMEMBERED: i64 = 20 * 60 * 1000;
/// Most sandboxes that are remembered; the one that was looked at longest ago goes first.
const SANDBOXES: usize = 256;

impl Control {
    /// Gets a sandbox with its interfaces as they are now, and what was seen of their counters by this look and those before it. The more often it is
    /// asked for, the more there is; nothing is kept that is older than 20 minutes.
    ///
    /// # Errors
    /// There is none of this ID or name.
    pub async fn sandbox_traffic(&self, c: Authorized<GetSandbox>) -> Result<(Sandbox, Vec<InterfaceTraffic>), Error> {
        let sandbox = self.get_sandbox(c).await?;
        let live = sandbox.status.interfaces.as_deref().unwrap_or_default();
        let seen = self.inner.traffic.note(sandbox.id, live, now());
        Ok((sandbox, seen))
    }
}

/// The counters of one sandbox's interfaces, by name.
type Series = BTreeMap<String, VecDeque<TrafficSample>>;

/// What was seen, by sandbox, with when each was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<BTreeMap<SandboxId, (Timestamp, Series)>>);

impl Traffic {
    /// Takes in what a look found; what there is now of these interfaces.
    fn note(&self, id: SandboxId, found: &[InterfaceStatus], now: Timestamp) -> Vec<InterfaceTraffic> {
        let mut seen = self.lock();
        seen.retain(|_, (looked, _)| looked.millis() > now.millis() - REMEMBERED);
        if !seen.contains_key(&id) && seen.len() >= SANDBOXES {
            let oldest = seen.iter().min_by_key(|(_, (looked, _))| *looked).map(|(id, _)| *id);
            oldest.map(|id| seen.remove(&id));
        }
        let (looked, series) = seen.entry(id).or_insert((now, Series::new()));
        *looked = now;
        series.retain(|name, _| found.iter().any(|interface| interface.name == *name));
        let told = found.iter().map(|interface| {
            let samples = series.entry(interface.name.clone()).or_default();
            add(samples, sample(interface, now));
            InterfaceTraffic { interface: interface.name.clone(), samples: samples.iter().copied().collect() }
        });
        told.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SandboxId, (Timestamp, Series)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sample(interface: &InterfaceStatus, time: Timestamp) -> TrafficSample {
    let InterfaceStatus { rx_packets, rx_bytes, tx_packets, tx_bytes, .. } = *interface;
    TrafficSample { time, rx_packets, rx_bytes, tx_packets, tx_bytes }
}

fn add(samples: &mut VecDeque<TrafficSample>, new: TrafficSample) {
    let fell = |last: &TrafficSample| new.rx_bytes < last.rx_bytes || new.tx_bytes < last.tx_bytes;
    let since = |one: &TrafficSample| new.time.millis() - one.time.millis();
    // Counters that fell, or a clock that went back: these were of another interface, or mean nothing beside what was seen before.
    if samples.back().is_some_and(|last| fell(last) || since(last) < 0) {
        samples.clear();
    }
    if samples.back().is_some_and(|last| since(last) < SPACING) {
        return;
    }
    samples.push_back(new);
    while samples.len() > SAMPLES || samples.front().is_some_and(|first| since(first) > REMEMBERED) {
        samples.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, bytes: u64) -> InterfaceStatus {
        serde_json::from_value(serde_json::json!({
            "name": name, "mtu": 1500, "flags": [], "addresses": [],
            "rx_packets": 1, "rx_bytes": bytes, "tx_packets": 1, "tx_bytes": bytes,
        }))
        .expect("an interface")
    }

    fn bytes(told: &[InterfaceTraffic]) -> Vec<u64> {
        told.iter().flat_map(|one| one.samples.iter().map(|sample| sample.rx_bytes)).collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1000)
    }

    #[test]
    fn each_look_adds_a_sample_but_not_more_often_than_is_worth_it() {
        let (traffic, id) = (Traffic::default(), SandboxId::from_random([1; 16]));
        let look = |seconds, bytes| traffic.note(id, &[interface("eth0", bytes)], at(seconds));
        assert_eq!(bytes(&look(0, 100)), [100]);
        assert_eq!(bytes(&look(1, 150)), [100], "too soon");
        assert_eq!(bytes(&look(5, 200)), [100, 200]);
        assert_eq!(bytes(&look(20, 50)), [50], "another interface of that name");
        assert_eq!(bytes(&look(10, 60)), [60], "the clock went back");
    }

    #[test]
    fn what_is_remembered_has_bounds() {
        let (traffic, id) = (Traffic::default(), SandboxId::from_random([1; 16]));
        let mut told = Vec::new();
        for look in 0..400 {
            told = traffic.note(id, &[interface("eth0", look)], at(i64::try_from(look).expect("few") * 2));
        }
        assert_eq!(told[0].samples.len(), SAMPLES);
        let later = traffic.note(id, &[interface("eth0", 500)], at(798 + 21 * 60));
        assert_eq!(bytes(&later), [500], "the rest is too old");
        for seed in 0..=255_u8 {
            traffic.note(SandboxId::from_random([seed; 16]), &[interface("eth0", 1)], at(3000 + i64::from(seed)));
        }
        traffic.note(SandboxId::from_random([7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8]), &[], at(3300));
        assert_eq!(traffic.lock().len(), SANDBOXES);
        assert!(!traffic.lock().contains_key(&SandboxId::from_random([0; 16])), "the one looked at longest ago");
    }

    #[test]
    fn an_interface_that_is_gone_is_forgotten() {
        let (traffic, id) = (Traffic::default(), SandboxId::from_random([1; 16]));
        traffic.note(id, &[interface("eth0", 1), interface("eth1", 1)], at(0));
        assert_eq!(traffic.note(id, &[interface("eth1", 2)], at(10)).len(), 1);
        assert_eq!(bytes(&traffic.note(id, &[interface("eth0", 9)], at(20))), [9]);
    }
}
