//! Free ranges.

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

/// lowest_in.
pub async fn lowest_in(tx: &mut ReadTx<'_>, pool_id: i64, span: Span) -> Result<Option<Span>, Error> {
    unimplemented!()
}
/// containing.
pub async fn containing(tx: &mut ReadTx<'_>, pool_id: i64, address: IpAddr) -> Result<Option<Span>, Error> {
    unimplemented!()
}
/// neighbours.
pub async fn neighbours(
    tx: &mut ReadTx<'_>,
    pool_id: i64,
    address: IpAddr,
) -> Result<(Option<Span>, Option<Span>), Error> {
    unimplemented!()
}
/// replace.
pub async fn replace(tx: &mut WriteTx<'_>, pool_id: i64, remove: &[Span], insert: &[Span]) -> Result<(), Error> {
    unimplemented!()
}
/// of_pool.
pub async fn of_pool(tx: &mut ReadTx<'_>, pool_id: i64, limit: u32) -> Result<Vec<Span>, Error> {
    unimplemented!()
}
