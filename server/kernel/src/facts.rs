//! What the host has and offers: links, routes, nameservers, the kernel. Read, never changed.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::facts::{Facts, HostLink, HostRoute};
use netloom_plan::object::Place;

use crate::Error;
use crate::handle::Inner;
use crate::message::link::{self, Counters};
use crate::message::{address, route};
use crate::stack;
use crate::worker::Worker;

/// Where resolvers are said to be; the second holds the true ones where the first only names the local stub of systemd-resolved.
const RESOLVER_FILES: [&str; 2] = [RESOLV_CONF, "/run/systemd/resolve/resolv.conf"];
/// Where programs look for resolvers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The kernel's boot ID.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// What programs on the host are told of resolvers; empty when there is no such file.
pub(crate) fn resolv_conf() -> String {
    std::fs::read_to_string(RESOLV_CONF).unwrap_or_default()
}

/// Looks at the host.
pub(crate) fn look(inner: &Inner, worker: &mut Worker) -> Result<Facts, Error> {
    let mut stack = stack::enter(inner, worker, Place::Host)?;
    let failed = |failure| Error::system("look at the host's network", failure);
    let links = link::dump(&mut stack.rtnl, Counters::Without).map_err(failed)?;
    let addresses = address::dump(&mut stack.rtnl).map_err(failed)?;
    let routes = route::dump(&mut stack.rtnl, route::Filter::All).map_err(failed)?;
    let names: HashMap<u32, &str> = links.iter().map(|link| (link.index, link.name.as_str())).collect();
    // One that lost a mark to somebody, and gets it back in a moment, is no link of the host's own meanwhile.
    let mut ours = inner.listener.ours_on_host();
    ours.extend(links.iter().filter(|link| link.is_ours()).map(|link| link.index));
    let kernel = nix::sys::utsname::uname().map_err(|errno| Error::system("read the kernel's release", errno))?;
    let hostname = nix::unistd::gethostname().map_err(|errno| Error::system("read the host's name", errno))?;
    Ok(Facts {
        hostname: hostname.to_string_lossy().into_owned(),
        kernel: kernel.release().to_string_lossy().into_owned(),
        boot_id: inner.boot_id.clone(),
        links: links
            .iter()
            .filter(|link| !ours.contains(&link.index))
            .map(|link| host_link(link, &names, &addresses))
            .collect(),
        routes: routes
            .iter()
            .filter(|route| !route.is_ours() && !route.link.is_some_and(|link| ours.contains(&link)))
            .map(|route| host_route(route, &names))
            .collect(),
        nameservers: nameservers(),
    })
}

fn host_link(link: &link::Seen, names: &HashMap<u32, &str>, addresses: &[address::Seen]) -> HostLink {
    let is_its = |address: &&address::Seen| address.link == link.index && !address.ours;
    HostLink {
        name: link.name.clone(),
        index: link.index,
        kind: link.kind.clone(),
        mac: link.mac.filter(|_| !link.is_loopback()),
        mtu: link.mtu,
        up: link.is_up(),
        loopback: link.is_loopback(),
        controller: link.controller.and_then(|index| names.get(&index)).map(|name| (*name).to_owned()),
        addresses: addresses
            .iter()
            .filter(is_its)
            .filter_map(|address| IpNet::new(address.address, address.prefix_length).ok())
            .collect(),
    }
}

fn host_route(route: &route::Seen, names: &HashMap<u32, &str>) -> HostRoute {
    HostRoute {
        destination: route.destination,
        gateway: route.gateway,
        interface: route.link.and_then(|index| names.get(&index)).map(|name| (*name).to_owned()),
        table: route.table,
    }
}

/// The host's nameservers; loopback ones are nobody else's business.
pub(crate) fn nameservers() -> Vec<IpAddr> {
    RESOLVER_FILES
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .map(|text| parse_nameservers(&text))
        .find(|servers| !servers.is_empty())
        .unwrap_or_default()
}

fn parse_nameservers(text: &str) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        // A link-local server carries its link after a percent sign; the address is what counts here.
        let address = words.next().and_then(|word| word.split('%').next()).and_then(|word| word.parse().ok());
        servers.extend(address.filter(|address: &IpAddr| !address.is_loopback() && !servers.contains(address)));
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nameservers_are_read_without_loopback_and_twins() {
        let text = "# a comment\nsearch lan\nnameserver 127.0.0.53\nnameserver 192.168.122.1\nnameserver 192.168.122.1\nnameserver fe80::1%eth0\nnameserver nonsense\n";
        let expected: Vec<IpAddr> = ["192.168.122.1", "fe80::1"].map(|a| a.parse().expect("an address")).to_vec();
        assert_eq!(parse_nameservers(text), expected);
    }
}
