//! Asking neighbours on the segment, one request after the other: ARP for IPv4, neighbour solicitation for IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netloom_model::MacAddr;
use netloom_model::network::MacvlanMode;
use netloom_model::probe::ProbeReply;
use tokio::time::{Instant, timeout_at};

use super::packet::Wire;
use super::{Heard, Task, Way, arp, ndp, words};

/// Sends and listens.
pub(super) async fn ask(task: Task, way: &Way, socket: socket2::Socket) -> Heard {
    let mut heard = Heard { sent: 0, replies: Vec::new(), reason: None };
    let wire = match Wire::new(socket) {
        Ok(wire) => wire,
        Err(error) => {
            heard.reason = Some(words(error));
            return heard;
        }
    };
    let frame = request(task.to, way);
    for seq in 1..=task.count {
        let began = Instant::now();
        if let Err(error) = wire.send(&frame).await {
            heard.reason = Some(format!("{} refused to send: {}", way.link.name, words(error)));
            return heard;
        }
        heard.sent = seq;
        match answer(&wire, task.to, began + task.timeout).await {
            Ok(Some(mac)) => heard.replies.push(ProbeReply {
                seq,
                mac: Some(mac),
                address: Some(task.to.to_string()),
                rtt_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            }),
            Ok(None) => {}
            Err(error) => {
                heard.reason = Some(format!("{} went down meanwhile: {}", way.link.name, words(error)));
                return heard;
            }
        }
    }
    heard.reason = Some(silence(task, way));
    heard
}

fn request(to: IpAddr, way: &Way) -> Vec<u8> {
    let mac = way.link.mac.unwrap_or(MacAddr([0; 6]));
    match (to, way.path.source) {
        (IpAddr::V4(to), Some(IpAddr::V4(source))) => arp::request(mac, source, to),
        (IpAddr::V4(to), _) => arp::request(mac, Ipv4Addr::UNSPECIFIED, to),
        (IpAddr::V6(to), Some(IpAddr::V6(source))) => ndp::solicitation(mac, source, to),
        (IpAddr::V6(to), _) => ndp::solicitation(mac, Ipv6Addr::UNSPECIFIED, to),
    }
}

/// Who says before the deadline that it has the address.
async fn answer(wire: &Wire, to: IpAddr, deadline: Instant) -> std::io::Result<Option<MacAddr>> {
    loop {
        let Ok(frame) = timeout_at(deadline, wire.receive()).await else { return Ok(None) };
        let frame = frame?;
        let mac = match to {
            IpAddr::V4(to) => {
                arp::read(&frame).filter(|said| said.reply && said.sender_address == to).map(|s| s.sender)
            }
            IpAddr::V6(to) => ndp::read(&frame).filter(|said| said.reply && said.target == to).map(|s| s.sender),
        };
        if mac.is_some() {
            return Ok(mac);
        }
    }
}

fn silence(task: Task, way: &Way) -> String {
    let what = if task.to.is_ipv4() { "ARP reply" } else { "neighbour advertisement" };
    let cause = match way.link.macvlan_mode() {
        Some(MacvlanMode::Private) => {
            "nobody on the segment has it, or it is an endpoint on the same parent, which mode private keeps apart"
        }
        Some(MacvlanMode::Vepa) => {
            "nobody on the segment has it, or it is an endpoint on the same parent and the switch does not send frames back (mode vepa needs that)"
        }
        _ => "nobody on the segment has it",
    };
    let down = if way.link.is_up() { "" } else { ", and the link is down" };
    format!("no {what} for {} within {} ms on {}: {cause}{down}", task.to, task.timeout.as_millis(), way.link.name)
}
