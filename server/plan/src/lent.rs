//! Forwarding that the host's own links lend: turned on while bridge networks need it, given back when the last of them does not.
//!
//! Values, and which settings say what. What must not live here: what is needed (`compile::forwarding`), and files.

use netloom_nftables::Family;

/// A setting of a link of the host's that is lent: its former value is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Name of the link.
    pub link: String,
    /// Whether it is on; none where the link that it was lent by is gone, whatever has its name now.
    pub on: Option<bool>,
    /// Whether it stays on when it is given back: somebody turned on the same for the whole host since, this link included.
    pub stays: bool,
}

impl Lent {
    /// As it should be.
    pub fn wanted(family: Family, link: &str) -> Self {
        Self { family, link: link.to_owned(), on: Some(true), stays: false }
    }

    /// The setting, by path under `/proc/sys`.
    pub fn path(&self) -> String {
        path(self.family, &self.link)
    }
}

/// The setting of a link that lets packets that come in by it be forwarded, by path under `/proc/sys`.
pub fn path(family: Family, link: &str) -> String {
    let (directory, name) = place(family);
    format!("{directory}/{link}/{name}")
}

/// What a path is the setting of; nothing for all other settings, and for those that are no single link's.
pub fn of_path(path: &str) -> Option<(Family, &str)> {
    let of = |family| {
        let (directory, name) = place(family);
        let link = path.strip_prefix(directory)?.strip_prefix('/')?.strip_suffix(name)?.strip_suffix('/')?;
        let is_link = !matches!(link, "" | "." | ".." | "all" | "default") && !link.contains('/');
        is_link.then_some((family, link))
    };
    of(Family::IPV4).or_else(|| of(Family::IPV6))
}

/// Settings of which one that is on makes the whole host forward.
pub fn of_host(family: Family) -> &'static [&'static str] {
    if family == Family::IPV4 {
        &["net/ipv4/conf/all/forwarding"]
    } else {
        &["net/ipv6/conf/all/forwarding", ALL_FORCED]
    }
}

/// The setting that turned [`path`] on for every link, when it is on.
pub fn of_every_link(family: Family) -> &'static str {
    if family == Family::IPV4 { "net/ipv4/conf/all/forwarding" } else { ALL_FORCED }
}

/// IPv6's `forwarding` of a link is about router advertisements; kernels before 6.17 have no other.
pub const ALL_FORCED: &str = "net/ipv6/conf/all/force_forwarding";

fn place(family: Family) -> (&'static str, &'static str) {
    if family == Family::IPV4 { ("net/ipv4/conf", "forwarding") } else { ("net/ipv6/conf", "force_forwarding") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_links_own_forwarding_is_ever_lent() {
        for (family, link) in [(Family::IPV4, "eth0"), (Family::IPV6, "eth0.5")] {
            assert_eq!(of_path(&path(family, link)), Some((family, link)));
        }
        let others = [
            "net/ipv4/conf/all/forwarding",
            "net/ipv6/conf/default/force_forwarding",
            "net/ipv6/conf/eth0/forwarding",
            "net/ipv4/conf/../forwarding",
            "net/ipv4/conf//forwarding",
            "net/ipv4/conf/a/b/forwarding",
            "net/ipv4/conf/eth0/rp_filter",
            "net/ipv4/ip_forward",
        ];
        for other in others {
            assert_eq!(of_path(other), None, "{other}");
        }
    }
}
