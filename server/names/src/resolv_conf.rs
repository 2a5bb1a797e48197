//! The host's `resolv.conf` in, a sandbox's out; see resolv.conf(5). Text to text: what must not live here is reading or
//! writing files.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where a sandbox finds its resolver, on port 53. Docker's address, which programs know.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// Most nameservers that are used: MAXNS of `<resolv.h>`. With more, a client gives up before the last one is asked.
const NAMESERVERS_MAX: usize = 3;
/// The port of DNS.
const PORT: u16 = 53;
/// Names are asked for as they are before search domains are tried: a sandbox's name has no dot.
const NDOTS: &str = "ndots:0";

/// What a `resolv.conf` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// Nameservers, in order. One with a zone (`fe80::1%eth0`) is left out: it has no meaning without its interface.
    pub nameservers: Vec<IpAddr>,
    /// Search domains, in order: those of the last `search` or `domain` line.
    pub search: Vec<String>,
    /// Options, in order: those of all lines.
    pub options: Vec<String>,
}

impl ResolvConf {
    /// The resolvers to forward to: the first three nameservers.
    pub fn upstreams(&self) -> Vec<SocketAddr> {
        self.nameservers.iter().take(NAMESERVERS_MAX).map(|address| SocketAddr::new(*address, PORT)).collect()
    }
}

/// Reads a `resolv.conf`. Lines that are not understood count for nothing, as in the C library.
pub fn parse_resolv_conf(text: &str) -> ResolvConf {
    let mut conf = ResolvConf::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let keyword = words.next().unwrap_or_default();
        let words: Vec<&str> = words.take_while(|word| !word.starts_with(['#', ';'])).collect();
        if words.is_empty() {
            continue;
        }
        let owned = words.iter().map(|word| (*word).to_owned());
        match keyword {
            "nameserver" => conf.nameservers.extend(words[0].parse::<IpAddr>().ok()),
            "search" | "domain" => conf.search = owned.collect(),
            "options" => conf.options.extend(owned),
            _ => {}
        }
    }
    conf
}

/// The `resolv.conf` of a sandbox, given the host's: the resolver of this crate as the only nameserver, the host's search
/// domains and options, and `ndots:0` unless the host says otherwise (as libnetwork does).
pub fn resolv_conf(host: &str) -> String {
    let ResolvConf { search, mut options, .. } = parse_resolv_conf(host);
    let ndots = |option: &str| option.strip_prefix("ndots:").map(str::parse::<u32>);
    options.retain(|option| option != "ndots" && !matches!(ndots(option), Some(Err(_))));
    if !options.iter().any(|option| ndots(option).is_some()) {
        options.push(NDOTS.to_owned());
    }
    let mut text = format!("# Written by Netloom from the host's resolv.conf.\nnameserver {ADDRESS}\n");
    if !search.is_empty() {
        // Writing to a string can't fail.
        let _ = writeln!(text, "search {}", search.join(" "));
    }
    let _ = writeln!(text, "options {}", options.join(" "));
    text
}

#[cfg(test)]
mod tests;
