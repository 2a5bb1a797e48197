//! Tokens, sessions, login links.

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

/// insert_token.
pub async fn insert_token(tx: &mut WriteTx<'_>, row: &TokenRow) -> Result<(), Error> {
    unimplemented!()
}
/// remove_token_by_name.
pub async fn remove_token_by_name(tx: &mut WriteTx<'_>, name: &str) -> Result<bool, Error> {
    unimplemented!()
}
/// token_by_id.
pub async fn token_by_id(tx: &mut ReadTx<'_>, id: TokenId) -> Result<Option<TokenRow>, Error> {
    unimplemented!()
}
/// insert_session.
pub async fn insert_session(
    tx: &mut WriteTx<'_>,
    hash: [u8; 32],
    token_id: TokenId,
    created_at: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    unimplemented!()
}
/// session.
pub async fn session(tx: &mut ReadTx<'_>, hash: [u8; 32]) -> Result<Option<SessionRow>, Error> {
    unimplemented!()
}
/// remove_session.
pub async fn remove_session(tx: &mut WriteTx<'_>, hash: [u8; 32]) -> Result<(), Error> {
    unimplemented!()
}
/// insert_link.
pub async fn insert_link(tx: &mut WriteTx<'_>, hash: [u8; 32], expires_at: Timestamp) -> Result<(), Error> {
    unimplemented!()
}
/// use_link.
pub async fn use_link(tx: &mut WriteTx<'_>, hash: [u8; 32], now: Timestamp) -> Result<bool, Error> {
    unimplemented!()
}
/// prune.
pub async fn prune(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<(), Error> {
    unimplemented!()
}
