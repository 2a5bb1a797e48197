//! Leases.

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
pub async fn insert(tx: &mut WriteTx<'_>, row: &LeaseRow) -> Result<(), Error> {
    unimplemented!()
}
/// by_id.
pub async fn by_id(tx: &mut ReadTx<'_>, id: LeaseId) -> Result<Option<LeaseRow>, Error> {
    unimplemented!()
}
/// by_address.
pub async fn by_address(tx: &mut ReadTx<'_>, address: IpAddr) -> Result<Option<LeaseRow>, Error> {
    unimplemented!()
}
/// by_key.
pub async fn by_key(tx: &mut ReadTx<'_>, network: NetworkId, key: &str) -> Result<Option<LeaseRow>, Error> {
    unimplemented!()
}
/// of_endpoints.
pub async fn of_endpoints(tx: &mut ReadTx<'_>, ids: &[EndpointId]) -> Result<Vec<LeaseRow>, Error> {
    unimplemented!()
}
/// in_state.
pub async fn in_state(tx: &mut ReadTx<'_>, state: LeaseState, limit: u32) -> Result<Vec<LeaseRow>, Error> {
    unimplemented!()
}
/// list.
pub async fn list(tx: &mut ReadTx<'_>, query: &LeaseQuery) -> Result<Vec<LeaseRow>, Error> {
    unimplemented!()
}
/// set_state.
pub async fn set_state(
    tx: &mut WriteTx<'_>,
    row: &LeaseRow,
    state: LeaseState,
    until: Option<Timestamp>,
    revision: u64,
    now: Timestamp,
) -> Result<(), Error> {
    unimplemented!()
}
/// change.
pub async fn change(tx: &mut WriteTx<'_>, old: &LeaseRow, new: &LeaseRow) -> Result<(), Error> {
    unimplemented!()
}
/// remove.
pub async fn remove(tx: &mut WriteTx<'_>, row: &LeaseRow, now: Timestamp) -> Result<(), Error> {
    unimplemented!()
}
/// history.
pub async fn history(tx: &mut ReadTx<'_>, address: IpAddr, limit: u32) -> Result<Vec<Holding>, Error> {
    unimplemented!()
}
/// held_at.
pub async fn held_at(tx: &mut ReadTx<'_>, address: IpAddr, at: Timestamp) -> Result<Option<Holding>, Error> {
    unimplemented!()
}
/// of_kind.
pub async fn of_kind(tx: &mut ReadTx<'_>, network: NetworkId, kind: LeaseKind) -> Result<Vec<LeaseRow>, Error> {
    unimplemented!()
}
/// count_by_kind_state.
pub async fn count_by_kind_state(tx: &mut ReadTx<'_>) -> Result<Vec<(LeaseKind, LeaseState, u64)>, Error> {
    unimplemented!()
}
/// expired.
pub async fn expired(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Vec<LeaseRow>, Error> {
    unimplemented!()
}
