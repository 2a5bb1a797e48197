//! The parts of the dashboard, as the navigation has them.

/// The part of the dashboard that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The front page.
    Overview,
    /// Networks.
    Networks,
    /// Sandboxes.
    Sandboxes,
    /// Pools of all networks.
    Ipam,
    /// Leases and addresses.
    Leases,
    /// Who is on which network.
    Topology,
    /// The swarm that this host is in.
    Swarm,
    /// Its nodes.
    Nodes,
    /// Where the kernel differs.
    Drift,
    /// What happened, and who asked for what.
    Activity,
    /// The API's reference.
    Api,
    /// API tokens.
    Tokens,
    /// None of these: login, search, failures.
    None,
}

/// An entry of the navigation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) section: Section,
    pub(crate) label: &'static str,
    pub(crate) href: &'static str,
    /// The key that leads there after `g`.
    pub(crate) key: &'static str,
    /// A path on a 16 x 16 grid.
    pub(crate) icon: &'static str,
}

const fn entry(
    section: Section,
    label: &'static str,
    href: &'static str,
    key: &'static str,
    icon: &'static str,
) -> Entry {
    Entry { section, label, href, key, icon }
}

/// One line per part, in the order in which they stand.
pub(crate) const ENTRIES: [Entry; 12] = [
    entry(Section::Overview, "Overview", "/ui", "o", "M2 2h5v7H2zM9 2h5v4H9zM9 8h5v6H9zM2 11h5v3H2z"),
    entry(
        Section::Networks,
        "Networks",
        "/ui/networks",
        "n",
        "M8 5.5v5M3.5 10.5v-2h9v2M6 1.5h4v4H6zM1.5 10.5h4v4h-4zM10.5 10.5h4v4h-4z",
    ),
    entry(
        Section::Sandboxes,
        "Sandboxes",
        "/ui/sandboxes",
        "s",
        "M8 1.5 14 4.7v6.6L8 14.5 2 11.3V4.7zM2 4.7l6 3.2 6-3.2M8 7.9v6.6",
    ),
    entry(
        Section::Ipam,
        "IPAM",
        "/ui/ipam",
        "i",
        "M2 2.5h12v3H2zM2 6.5h12v3H2zM2 10.5h12v3H2zM9 2.5v3M6 6.5v3M11 10.5v3",
    ),
    entry(Section::Leases, "Leases", "/ui/leases", "l", "M2 2h12v12H2zM2 6h12M2 10h12M6 2v12M10 2v12"),
    entry(
        Section::Topology,
        "Topology",
        "/ui/topology",
        "t",
        "M1.5 2h4v4h-4zM10.5 2h4v4h-4zM6 10h4v4H6zM5.5 4h5M4.5 6l2.5 4M11.5 6 9 10",
    ),
    entry(
        Section::Swarm,
        "Swarm",
        "/ui/swarm",
        "w",
        "M6 3.5a2 2 0 1 0 4 0a2 2 0 1 0-4 0M1.5 12a2 2 0 1 0 4 0a2 2 0 1 0-4 0M10.5 12a2 2 0 1 0 4 0a2 2 0 1 0-4 0M7 5.3 4.5 10.3M9 5.3l2.5 5M5.5 12h5",
    ),
    entry(Section::Nodes, "Nodes", "/ui/nodes", "h", "M2 2.5h12v4H2zM2 9.5h12v4H2zM4.5 4.5h1M4.5 11.5h1"),
    entry(Section::Drift, "Drift", "/ui/drift", "d", "M1.5 4.5h13M1.5 11.5h5l3-3h5M9 2l-2.5 2.5L9 7"),
    entry(Section::Activity, "Activity", "/ui/activity", "a", "M1.5 8.5h3l2-6 3 11 2-5h3"),
    entry(Section::Api, "API", "/ui/api", "p", "M5 3 1.5 8 5 13M11 3l3.5 5L11 13M9 2.5l-2 11"),
    entry(
        Section::Tokens,
        "Tokens",
        "/ui/tokens",
        "k",
        "M1.5 5.5a3 3 0 1 0 6 0a3 3 0 1 0-6 0M6.5 7.5l7 6M10.5 11l2-2M12.5 12.7l1.5-1.5",
    ),
];
