//! Pools.

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
pub async fn insert(tx: &mut WriteTx<'_>, row: &PoolRow) -> Result<i64, Error> {
    unimplemented!()
}
/// of_networks.
pub async fn of_networks(tx: &mut ReadTx<'_>, ids: &[NetworkId]) -> Result<Vec<PoolRow>, Error> {
    unimplemented!()
}
/// overlapping.
pub async fn overlapping(tx: &mut ReadTx<'_>, span: Span) -> Result<Vec<(PoolRow, String)>, Error> {
    unimplemented!()
}
/// containing.
pub async fn containing(tx: &mut ReadTx<'_>, address: IpAddr) -> Result<Option<(PoolRow, String)>, Error> {
    unimplemented!()
}
/// all_spans.
pub async fn all_spans(tx: &mut ReadTx<'_>) -> Result<Vec<Span>, Error> {
    unimplemented!()
}
/// set_range.
pub async fn set_range(tx: &mut WriteTx<'_>, pool_id: i64, range: Span) -> Result<(), Error> {
    unimplemented!()
}
/// counts.
pub async fn counts(
    tx: &mut ReadTx<'_>,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<(LeaseKind, LeaseState, u64)>>, Error> {
    unimplemented!()
}
/// free.
pub async fn free(tx: &mut ReadTx<'_>, ids: &[i64]) -> Result<BTreeMap<i64, FreeSummary>, Error> {
    unimplemented!()
}
/// fullest.
pub async fn fullest(tx: &mut ReadTx<'_>, n: u32) -> Result<Vec<PoolUse>, Error> {
    unimplemented!()
}
