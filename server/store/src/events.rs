//! Events.

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

/// append.
pub async fn append(tx: &mut WriteTx<'_>, event: &NewEvent) -> Result<u64, Error> {
    unimplemented!()
}
/// after.
pub async fn after(
    tx: &mut ReadTx<'_>,
    seq: u64,
    kinds: &[String],
    object: Option<&str>,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    unimplemented!()
}
/// latest.
pub async fn latest(tx: &mut ReadTx<'_>, limit: u32) -> Result<Vec<Event>, Error> {
    unimplemented!()
}
/// bounds.
pub async fn bounds(tx: &mut ReadTx<'_>) -> Result<(u64, u64), Error> {
    unimplemented!()
}
/// prune.
pub async fn prune(tx: &mut WriteTx<'_>, keep: u64) -> Result<u64, Error> {
    unimplemented!()
}
