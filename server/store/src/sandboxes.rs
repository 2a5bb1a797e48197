//! Sandboxes.

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
pub async fn insert(tx: &mut WriteTx<'_>, row: &SandboxRow) -> Result<(), Error> {
    unimplemented!()
}
/// update.
pub async fn update(tx: &mut WriteTx<'_>, row: &SandboxRow) -> Result<(), Error> {
    unimplemented!()
}
/// mark_deleting.
pub async fn mark_deleting(tx: &mut WriteTx<'_>, id: SandboxId, revision: u64, now: Timestamp) -> Result<(), Error> {
    unimplemented!()
}
/// purge.
pub async fn purge(tx: &mut WriteTx<'_>, id: SandboxId) -> Result<(), Error> {
    unimplemented!()
}
/// by_id.
pub async fn by_id(tx: &mut ReadTx<'_>, id: SandboxId) -> Result<Option<SandboxRow>, Error> {
    unimplemented!()
}
/// by_name.
pub async fn by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<SandboxRow>, Error> {
    unimplemented!()
}
/// by_ids.
pub async fn by_ids(tx: &mut ReadTx<'_>, ids: &[SandboxId]) -> Result<Vec<SandboxRow>, Error> {
    unimplemented!()
}
/// list.
pub async fn list(tx: &mut ReadTx<'_>, query: &SandboxQuery) -> Result<Vec<SandboxRow>, Error> {
    unimplemented!()
}
/// all.
pub async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<SandboxRow>, Error> {
    unimplemented!()
}
/// count_by_running.
pub async fn count_by_running(tx: &mut ReadTx<'_>) -> Result<(u64, u64), Error> {
    unimplemented!()
}
/// set_orphaned.
pub async fn set_orphaned(tx: &mut WriteTx<'_>, id: SandboxId, reason: Option<&str>) -> Result<(), Error> {
    unimplemented!()
}
/// stopped.
pub async fn stopped(tx: &mut ReadTx<'_>) -> Result<Vec<SandboxRow>, Error> {
    unimplemented!()
}
