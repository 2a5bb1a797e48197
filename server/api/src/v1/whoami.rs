//! Who asks, and what they may do.

use actix_web::{HttpResponse, get};
use netloom_control::Principal;
use netloom_control::principal::Permission;
use netloom_model::token::Role;
use netloom_model::{Timestamp, TokenId};
use serde::Serialize;

use super::State;
use crate::answer;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// Who asks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Whoami {
    /// Name, as events and the audit show it: a token's, `login-link`, or `socket:root`.
    #[schema(max_length = 63, example = "admin")]
    name: String,
    /// The role.
    role: Role,
    /// The token that was shown, or that the session was opened with, or the login link made that opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<TokenId>,
    /// When it ends: the token, or the session if that ends first. A session's end moves on while it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// What the role may do: `read`, `write`, `administer`.
    #[schema(max_items = 16)]
    permissions: Vec<&'static str>,
}

/// Shows who asks.
///
/// The name under which this caller's writes appear in events and in the audit, what it may do, and until when.
#[utoipa::path(tag = "service", responses((status = 200, description = "The caller.", body = Whoami)))]
#[get("/whoami")]
pub(crate) async fn whoami_get(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let expires_at = state.control.good_until(&caller).await?;
    let Principal { name, role, token: token_id } = caller.principal;
    let has = |needed: &Permission| role >= needed.least_role();
    let permissions = Permission::ALL.into_iter().filter(has).map(Permission::as_str).collect();
    Ok(answer::found(&Whoami { name, role, token_id, expires_at, permissions }))
}
