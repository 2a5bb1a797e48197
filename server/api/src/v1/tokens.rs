//! API tokens. A secret is in the answer that makes the token, and in no other.

use actix_web::http::header::{CACHE_CONTROL, ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use netloom_control::command::{CreateToken, GetToken, ListTokens, NewToken, RevokeToken};
use netloom_model::token::{Role, Token, TokenSpec};
use serde::{Deserialize, Serialize};

use super::State;
use crate::answer::{self, Addressed as _, Listed, SEQ};
use crate::auth::Caller;
use crate::body::Document;
use crate::precondition::IfNoneMatch;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, one, page};

/// Filters of the list of tokens.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenFilter {
    /// Only of this role.
    #[param(inline)]
    role: Option<Role>,
    /// How many items, 100 unless said.
    #[serde(default, deserialize_with = "one")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    #[serde(default, deserialize_with = "one")]
    #[param(max_length = 1024)]
    page_token: Option<String>,
}

/// A token that was just made, with its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct MadeToken {
    /// The token.
    #[serde(flatten)]
    token: Token,
    /// What its holder sends: `Authorization: Bearer SECRET`. It is shown this once and stored nowhere.
    #[schema(max_length = 128, format = "password", read_only)]
    secret: String,
}

/// Lists tokens.
///
/// By name, expired ones too. No secret is in it.
#[utoipa::path(tag = "access", params(TokenFilter),
    responses((status = 200, description = "The tokens.", body = Listed<Token>)))]
#[get("/tokens")]
pub(crate) async fn token_list(
    state: State,
    request: HttpRequest,
    Caller(caller): Caller,
    Filter(filter): Filter<TokenFilter>,
) -> Result<HttpResponse, Problem> {
    let TokenFilter { role, limit, page_token } = filter;
    let command = ListTokens { role, page: page(limit, page_token) };
    let found = state.control.list_tokens(caller.authorize(command)?).await?;
    Ok(answer::listed(&request, found))
}

/// Makes a token.
///
/// The answer is the only one that has its secret. A token never changes: make another for another role or end, then revoke this one.
/// `netloom token create` asks for one through the local socket.
#[utoipa::path(tag = "access", request_body = TokenSpec,
    responses((status = 201, description = "The token, with its secret, shown this once.", body = MadeToken)))]
#[post("/tokens")]
pub(crate) async fn token_create(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let command = CreateToken(document.whole::<TokenSpec>()?);
    let NewToken { token, secret } = state.control.create_token(caller.authorize(command)?).await?;
    let (path, revision, (tag, _)) = (token.path(), token.revision, answer::written(&token));
    let made = MadeToken { token, secret: secret.reveal().to_owned() };
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, path))
        .insert_header((SEQ, revision))
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(made))
}

/// Shows a token.
///
/// Without its secret, which nobody can show again.
#[utoipa::path(tag = "access", params(("id" = String, Path, description = "The token's ID or name."), IfNoneMatch),
    responses((status = 200, description = "The token.", body = Token)))]
#[get("/tokens/{id}")]
pub(crate) async fn token_get(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let token = state.control.get_token(caller.authorize(GetToken(id.into_inner()))?).await?;
    Ok(answer::shown(&token, &known))
}

/// Revokes a token.
///
/// It opens nothing from then on; sessions that were opened with it end, and so do streams. The last one of role admin is refused
/// (`last-admin-token`), except to root at the local socket, who needs none. Of the token in `admin.token` (it is called `admin`) the next start
/// of the service writes a new one.
#[utoipa::path(tag = "access", params(("id" = String, Path, description = "The token's ID or name.")),
    responses((status = 204, description = "Revoked.")))]
#[delete("/tokens/{id}")]
pub(crate) async fn token_delete(
    state: State,
    Caller(caller): Caller,
    id: web::Path<String>,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    state.control.revoke_token(caller.authorize(RevokeToken(id.into_inner()))?).await?;
    Ok(HttpResponse::NoContent().finish())
}
