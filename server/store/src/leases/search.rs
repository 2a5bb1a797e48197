//! Search over all leases. Every condition that narrows has an index of its own, and pages go by address.

use netloom_model::NodeId;
use netloom_model::lease::{LeaseKind, LeaseState};

use super::{row, select};
use crate::column;
use crate::error::Error;
use crate::query::LeaseQuery;
use crate::row::LeaseRow;
use crate::select::Select;
use crate::tx::{ReadTx, Statement};

/// A page of leases.
pub async fn list(tx: &mut ReadTx<'_>, query: &LeaseQuery) -> Result<Vec<LeaseRow>, Error> {
    tx.rows(build(query, tx.node()), row).await
}

fn build(query: &LeaseQuery, own: NodeId) -> Statement {
    let mut select = Select::new(select!(""));
    if let Some(network) = query.network {
        select.with(" AND l.network_id = ", network.to_string());
    }
    if let Some(address) = query.address {
        select.with(" AND l.address = ", column::address(address));
    }
    if let Some(within) = query.within {
        select.with(" AND l.address >= ", column::address(within.low));
        select.with(" AND l.address <= ", column::address(within.high));
    }
    if let Some(mac) = query.mac {
        select.with(" AND l.mac = ", mac.to_string());
    }
    if let Some(begin) = &query.mac_begin {
        select.with(" AND l.mac >= ", begin.clone());
        // What comes after all that begin so: no digit of theirs is beyond `f`.
        select.with(" AND l.mac < ", format!("{begin}g"));
    }
    if let Some(owner) = &query.owner {
        select.with(" AND l.id IN (SELECT id FROM lease WHERE owner_name = ", owner.clone());
        select.with(" UNION SELECT id FROM lease WHERE owner_id = ", owner.clone()).text(")");
    }
    if let Some(node) = query.node {
        select.with(" AND l.node = ", node.to_string());
        if node != own {
            // The index of nodes has these alone: another node's are on networks of the swarm.
            select.text(" AND l.scope = 'swarm'");
        }
    }
    if let Some(key) = &query.key {
        // The index of keys knows them in any case.
        select.with(" AND l.key IS NOT NULL AND l.key COLLATE NOCASE = ", key.clone());
        select.with(" AND l.key = ", key.clone());
    }
    if let Some(key) = &query.key_in_any_case {
        select.with(" AND l.key IS NOT NULL AND l.key COLLATE NOCASE = ", key.clone());
    }
    // These two indexes hold the exceptions, and are used only where the statement says so too.
    if let Some(state) = query.state {
        select.with(" AND l.state = ", state.as_str());
        if state != LeaseState::Bound {
            select.text(" AND l.state <> 'bound'");
        }
    }
    if let Some(kind) = query.kind {
        select.with(" AND l.kind = ", kind.as_str());
        if kind != LeaseKind::Dynamic {
            select.text(" AND l.kind <> 'dynamic'");
        }
    }
    select.page(query.order, query.after.as_ref(), query.limit)
}
