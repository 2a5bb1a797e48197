//! Leases as a table, wherever there are some: of all networks, of one network, of a sandbox. What must not live here: which leases.

use askama::Template;
use netloom_model::lease::{Lease, OwnerKind};
use netloom_model::network::Scope;

use super::chip::Chip;
use super::frame::Frame;
use super::link;
use super::object::{ObjectLink, OnNode};
use super::prose::Prose;
use super::uses;
use super::when::When;

/// A lease as a row.
#[derive(Debug, Clone)]
pub struct LeaseRow {
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) href: String,
    pub(crate) prefix_length: u8,
    pub(crate) mac: Option<String>,
    pub(crate) network: String,
    pub(crate) network_href: String,
    pub(crate) pool: String,
    pub(crate) kind: &'static str,
    pub(crate) class: &'static str,
    pub(crate) state: Chip,
    pub(crate) owner: ObjectLink,
    /// The key of a reservation, where its owner is not called so anyway.
    pub(crate) key: Option<String>,
    /// On which node of the swarm that is.
    pub(crate) node: Option<OnNode>,
    pub(crate) since: When,
    pub(crate) until: Option<When>,
    /// Why its holder is gone.
    pub(crate) reason: Option<Prose>,
}

impl LeaseRow {
    /// A lease as a row.
    pub fn new(frame: &Frame, lease: &Lease) -> Self {
        let status = &lease.status;
        let key = lease.spec.as_ref().map(|spec| spec.key.clone());
        Self {
            id: lease.id.to_string(),
            address: status.address.clone(),
            href: link::address(&status.address),
            prefix_length: status.prefix_length,
            mac: status.mac.map(|mac| mac.to_string()),
            network: status.network.clone(),
            network_href: link::network(&status.network),
            pool: status.pool.clone(),
            kind: uses::words(status.kind.as_str()),
            class: status.kind.as_str(),
            state: Chip::from(status.state),
            owner: ObjectLink::of_lease(status),
            key: key.filter(|key| *key != status.owner.name),
            node: OnNode::of_lease(frame, status),
            since: frame.when(lease.created_at),
            until: status.until.map(|until| frame.when(until)),
            reason: status.reason.as_deref().map(Prose::new),
        }
    }
}

/// The head of a column: where it leads, and how the table is ordered by it.
#[derive(Debug, Clone)]
pub struct Head {
    pub(crate) label: &'static str,
    pub(crate) href: Option<String>,
    /// The word of `aria-sort`, of the column that the table is ordered by.
    pub(crate) order: Option<&'static str>,
}

/// The columns, each with the word that the API orders by it.
const COLUMNS: [(&str, Option<&str>); 7] = [
    ("Address and MAC", Some("address")),
    ("Owner", Some("owner")),
    ("Network", None),
    ("Kind", None),
    ("State", None),
    ("Node", None),
    ("Age", Some("created_at")),
];

/// Leases as a table.
#[derive(Debug, Clone, Template)]
#[template(path = "component/lease_table.html")]
pub struct LeaseTable {
    pub(crate) rows: Vec<LeaseRow>,
    heads: Vec<Head>,
    /// Whether it is said on which node the owner is.
    nodes: bool,
}

impl askama::filters::HtmlSafe for LeaseTable {}

impl LeaseTable {
    /// A table of these leases, in the order that they come in.
    pub fn new(frame: &Frame, leases: &[Lease]) -> Self {
        let mut rows: Vec<LeaseRow> = leases.iter().map(|lease| LeaseRow::new(frame, lease)).collect();
        let nodes = rows.iter().any(|row| row.node.is_some());
        // Beside those of the swarm it is a question of the others, too; what is a network's own is on no node.
        let is_held_here =
            |lease: &Lease| lease.status.scope == Scope::Local && lease.status.owner.kind != OwnerKind::Network;
        for (row, _) in rows.iter_mut().zip(leases).filter(|(_, lease)| nodes && is_held_here(lease)) {
            row.node.get_or_insert_with(OnNode::this);
        }
        let head = |label| Head { label, href: None, order: None };
        let columns = COLUMNS.map(|(label, _)| label).into_iter();
        let heads = columns.filter(|label| nodes || *label != "Node").map(head).collect();
        Self { rows, heads, nodes }
    }

    /// The same, with heads that lead to other orders; `sort` is the order that it is in, by the API's word, and `to` the page in another.
    #[must_use]
    pub fn sorted_by(mut self, sort: &str, to: impl Fn(&str) -> String) -> Self {
        let sort = if sort.is_empty() { "address" } else { sort };
        for head in &mut self.heads {
            let Some(word) = COLUMNS.iter().find(|(label, _)| *label == head.label).and_then(|(_, word)| *word) else {
                continue;
            };
            let backwards = format!("-{word}");
            // Age grows the other way round than the time since when.
            let up = (sort == word) != (word == "created_at");
            head.order = (sort == word || sort == backwards).then_some(if up { "ascending" } else { "descending" });
            head.href = Some(to(if sort == word { &backwards } else { word }));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use netloom_model::Timestamp;

    use super::*;
    use crate::view::frame::Section;

    fn table() -> LeaseTable {
        table_of("local")
    }

    fn lease_of(scope: &str) -> Lease {
        serde_json::from_value(serde_json::json!({
            "key": "printer", "id": "lse_aebagbafaydqqcikbmga2dqpca", "revision": 3, "spec_revision": 3,
            "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z",
            "status": {"address": "10.0.0.9", "prefix_length": 24, "network_id": "net_aebagbafaydqqcikbmga2dqpca",
                "network": "lan", "pool": "v4", "kind": "reserved", "state": "bound", "scope": scope,
                "owner": {"kind": "reservation", "name": "printer", "node": "nod_aebagbafaydqqcikbmga2dqpca"}},
        }))
        .expect("a lease")
    }

    fn table_of(scope: &str) -> LeaseTable {
        let frame = Frame::new("x", Section::Leases, "http://h", Timestamp::from_millis(0), "r");
        LeaseTable::new(&frame, &[lease_of(scope)])
    }

    fn labels(table: &LeaseTable) -> Vec<&'static str> {
        table.heads.iter().map(|head| head.label).collect()
    }

    #[test]
    fn a_table_has_the_columns_that_there_is_something_in() {
        let plain = table();
        assert_eq!(labels(&plain), ["Address and MAC", "Owner", "Network", "Kind", "State", "Age"]);
        assert_eq!(plain.rows[0].key, None, "its owner is called so");
        let on_swarm = table_of("swarm");
        assert_eq!(labels(&on_swarm), ["Address and MAC", "Owner", "Network", "Kind", "State", "Node", "Age"]);
        assert_eq!(on_swarm.rows[0].node.as_ref().map(|node| node.name.as_str()), Some("this host"));
        let frame = Frame::new("x", Section::Leases, "http://h", Timestamp::from_millis(0), "r");
        let both = LeaseTable::new(&frame, &[lease_of("swarm"), lease_of("local")]);
        assert!(both.rows.iter().all(|row| row.node.as_ref().is_some_and(|node| node.name == "this host")));
    }

    #[test]
    fn heads_lead_to_other_orders_and_back() {
        let heads = |sort: &str| {
            let table = table().sorted_by(sort, |word| word.to_owned());
            let of = |head: &Head| Some((head.label, head.href.clone()?, head.order));
            table.heads.iter().filter_map(of).collect::<Vec<_>>()
        };
        assert_eq!(
            heads(""),
            [
                ("Address and MAC", "-address".to_owned(), Some("ascending")),
                ("Owner", "owner".to_owned(), None),
                ("Age", "created_at".to_owned(), None),
            ]
        );
        let by_age = heads("-created_at");
        assert_eq!(by_age[2], ("Age", "created_at".to_owned(), Some("ascending")), "the youngest first");
        assert_eq!(heads("created_at")[2].2, Some("descending"));
        assert_eq!(heads("-owner")[1], ("Owner", "owner".to_owned(), Some("descending")));
    }
}
