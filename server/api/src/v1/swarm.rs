//! The swarm: making it, its settings, and whether this host is in one.

use actix_web::http::header::{CACHE_CONTROL, ETAG, LOCATION};
use actix_web::{HttpResponse, delete, get, patch, put};
use netloom_control::command::{GetInfo, GetSwarm, JoinSwarm, LeaveSwarm, PutSwarm, SwarmPut, UpdateSwarm, Written};
use netloom_model::swarm::{Availability, Info, Swarm, SwarmSpec};
use serde::{Deserialize, Serialize};

use super::State;
use super::join_tokens::MadeJoinToken;
use crate::answer::{self, Addressed as _, SEQ};
use crate::auth::Caller;
use crate::body::Document;
use crate::precondition::{IfMatch, IfNoneMatch, PutMatch, or_present_tag};
use crate::problem::Problem;
use crate::query::{Filter, NoQuery, one};

/// A swarm that was just made, with its first join token.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MadeSwarm {
    /// The swarm.
    #[serde(flatten)]
    swarm: Swarm,
    /// A token for workers, with its secret and the command to join by it, shown this once.
    #[schema(read_only)]
    join_token: MadeJoinToken,
}

/// What a host needs to join a swarm.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinSpec {
    /// The join token's whole text. Its secret is said to no one but a manager whose authority the token names.
    #[schema(
        max_length = 128,
        format = "password",
        pattern = "^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$",
        example = "SWMTKN-1-00000000000000000000000000000000000000000000000000-0000000000000000000000000"
    )]
    token: String,
    /// Where the manager listens: its IP address, and its port unless that is 2377.
    #[schema(max_length = 64, example = "192.168.122.185:2377")]
    manager: String,
    /// The address at which this host is to be reached by the other nodes; the one that the manager sees it come from unless said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 45, example = "192.168.122.186")]
    address: Option<String>,
    /// Its availability from the start; `active` unless said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    availability: Option<Availability>,
}

/// How a host leaves.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaveQuery {
    /// Also where the manager can't be told; and on the manager, whose leaving ends the swarm.
    #[serde(default, deserialize_with = "one")]
    force: Option<bool>,
}

/// Shows the swarm.
///
/// That this host is a node of, with what it is in it: on a worker as its manager said last. `no-swarm` where it is in none.
#[utoipa::path(tag = "swarm", params(IfNoneMatch), responses((status = 200, description = "The swarm.", body = Swarm)))]
#[get("/swarm")]
pub(crate) async fn swarm_get(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    known: IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let swarm = state.control.get_swarm(caller.authorize(GetSwarm)?).await?;
    Ok(answer::shown(&swarm, &known))
}

/// Puts the swarm.
///
/// Makes it where this host is in none: with an authority of its own, this host as its manager, and a first token for workers, whose command is in
/// this answer alone. Where this host manages one, gives it this whole spec: what is absent is unset. On a worker `not-manager`.
#[utoipa::path(tag = "swarm", params(PutMatch), request_body = SwarmSpec, responses(
    (status = 201, description = "Made, with its first join token, shown this once.", body = MadeSwarm),
    (status = 200, description = "Has this spec.", body = Swarm)))]
#[put("/swarm")]
pub(crate) async fn swarm_put(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    PutMatch(precondition): PutMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let spec = document.whole::<SwarmSpec>()?;
    let present = caller.authorize(GetSwarm)?;
    let put = state.control.put_swarm(caller.authorize(PutSwarm(spec))?, precondition);
    match or_present_tag(put, state.control.get_swarm(present)).await? {
        SwarmPut::Changed(swarm) => Ok(answer::updated(Written::Done(*swarm))),
        SwarmPut::Made(swarm, token) => {
            let (path, revision, (tag, _)) = (swarm.path(), swarm.revision, answer::written(&*swarm));
            Ok(HttpResponse::Created()
                .insert_header((LOCATION, path))
                .insert_header((SEQ, revision))
                .insert_header((ETAG, tag))
                .insert_header((CACHE_CONTROL, "no-store"))
                .json(MadeSwarm { swarm: *swarm, join_token: MadeJoinToken::from(*token) }))
        }
    }
}

/// Changes the swarm.
///
/// A JSON Merge Patch (RFC 7396) of its settings: null removes a field, which then has its default. On a worker `not-manager`.
#[utoipa::path(tag = "swarm", params(IfMatch),
    request_body(content = SwarmSpec, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "Changed.", body = Swarm)))]
#[patch("/swarm")]
pub(crate) async fn swarm_patch(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    IfMatch(precondition): IfMatch,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let present = caller.authorize(GetSwarm)?;
    let update = state.control.update_swarm(caller.authorize(UpdateSwarm(document.patch()))?, precondition);
    let swarm = or_present_tag(update, state.control.get_swarm(present)).await?;
    Ok(answer::updated(Written::Done(swarm)))
}

/// Joins a swarm.
///
/// This host becomes a worker of the swarm whose join token it shows, once the manager has let it in. What its store and kernel hold stays as it is.
/// `already-member` where it is in a swarm.
#[utoipa::path(tag = "swarm", request_body = JoinSpec,
    responses((status = 201, description = "Joined: the swarm, as this node knows it.", body = Swarm)))]
#[put("/swarm/membership")]
pub(crate) async fn swarm_membership_put(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    document: Document,
) -> Result<HttpResponse, Problem> {
    let JoinSpec { token, manager, address, availability } = document.whole()?;
    let command = JoinSwarm { token, manager, address, availability };
    let swarm = state.control.join_swarm(caller.authorize(command)?).await?;
    let (path, (tag, body)) = (swarm.path(), answer::written(&swarm));
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, path))
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(body))
}

/// Leaves the swarm.
///
/// A worker tells its manager, which removes the node. With `force=true` also where the manager can't be told: the node is to be removed there then.
/// A manager leaves with `force=true` alone: with it the swarm ends, with its nodes, join tokens and authority.
#[utoipa::path(tag = "swarm", params(LeaveQuery), responses((status = 204, description = "This host is in no swarm.")))]
#[delete("/swarm/membership")]
pub(crate) async fn swarm_membership_delete(
    state: State,
    Caller(caller): Caller,
    Filter(query): Filter<LeaveQuery>,
) -> Result<HttpResponse, Problem> {
    let command = LeaveSwarm { force: query.force.unwrap_or_default() };
    state.control.leave_swarm(caller.authorize(command)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Shows what this host is.
///
/// Its name, kernel and version, what its store holds, and the swarm that it is in, if any.
#[utoipa::path(tag = "swarm", responses((status = 200, description = "The host.", body = Info)))]
#[get("/info")]
pub(crate) async fn info_get(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::found(&state.control.get_info(caller.authorize(GetInfo)?).await?))
}
