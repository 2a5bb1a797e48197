//! Frames that another node sends back: sent on a link of the overlay namespace, and looked for there.
//!
//! What must not live here: who sends them back (`plan::compile::overlay`), what sizes are tried, and what follows (agent).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use netloom_model::MacAddr;
use netloom_plan::object::Place;
use nix::errno::Errno;
use tokio::time::{Instant, timeout_at};

use super::packet::{self, Wire};
use crate::Error;
use crate::error::Failure;
use crate::handle::Inner;
use crate::message::link;
use crate::stack::{self, Absent};
use crate::sys;
use crate::worker::Worker;

/// EtherType for local experiments (IEEE 802, clause 9.2.3): nothing but these frames is on that link.
const ETHER_TYPE: u16 = 0x88b5;
/// Length of an Ethernet header.
const HEADER: usize = 14;
/// What a frame of ours begins with, after the header; its wave's secret and its own number follow.
const MAGIC: &[u8; 8] = b"netloom?";
/// Least size: what is written into one.
const LEAST: usize = MAGIC.len() + 12;
/// What the frames of one wave are known by.
type Wave = [u8; 8];
/// Frames on their way at once: what comes back fits into a socket's buffer.
const AT_ONCE: usize = 64;

/// A frame to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// The address that it is to.
    pub to: MacAddr,
    /// The address that it is from.
    pub from: MacAddr,
    /// Its size after the Ethernet header, in bytes: the MTU that it needs.
    pub size: u32,
}

/// What came of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echoed {
    /// It came back whole, after this time.
    Back(Duration),
    /// It did not in time.
    Silence,
    /// It was not sent, with the kernel's reason.
    Refused(String),
}

/// Sends frames, and answers of each in their order what came of it.
pub(crate) async fn echo(
    inner: &Arc<Inner>,
    link: String,
    frames: &[Echo],
    within: Duration,
) -> Result<Vec<Echoed>, Error> {
    let job = inner.clone();
    let socket = inner.workers.run(move |worker| open(&job, worker, &link)).await??;
    let failed = |error: io::Error| Error::system("probe other nodes", error);
    let wire = Wire::new(socket).map_err(failed)?;
    let mut outcomes = Vec::with_capacity(frames.len());
    for some in frames.chunks(AT_ONCE) {
        outcomes.extend(wave(&wire, some, within).await.map_err(failed)?);
    }
    Ok(outcomes)
}

/// On the VXLAN device all that passes is seen only before its bridge takes it, which is where sockets for every protocol listen.
fn open(inner: &Inner, worker: &mut Worker, link: &str) -> Result<socket2::Socket, Error> {
    let mut stack = stack::enter(inner, worker, Place::Overlay)?;
    let found = link::by_name(&mut stack.rtnl, link).map_err(Absent::doing("look at the link"))?;
    let found = found.ok_or(Absent::Failed("look at the link", Errno::ENODEV.into()))?;
    let open = || {
        let socket = packet::open(found.index, libc::ETH_P_ALL as u16)?;
        sys::packet_ignores_outgoing(&socket)?;
        Ok(socket)
    };
    open().map_err(|error: io::Error| Error::system("make a socket for probes of other nodes", error))
}

async fn wave(wire: &Wire, frames: &[Echo], within: Duration) -> io::Result<Vec<Echoed>> {
    // Drawn anew each time: whoever has not seen a frame can't say that it came back.
    let mut wave = [0; 8];
    getrandom::fill(&mut wave)?;
    let mut outcomes = vec![Echoed::Silence; frames.len()];
    let mut waiting = HashMap::new();
    for (number, frame) in (0_u32..).zip(frames) {
        let began = Instant::now();
        match wire.send(&bytes(frame, wave, number)).await {
            Ok(()) => {
                waiting.insert(number, began);
            }
            Err(error) => outcomes[number as usize] = Echoed::Refused(Failure::from(error).words()),
        }
    }
    let deadline = Instant::now() + within;
    while !waiting.is_empty() {
        let Ok(heard) = timeout_at(deadline, wire.receive_up_to(longest(frames))).await else { break };
        let heard = heard?;
        let Some(number) = number_of(&heard, wave) else { continue };
        let is_whole = |frame: &Echo| heard[..6] == frame.to.0 && heard.len() == HEADER + size(frame);
        if let (Some(frame), Some(began)) = (frames.get(number as usize), waiting.get(&number))
            && is_whole(frame)
        {
            outcomes[number as usize] = Echoed::Back(began.elapsed());
            waiting.remove(&number);
        }
    }
    Ok(outcomes)
}

fn size(frame: &Echo) -> usize {
    LEAST.max(frame.size as usize)
}

fn longest(frames: &[Echo]) -> usize {
    HEADER + frames.iter().map(size).max().unwrap_or(LEAST)
}

fn bytes(frame: &Echo, wave: Wave, number: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + size(frame));
    bytes.extend(frame.to.0);
    bytes.extend(frame.from.0);
    bytes.extend(ETHER_TYPE.to_be_bytes());
    bytes.extend(MAGIC);
    bytes.extend(wave);
    bytes.extend(number.to_be_bytes());
    bytes.resize(HEADER + size(frame), 0);
    bytes
}

/// The number of a frame of this wave.
fn number_of(frame: &[u8], wave: Wave) -> Option<u32> {
    let body = frame.get(HEADER..HEADER + LEAST)?;
    let (magic, numbers) = body.split_at(MAGIC.len());
    let (its_wave, number) = numbers.split_at(wave.len());
    let is_ours = frame[12..HEADER] == ETHER_TYPE.to_be_bytes() && magic == MAGIC && its_wave == wave;
    is_ours.then(|| u32::from_be_bytes(number.try_into().unwrap_or_default()))
}

/// Why the host would send nothing from one of its addresses to another's port, as far as its routes tell. Nothing is sent.
pub(crate) async fn objection(
    inner: &Arc<Inner>,
    from: IpAddr,
    to: IpAddr,
    port: u16,
) -> Result<Option<(bool, String)>, Error> {
    let job = inner.clone();
    let ask = move |worker: &mut Worker| {
        stack::enter(&job, worker, Place::Host)?;
        let asked = UdpSocket::bind((from, 0)).and_then(|socket| socket.connect((to, port)));
        Ok(asked.err().map(|error| {
            let failure = Failure::from(error);
            (failure.is(&[Errno::ENETUNREACH, Errno::EHOSTUNREACH]), failure.words())
        }))
    };
    inner.workers.run(ask).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_known_again_by_its_wave_and_number() {
        let frame = Echo { to: MacAddr([2; 6]), from: MacAddr([4; 6]), size: 100 };
        let (wave, another) = ([7; 8], [8; 8]);
        let sent = bytes(&frame, wave, 3);
        assert_eq!(sent.len(), HEADER + 100);
        assert_eq!(number_of(&sent, wave), Some(3));
        let mut other_type = sent.clone();
        other_type[12] = 0x08;
        let short = sent[..HEADER + 4].to_vec();
        for (foreign, wave) in [(sent, another), (short, wave), (other_type, wave), (Vec::new(), wave)] {
            assert_eq!(number_of(&foreign, wave), None);
        }
        assert_eq!(bytes(&Echo { size: 1, ..frame }, wave, 3).len(), HEADER + LEAST);
    }
}
