//! Join tokens. A secret is in the answer that makes it, and in no other.

use actix_web::http::header::{CACHE_CONTROL, ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use netloom_control::command::{
    CreateJoinToken, GetJoinToken, ListJoinTokens, NewJoinToken, RevokeJoinToken, RotateJoinToken,
};
use netloom_model::swarm::{JoinToken, JoinTokenSpec, SwarmRole};
use serde::{Deserialize, Serialize};

use super::State;
use crate::answer::{self, Addressed as _, Listed, SEQ};
use crate::auth::Caller;
use crate::body::{Document, NoBody};
use crate::precondition::IfNoneMatch;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, one, page};

/// Filters of the list of join tokens.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinTokenFilter {
    /// Only of this role.
    #[param(inline)]
    role: Option<SwarmRole>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// A join token with a new secret.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MadeJoinToken {
    /// The token.
    #[serde(flatten)]
    token: JoinToken,
    /// What a host joins with: the whole token. It is shown this once and stored nowhere.
    #[schema(max_length = 128, format = "password", read_only)]
    secret: String,
    /// The command that joins a host, to be run there; the secret is in it.
    #[schema(max_length = 256, format = "password", read_only)]
    command: String,
}

impl From<NewJoinToken> for MadeJoinToken {
    fn from(made: NewJoinToken) -> Self {
        let NewJoinToken { token, secret, command } = made;
        Self { token, secret: secret.reveal().to_owned(), command: command.reveal().to_owned() }
    }
}

/// Lists join tokens.
///
/// By name, with those that let nobody in any more. No secret is in it. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(JoinTokenFilter),
    responses((status = 200, description = "The join tokens.", body = Listed<JoinToken>)))]
#[get("/swarm/join-tokens")]
pub(crate) async fn join_token_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<JoinTokenFilter>,
) -> Result<HttpResponse, Problem> {
    let JoinTokenFilter { role, limit, page_token } = filter;
    let command = ListJoinTokens { role, page: page(limit, page_token) };
    let found = state.control.list_join_tokens(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Makes a join token.
///
/// The answer has its secret and the command to join by it. What it gives never changes: make another for another role, end or number of uses.
/// Served by the manager alone.
#[utoipa::path(tag = "swarm", request_body = JoinTokenSpec,
    responses((status = 201, description = "The join token, with its secret, shown this once.", body = MadeJoinToken)))]
#[post("/swarm/join-tokens")]
pub(crate) async fn join_token_create(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let command = CreateJoinToken(document.whole::<JoinTokenSpec>()?);
    let made = state.control.create_join_token(caller.authorize(command)?).await?;
    let (path, revision, (tag, _)) = (made.token.path(), made.token.revision, answer::written(&made.token));
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, path))
        .insert_header((SEQ, revision))
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(MadeJoinToken::from(made)))
}

/// Shows a join token.
///
/// Without its secret, which nobody can show again. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(("id" = String, Path, description = "The join token's ID or name."), IfNoneMatch),
    responses((status = 200, description = "The join token.", body = JoinToken)))]
#[get("/swarm/join-tokens/{id}")]
pub(crate) async fn join_token_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let token = state.control.get_join_token(caller.authorize(GetJoinToken(id.into_inner()))?).await?;
    Ok(answer::shown(&token, &known))
}

/// Gives a join token another secret.
///
/// The one before lets nobody in from then on; nodes that joined by it stay. The answer has the new one. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(("id" = String, Path, description = "The join token's ID or name.")),
    responses((status = 200, description = "The join token, with its new secret, shown this once.", body = MadeJoinToken)))]
#[post("/swarm/join-tokens/{id}/rotate")]
pub(crate) async fn join_token_rotate_create(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    let made = state.control.rotate_join_token(caller.authorize(RotateJoinToken(id.into_inner()))?).await?;
    Ok(answer::found(&MadeJoinToken::from(made)))
}

/// Revokes a join token.
///
/// It lets nobody in from then on; nodes that joined by it stay. Served by the manager alone.
#[utoipa::path(tag = "swarm", params(("id" = String, Path, description = "The join token's ID or name.")),
    responses((status = 204, description = "Revoked.")))]
#[delete("/swarm/join-tokens/{id}")]
pub(crate) async fn join_token_delete(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    state.control.revoke_join_token(caller.authorize(RevokeJoinToken(id.into_inner()))?).await?;
    Ok(HttpResponse::NoContent().finish())
}
