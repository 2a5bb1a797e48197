//! Probes: checked here, sent by the node from inside the sandbox. Why one to another sandbox was not answered is said where that is known.

mod known;

use std::net::{IpAddr, Ipv4Addr};

use netloom_model::Invalid;
use netloom_model::assignment::Key;
use netloom_model::invalid::Code;
use netloom_model::net::{parse_address, unassignable};
use netloom_model::probe::{ProbeKind, ProbeReport, ProbeSpec};
use netloom_store::SandboxRow;

use crate::command::Probe;
use crate::conditions;
use crate::control::Control;
use crate::error::Error;
use crate::principal::Authorized;
use crate::sandboxes::find;
use crate::validate::Problems;

impl Control {
    /// Sends a probe from a sandbox.
    ///
    /// # Errors
    /// Everything wrong with the spec; `sandbox-stopped`; the node's refusal when it could not be tried.
    pub async fn probe(&self, c: Authorized<Probe>) -> Result<ProbeReport, Error> {
        let Probe(mut spec) = c.into_parts().0;
        let to = check(&spec)?;
        // The node has no use for an IPv4 address in IPv6 form.
        if to.is_ipv4() {
            spec.to = to.to_string();
        }
        let reference = spec.from.clone();
        let sandbox = self.inner.store.ask(move |tx| Box::pin(async move { find(tx, &reference).await })).await?;
        if sandbox.deleting || !sandbox.running {
            let why = if sandbox.deleting { "is being removed" } else { "is stopped" };
            return Err(Error::conflict("sandbox-stopped", format!("sandbox `{}` {why}", sandbox.name))
                .hint("start it: PATCH with {\"desired_state\": \"running\"}")
                .blockers(vec![crate::journal::sandbox_ref(&sandbox)]));
        }
        self.detached(|this| async move {
            let mut report = this.inner.node.probe(sandbox.id, spec).await?;
            if report.received == 0
                && report.sent > 0
                && let Err(error) = this.explain(&mut report, sandbox, to).await
            {
                // The probe was made: what is known besides is only an explanation.
                tracing::warn!(%error, "why a probe was not answered could not be looked up");
            }
            Ok(report)
        })
        .await
    }

    /// Adds to what was found on the wire why no answer could come.
    async fn explain(&self, report: &mut ProbeReport, from: SandboxRow, to: IpAddr) -> Result<(), Error> {
        let asked = report.clone();
        let read = self.inner.store.read(move |tx| Box::pin(async move { known::way(tx, &from, &asked, to).await }));
        let Some(way) = read.await? else { return Ok(()) };
        let known = match way.wanted_shut(report) {
            Some(known) => Some(known),
            None => {
                let keys = [way.from.id, way.to.id].map(Key::Network);
                let live = self.inner.live(keys.to_vec(), false).await;
                way.found_shut(|id| conditions::of(live.objects.get(&Key::Network(id))))
            }
        };
        if let Some(known) = known {
            let heard = report.reason.take().map_or_else(String::new, |heard| format!("{heard}; "));
            report.reason = Some(format!("{heard}{known}"));
        }
        Ok(())
    }
}

/// Checks a probe; answers where it goes.
fn check(spec: &ProbeSpec) -> Result<IpAddr, Error> {
    let mut problems = Problems::default();
    let hint = "a probe goes to an address: `status.endpoints` of a sandbox has those of its networks";
    let to = problems.check(parse_address("/to", &spec.to).map_err(|invalid| invalid.hint(hint)));
    if let Some(address) = to
        && let Some(reason) = unassignable(address).filter(|_| !address.is_loopback())
    {
        let message = format!("{address} is {reason}: no single station answers for it");
        problems.add(Invalid::new("/to", Code::OutOfRange, &spec.to, message));
    }
    match (spec.kind, spec.port) {
        (ProbeKind::Tcp, None) => problems.add(Invalid::required("/port", "a probe of kind tcp needs a port")),
        (ProbeKind::Tcp, Some(0)) => {
            problems.add(Invalid::new("/port", Code::OutOfRange, "0", "a port is 1 to 65535"));
        }
        (ProbeKind::Arp | ProbeKind::Icmp, Some(port)) => {
            let message = "only a probe of kind tcp has a port";
            problems.add(Invalid::new("/port", Code::NotAllowedHere, &port.to_string(), message));
        }
        _ => {}
    }
    if let Some(count) = spec.count.filter(|count| !(1..=20).contains(count)) {
        problems.add(Invalid::new("/count", Code::OutOfRange, &count.to_string(), "a count is 1 to 20"));
    }
    if let Some(timeout) = spec.timeout_ms.filter(|timeout| !(10..=5000).contains(timeout)) {
        let message = "a time-out is 10 to 5000 milliseconds";
        problems.add(Invalid::new("/timeout_ms", Code::OutOfRange, &timeout.to_string(), message));
    }
    // Without an address there is a problem, and no answer.
    problems.finish(to.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn refused(value: Value) -> Option<String> {
        let spec = netloom_model::document::parse(value).expect("a readable probe");
        check(&spec).err().map(|error| error.errors[0].pointer.clone())
    }

    #[test]
    fn probes_are_checked() {
        let cases = [
            (json!({"from": "s", "kind": "arp", "to": "192.168.122.3", "count": 3}), None),
            (json!({"from": "s", "kind": "tcp", "to": "fd00::1", "port": 80}), None),
            (json!({"from": "s", "kind": "tcp", "to": "10.0.0.1"}), Some("/port")),
            (json!({"from": "s", "kind": "tcp", "to": "10.0.0.1", "port": 0}), Some("/port")),
            (json!({"from": "s", "kind": "icmp", "to": "10.0.0.1", "port": 7}), Some("/port")),
            (json!({"from": "s", "kind": "arp", "to": "x"}), Some("/to")),
            (json!({"from": "s", "kind": "arp", "to": "224.0.0.1"}), Some("/to")),
            (json!({"from": "s", "kind": "arp", "to": "10.0.0.1", "count": 0}), Some("/count")),
            (json!({"from": "s", "kind": "arp", "to": "10.0.0.1", "timeout_ms": 1}), Some("/timeout_ms")),
        ];
        for (probe, pointer) in cases {
            assert_eq!(refused(probe.clone()).as_deref(), pointer, "{probe}");
        }
    }
}
