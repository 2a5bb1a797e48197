//! Whether a stranger has an address that an endpoint is about to take (RFC 5227 for IPv4, RFC 4862 for IPv6).
//!
//! Asked from the endpoint's own link: the parent does not see its other macvlans.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use netloom_model::plan::Refusal;
use netloom_model::{MacAddr, SandboxId};
use netloom_plan::object::Place;
use nix::errno::Errno;
use tokio::time::{Instant, timeout_at};

use super::packet::{self, Wire};
use super::{arp, ether_type, lost, ndp, refusal};
use crate::handle::Inner;
use crate::message::link;
use crate::stack::{self, Absent};
use crate::sys;
use crate::worker::Worker;

/// How long is listened after each probe. Far shorter than the RFCs' seconds: the segment is a switch, and a caller waits.
const WAITS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(150)];

/// Asks; answers the stranger.
pub(crate) async fn probe(
    inner: &Arc<Inner>,
    sandbox: SandboxId,
    link: &str,
    address: IpAddr,
    mac: MacAddr,
) -> Result<Option<MacAddr>, Refusal> {
    let (job, name) = (inner.clone(), link.to_owned());
    let opened = inner.workers.run(move |worker| open(&job, worker, sandbox, &name, address)).await;
    let opened = opened.unwrap_or_else(|error| Err(lost(&error)));
    let heard = match opened {
        Ok(socket) => ask(socket, address, mac).await.map_err(|e| Absent::Failed("probe the address", e.into())),
        Err(absent) => Err(absent),
    };
    heard.map_err(|absent| {
        let mut refusal = refusal(inner, sandbox, &absent);
        refusal.object = format!("address {address} on {link} in {}", refusal.object);
        refusal.message = format!("{} was not probed: {}", refusal.object, absent.words());
        refusal
    })
}

fn open(
    inner: &Inner,
    worker: &mut Worker,
    sandbox: SandboxId,
    link: &str,
    address: IpAddr,
) -> Result<socket2::Socket, Absent> {
    let mut stack = stack::enter(inner, worker, Place::Sandbox(sandbox))?;
    let found = link::by_name(&mut stack.rtnl, link).map_err(Absent::doing("look at the link"))?;
    let found = found.ok_or(Absent::Failed("look at the link", Errno::ENODEV.into()))?;
    let open = || {
        let socket = packet::open(found.index, ether_type(address))?;
        if let IpAddr::V6(address) = address {
            let (_, group) = ndp::solicited_node(address);
            sys::packet_multicast(&socket, found.index, group)?;
            sys::packet_multicast(&socket, found.index, ndp::ALL_NODES)?;
        }
        Ok(socket)
    };
    open().map_err(|error: std::io::Error| Absent::Failed("make the probe's socket", error.into()))
}

async fn ask(socket: socket2::Socket, address: IpAddr, mac: MacAddr) -> std::io::Result<Option<MacAddr>> {
    let wire = Wire::new(socket)?;
    let frame = match address {
        IpAddr::V4(address) => arp::request(mac, Ipv4Addr::UNSPECIFIED, address),
        IpAddr::V6(address) => ndp::solicitation(mac, Ipv6Addr::UNSPECIFIED, address),
    };
    for wait in WAITS {
        wire.send(&frame).await?;
        let deadline = Instant::now() + wait;
        while let Ok(frame) = timeout_at(deadline, wire.receive()).await {
            if let Some(stranger) = stranger(&frame?, address, mac) {
                return Ok(Some(stranger));
            }
        }
    }
    Ok(None)
}

/// Who has the address, or is asking for it in order to take it at this very time.
fn stranger(frame: &[u8], address: IpAddr, mac: MacAddr) -> Option<MacAddr> {
    let other = match address {
        IpAddr::V4(address) => {
            let said = arp::read(frame)?;
            let takes = !said.reply && said.sender_address.is_unspecified() && said.target_address == address;
            (said.sender_address == address || takes).then_some(said.sender)
        }
        IpAddr::V6(address) => {
            let said = ndp::read(frame)?;
            let takes = !said.reply && said.source.is_unspecified();
            (said.target == address && (said.reply || takes)).then_some(said.sender)
        }
    };
    other.filter(|sender| *sender != mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_who_has_the_address_or_probes_for_it() {
        let (ours, other) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]));
        let address = Ipv4Addr::new(192, 0, 2, 9);
        let wanted = IpAddr::V4(address);
        let probe = |mac| arp::request(mac, Ipv4Addr::UNSPECIFIED, address);
        assert_eq!(stranger(&probe(other), wanted, ours), Some(other));
        assert_eq!(stranger(&probe(ours), wanted, ours), None);
        let holder = arp::request(other, address, Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(stranger(&holder, wanted, ours), Some(other));
        let asker = arp::request(other, Ipv4Addr::new(192, 0, 2, 1), address);
        assert_eq!(stranger(&asker, wanted, ours), None);
        let v6: Ipv6Addr = "2001:db8::9".parse().expect("an address");
        let frame = ndp::solicitation(other, Ipv6Addr::UNSPECIFIED, v6);
        assert_eq!(stranger(&frame, IpAddr::V6(v6), ours), Some(other));
    }
}
