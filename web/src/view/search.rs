//! Search: one box for everything. What names one thing exactly goes straight there; the rest is listed by kind.

use std::net::IpAddr;

use askama::Template;
use netloom_model::MacAddr;
use netloom_model::lease::Lease;
use netloom_model::network::Network;
use netloom_model::sandbox::Sandbox;

use super::frame::Frame;
use super::leases::LeaseRow;
use super::link;
use super::networks::NetworkTable;
use super::sandboxes::SandboxTable;

/// What a text asks for, by its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A page that is known at once: an address, a subnet, a MAC, the ID of a network, sandbox or node.
    Page(String),
    /// A lease by its ID.
    Lease(String),
    /// A name, or part of one.
    Text(String),
}

impl Asked {
    /// Tells by the form of a text what it asks for.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        if let Ok(address) = text.parse::<IpAddr>() {
            return Self::Page(link::address(&address.to_string()));
        }
        if let Ok(subnet) = text.parse::<ipnet::IpNet>() {
            return Self::Page(format!("/ui/leases{}", link::query(&[("within", &subnet.trunc().to_string())])));
        }
        if let Ok(mac) = text.parse::<MacAddr>() {
            return Self::Page(format!("/ui/leases{}", link::query(&[("mac", &mac.to_string())])));
        }
        if netloom_model::id::looks_like_id(text) {
            match text.split('_').next() {
                Some("net") => return Self::Page(link::network(text)),
                Some("sbx") => return Self::Page(link::sandbox(text)),
                Some("nod") => return Self::Page(link::node(text)),
                Some("lse") => return Self::Lease(text.to_owned()),
                _ => {}
            }
        }
        Self::Text(text.to_owned())
    }
}

/// `/ui/search`.
#[derive(Debug, Template)]
#[template(path = "search.html")]
pub struct SearchPage {
    frame: Frame,
    text: String,
    networks: NetworkTable,
    sandboxes: SandboxTable,
    leases: Vec<LeaseRow>,
}

impl SearchPage {
    /// The page of what was found for a text; an empty text finds nothing and gets the explanation.
    pub fn new(frame: Frame, text: &str, networks: &[Network], sandboxes: &[Sandbox], leases: &[Lease]) -> Self {
        let frame = frame.searched(text);
        Self {
            text: text.to_owned(),
            networks: NetworkTable::new(&frame, networks),
            sandboxes: SandboxTable::new(&frame, sandboxes),
            leases: leases.iter().map(|lease| LeaseRow::new(&frame, lease)).collect(),
            frame,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.networks.rows.is_empty() && self.sandboxes.rows.is_empty() && self.leases.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_text_says_what_it_asks_for() {
        let page = |text: &str| match Asked::of(text) {
            Asked::Page(page) => page,
            other => format!("{other:?}"),
        };
        assert_eq!(page(" 192.168.122.3 "), "/ui/addresses/192.168.122.3");
        assert_eq!(page("FD00::0:1"), "/ui/addresses/fd00::1");
        assert_eq!(page("192.168.122.7/24"), "/ui/leases?within=192.168.122.0/24");
        assert_eq!(page("0242.C0A8.7A02"), "/ui/leases?mac=02:42:c0:a8:7a:02");
        assert_eq!(page("net_aebagbafaydqqcikbmga2dqpca"), "/ui/networks/net_aebagbafaydqqcikbmga2dqpca");
        assert_eq!(Asked::of("lse_aebagbafaydqqcikbmga2dqpca"), Asked::Lease("lse_aebagbafaydqqcikbmga2dqpca".into()));
        assert_eq!(Asked::of("macvlan1"), Asked::Text("macvlan1".into()));
    }
}
