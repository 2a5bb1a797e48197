//! Orders of lists: the index that a page is read from, and where in it a page ends. Every order ends with a key that is unique, so that a
//! place says exactly what comes after it, whatever comes and goes meanwhile.

use std::net::IpAddr;

use netloom_model::Timestamp;
use netloom_model::audit::AuditEntry;
use netloom_model::net::Span;
use netloom_model::order::{LeaseOrder, NamedOrder, NodeOrder, PoolOrder};
use netloom_model::plan::PlanHead;
use serde::{Deserialize, Serialize};

use crate::column;
use crate::row::{AttachmentRow, JoinTokenRow, LeaseRow, NetworkRow, NodeRow, PoolRow, SandboxRow, TokenRow};
use crate::select::Select;
use crate::statement::{Statement, Value};

/// Where a page ends: what the order goes by, and the ID that decides among equals. One from elsewhere than a row of the list is a
/// place, too, if perhaps after everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    by: By,
    id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Text(String),
    /// Of a time, milliseconds.
    Number(i64),
    Address(IpAddr),
}

impl Place {
    fn new(by: By, id: impl ToString) -> Self {
        Self { by, id: id.to_string() }
    }

    fn named(order: NamedOrder, name: &str, created_at: Timestamp, id: impl ToString) -> Self {
        let by = match order {
            NamedOrder::Name | NamedOrder::NameBackwards => By::Text(name.to_owned()),
            NamedOrder::Oldest | NamedOrder::Newest => By::Number(created_at.millis()),
        };
        Self::new(by, id)
    }

    /// A network's.
    pub fn of_network(order: NamedOrder, row: &NetworkRow) -> Self {
        Self::named(order, &row.name, row.created_at, row.id)
    }

    /// A sandbox's.
    pub fn of_sandbox(order: NamedOrder, row: &SandboxRow) -> Self {
        Self::named(order, &row.name, row.created_at, row.id)
    }

    /// A lease's.
    pub fn of_lease(order: LeaseOrder, row: &LeaseRow) -> Self {
        let by = match order {
            LeaseOrder::Address | LeaseOrder::AddressBackwards => By::Address(row.address),
            LeaseOrder::Owner | LeaseOrder::OwnerBackwards => By::Text(row.owner.name.clone()),
            LeaseOrder::Oldest | LeaseOrder::Newest => By::Number(row.created_at.millis()),
        };
        Self::new(by, row.id)
    }

    /// An attachment's.
    pub fn of_attachment(row: &AttachmentRow) -> Self {
        Self::new(By::Text(row.sandbox_name.clone()), row.id)
    }

    /// A sandbox's in the topology, by its name: this host's own, which has an empty `key`, before those of other nodes.
    pub fn in_topology(name: &str, key: &str) -> Self {
        Self::new(By::Text(name.to_owned()), key)
    }

    /// A token's.
    pub fn of_token(row: &TokenRow) -> Self {
        Self::new(By::Text(row.name.clone()), row.id)
    }

    /// A node's, oldest or newest first.
    pub fn of_node(row: &NodeRow) -> Self {
        Self::new(By::Number(row.created_at.millis()), row.id)
    }

    /// A join token's.
    pub fn of_join_token(row: &JoinTokenRow) -> Self {
        Self::new(By::Text(row.spec.name.clone()), row.id)
    }

    /// An audit entry's.
    pub fn of_audit_entry(entry: &AuditEntry) -> Self {
        Self::new(By::Number(column::integer(entry.seq)), "")
    }

    /// Of a history: before which event and which entry of the audit it goes on.
    pub fn of_history(event: u64, entry: u64) -> Self {
        Self::new(By::Number(column::integer(event)), entry)
    }

    /// What [`Place::of_history`] was made of.
    pub fn history(&self) -> Option<(u64, u64)> {
        match self.by {
            By::Number(event) => Some((u64::try_from(event).ok()?, self.id.parse().ok()?)),
            By::Text(_) | By::Address(_) => None,
        }
    }

    /// A plan's.
    pub fn of_plan(head: &PlanHead) -> Self {
        Self::new(By::Number(head.created_at.millis()), head.id.map(|id| id.to_string()).unwrap_or_default())
    }

    /// A run's of free addresses: its last one, since no two share any.
    pub fn of_free_range(run: &Span) -> Self {
        Self::new(By::Address(run.high), "")
    }

    /// A pool's: the last address of its subnet, since no two pools share one.
    pub fn of_pool(row: &PoolRow) -> Self {
        Self::new(By::Address(Span::of(row.subnet).high), row.id)
    }
}

/// An order as SQL: the condition that a page begins with, up to its one or two values, and the end, up to the limit.
pub(crate) struct Keyset {
    after: &'static str,
    /// Whether the ID decides among equals.
    tied: bool,
    end: &'static str,
}

/// By something that is unique, or by something and the ID of those that are equal.
macro_rules! keyset {
    ($by:literal) => {
        Keyset { after: concat!(" AND ", $by, " > ("), tied: false, end: concat!(" ORDER BY ", $by, " LIMIT ") }
    };
    ($by:literal, backwards) => {
        Keyset { after: concat!(" AND ", $by, " < ("), tied: false, end: concat!(" ORDER BY ", $by, " DESC LIMIT ") }
    };
    ($by:literal, $id:literal) => {
        Keyset {
            after: concat!(" AND (", $by, ", ", $id, ") > ("),
            tied: true,
            end: concat!(" ORDER BY ", $by, ", ", $id, " LIMIT "),
        }
    };
    ($by:literal, $id:literal, backwards) => {
        Keyset {
            after: concat!(" AND (", $by, ", ", $id, ") < ("),
            tied: true,
            end: concat!(" ORDER BY ", $by, " DESC, ", $id, " DESC LIMIT "),
        }
    };
}

impl Keyset {
    /// The oldest first, of a SELECT from one table.
    pub(crate) const OLDEST: Self = keyset!("created_at", "id");
    /// By name, of a SELECT from one table.
    pub(crate) const BY_NAME: Self = keyset!("name");
    /// By the last address, of a SELECT from `free_range AS f` within one pool.
    pub(crate) const BY_LAST_ADDRESS: Self = keyset!("f.high");
    /// By the sandboxes' names, of a SELECT from `attachment AS a`.
    pub(crate) const ATTACHMENTS: Self = keyset!("a.sandbox_name", "a.id");
    /// By the sandboxes' names, each sandbox once, of a SELECT from `attachment AS a` of those that are not gone.
    pub(crate) const SANDBOXES_AWAY: Self = Self {
        after: " AND (a.sandbox_name, a.sandbox_id) > (",
        tied: true,
        end: " GROUP BY a.sandbox_name, a.sandbox_id, a.node ORDER BY a.sandbox_name, a.sandbox_id, a.node LIMIT ",
    };
    /// The latest audit entry first, of a SELECT from `audit AS a`.
    pub(crate) const LATEST_ENTRY: Self = keyset!("a.seq", backwards);
}

impl Select {
    /// Ends in one page of an order.
    pub(crate) fn page(mut self, order: impl Into<Keyset>, after: Option<&Place>, limit: u32) -> Statement {
        let Keyset { after: condition, tied, end } = order.into();
        if let Some(Place { by, id }) = after {
            let by: Value = match by {
                By::Text(text) => text.clone().into(),
                By::Number(number) => (*number).into(),
                By::Address(address) => column::address(*address).into(),
            };
            self.with(condition, by);
            if tied {
                self.with(", ", id.clone());
            }
            self.text(")");
        }
        self.with(end, column::limit(limit));
        self.statement()
    }
}

impl From<NamedOrder> for Keyset {
    /// Of a SELECT from one table.
    fn from(order: NamedOrder) -> Self {
        match order {
            NamedOrder::Name => Self::BY_NAME,
            NamedOrder::NameBackwards => keyset!("name", backwards),
            NamedOrder::Oldest => Self::OLDEST,
            NamedOrder::Newest => keyset!("created_at", "id", backwards),
        }
    }
}

impl From<NodeOrder> for Keyset {
    /// Of a SELECT from one table.
    fn from(order: NodeOrder) -> Self {
        match order {
            NodeOrder::Oldest => Self::OLDEST,
            NodeOrder::Newest => keyset!("created_at", "id", backwards),
        }
    }
}

impl From<LeaseOrder> for Keyset {
    /// Of a SELECT from `lease AS l` and others.
    fn from(order: LeaseOrder) -> Self {
        match order {
            LeaseOrder::Address => keyset!("l.address"),
            LeaseOrder::AddressBackwards => keyset!("l.address", backwards),
            LeaseOrder::Owner => keyset!("l.owner_name", "l.id"),
            LeaseOrder::OwnerBackwards => keyset!("l.owner_name", "l.id", backwards),
            LeaseOrder::Oldest => keyset!("l.created_at", "l.id"),
            LeaseOrder::Newest => keyset!("l.created_at", "l.id", backwards),
        }
    }
}

impl From<PoolOrder> for Keyset {
    /// Of a SELECT from `pool AS p` and others.
    fn from(order: PoolOrder) -> Self {
        match order {
            PoolOrder::Subnet => keyset!("p.high"),
            PoolOrder::SubnetBackwards => keyset!("p.high", backwards),
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

    use super::*;
    use crate::schema::MIGRATIONS;

    /// How the database reads a page after a place.
    async fn read_by(connection: &mut SqliteConnection, select: &'static str, order: impl Into<Keyset>) -> String {
        let place = Place::new(By::Number(1), "x");
        let text = Select::new(select).page(order, Some(&place), 1).explained();
        let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(connection).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn every_order_is_read_from_an_index_and_nothing_is_sorted() {
        let mut connection = SqliteConnection::connect(":memory:").await.unwrap();
        MIGRATIONS.run(&mut connection).await.unwrap();
        let mut plans = Vec::new();
        for select in ["SELECT id FROM network AS n WHERE 1 = 1", "SELECT id FROM sandbox AS s WHERE 1 = 1"] {
            for order in [NamedOrder::Name, NamedOrder::NameBackwards, NamedOrder::Oldest, NamedOrder::Newest] {
                plans.push(read_by(&mut connection, select, order).await);
            }
        }
        let select = "SELECT l.id FROM lease AS l CROSS JOIN network AS n CROSS JOIN pool AS p
            WHERE n.id = l.network_id AND p.id = l.pool_id";
        let by_lease = [
            LeaseOrder::Address,
            LeaseOrder::AddressBackwards,
            LeaseOrder::Owner,
            LeaseOrder::OwnerBackwards,
            LeaseOrder::Oldest,
            LeaseOrder::Newest,
        ];
        for order in by_lease {
            plans.push(read_by(&mut connection, select, order).await);
        }
        let select = "SELECT p.id FROM pool AS p CROSS JOIN network AS n WHERE n.id = p.network_id";
        for order in [PoolOrder::Subnet, PoolOrder::SubnetBackwards] {
            plans.push(read_by(&mut connection, select, order).await);
        }
        for order in [NodeOrder::Oldest, NodeOrder::Newest] {
            plans.push(read_by(&mut connection, "SELECT id FROM node AS n WHERE 1 = 1", order).await);
        }
        let select = "SELECT a.id FROM attachment AS a WHERE a.gone = 0 AND a.network_id = 'net_x'";
        plans.push(read_by(&mut connection, select, Keyset::ATTACHMENTS).await);
        plans.push(
            read_by(&mut connection, "SELECT a.id FROM attachment AS a WHERE a.gone = 0", Keyset::ATTACHMENTS).await,
        );
        let select = "SELECT a.node, MAX(a.running) FROM attachment AS a WHERE a.gone = 0 AND a.node <> 'nod_x'";
        plans.push(read_by(&mut connection, select, Keyset::SANDBOXES_AWAY).await);
        let select = "SELECT a.seq FROM audit AS a WHERE a.request_id = 'req-x'";
        let of_request = read_by(&mut connection, select, Keyset::LATEST_ENTRY).await;
        assert!(of_request.contains("audit_request_id"), "{of_request}");
        plans.push(of_request);
        for plan in plans {
            assert!(plan.starts_with("SEARCH") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
