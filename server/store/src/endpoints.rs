//! Endpoints.

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
pub async fn insert(tx: &mut WriteTx<'_>, row: &EndpointRow) -> Result<(), Error> {
    unimplemented!()
}
/// of_sandboxes.
pub async fn of_sandboxes(tx: &mut ReadTx<'_>, ids: &[SandboxId]) -> Result<Vec<EndpointRow>, Error> {
    unimplemented!()
}
/// of_network.
pub async fn of_network(tx: &mut ReadTx<'_>, id: NetworkId, limit: u32) -> Result<Vec<EndpointRow>, Error> {
    unimplemented!()
}
/// by_id.
pub async fn by_id(tx: &mut ReadTx<'_>, id: EndpointId) -> Result<Option<EndpointRow>, Error> {
    unimplemented!()
}
/// by_ids.
pub async fn by_ids(tx: &mut ReadTx<'_>, ids: &[EndpointId]) -> Result<Vec<EndpointRow>, Error> {
    unimplemented!()
}
/// mark_deleting.
pub async fn mark_deleting(tx: &mut WriteTx<'_>, ids: &[EndpointId]) -> Result<(), Error> {
    unimplemented!()
}
/// update.
pub async fn update(tx: &mut WriteTx<'_>, row: &EndpointRow) -> Result<(), Error> {
    unimplemented!()
}
/// purge.
pub async fn purge(tx: &mut WriteTx<'_>, ids: &[EndpointId]) -> Result<(), Error> {
    unimplemented!()
}
/// mac_taken.
pub async fn mac_taken(tx: &mut ReadTx<'_>, mac: MacAddr) -> Result<Option<EndpointRow>, Error> {
    unimplemented!()
}
/// next_position.
pub async fn next_position(tx: &mut ReadTx<'_>, id: SandboxId) -> Result<u32, Error> {
    unimplemented!()
}
/// running_on.
pub async fn running_on(tx: &mut ReadTx<'_>, id: NetworkId) -> Result<bool, Error> {
    unimplemented!()
}
