//! Networks.

#![allow(unused)] // Signatures first; the bodies follow.
use std::collections::BTreeMap;
use std::net::IpAddr;

use netloom_model::event::Event;
use netloom_model::lease::{Holding, LeaseKind, LeaseState};
use netloom_model::net::Span;
use netloom_model::network::Driver;
use netloom_model::{EndpointId, LeaseId, MacAddr, NetworkId, SandboxId, Timestamp, TokenId};

use crate::error::Error;
use crate::query::{FreeSummary, LeaseQuery, NetworkQuery, PoolUse, SandboxQuery};
use crate::row::{EndpointRow, LeaseRow, NetworkRow, NewEvent, PoolRow, SandboxRow, SessionRow, TokenRow};
use crate::tx::{ReadTx, WriteTx};

/// insert.
pub async fn insert(tx: &mut WriteTx<'_>, row: &NetworkRow) -> Result<(), Error> {
    unimplemented!()
}
/// update.
pub async fn update(tx: &mut WriteTx<'_>, row: &NetworkRow) -> Result<(), Error> {
    unimplemented!()
}
/// mark_deleting.
pub async fn mark_deleting(tx: &mut WriteTx<'_>, id: NetworkId, revision: u64, now: Timestamp) -> Result<(), Error> {
    unimplemented!()
}
/// purge.
pub async fn purge(tx: &mut WriteTx<'_>, id: NetworkId) -> Result<(), Error> {
    unimplemented!()
}
/// by_id.
pub async fn by_id(tx: &mut ReadTx<'_>, id: NetworkId) -> Result<Option<NetworkRow>, Error> {
    unimplemented!()
}
/// by_name.
pub async fn by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<NetworkRow>, Error> {
    unimplemented!()
}
/// by_ids.
pub async fn by_ids(tx: &mut ReadTx<'_>, ids: &[NetworkId]) -> Result<Vec<NetworkRow>, Error> {
    unimplemented!()
}
/// list.
pub async fn list(tx: &mut ReadTx<'_>, query: &NetworkQuery) -> Result<Vec<NetworkRow>, Error> {
    unimplemented!()
}
/// on_parent.
pub async fn on_parent(tx: &mut ReadTx<'_>, parent: &str) -> Result<Vec<NetworkRow>, Error> {
    unimplemented!()
}
/// all.
pub async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<NetworkRow>, Error> {
    unimplemented!()
}
/// endpoint_counts.
pub async fn endpoint_counts(tx: &mut ReadTx<'_>, ids: &[NetworkId]) -> Result<BTreeMap<NetworkId, u64>, Error> {
    unimplemented!()
}
/// count_by_driver.
pub async fn count_by_driver(tx: &mut ReadTx<'_>) -> Result<Vec<(Driver, u64)>, Error> {
    unimplemented!()
}
/// unused.
pub async fn unused(tx: &mut ReadTx<'_>) -> Result<Vec<NetworkRow>, Error> {
    unimplemented!()
}
