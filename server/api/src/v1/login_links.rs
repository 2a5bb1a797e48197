//! Login links: how a browser gets a session without anybody typing the token.

use actix_web::{HttpResponse, post};
use netloom_control::command::CreateLoginLink;
use serde::Serialize;

use super::State;
use crate::auth::Caller;
use crate::body::NoBody;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// A link that logs a browser in, once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LoginLink {
    /// Path and query on this service; shown once. Opening it shows a button, and pressing that uses the link up. Good for one hour.
    #[schema(max_length = 256, example = "/ui/login?link=kq3v5m7w2y4a6c8e")]
    path: String,
    /// The same for a browser on the service's own host.
    #[schema(max_length = 512, example = "http://127.0.0.1:8080/ui/login?link=kq3v5m7w2y4a6c8e")]
    url: String,
}

/// Makes a login link.
///
/// The session that it opens has role admin, and goes under the name `login-link`. Link and session end when the token is revoked with
/// which the link was asked for; those that root asks for at the local socket, without a token, stand for root. `netloom login-link` asks for one through the local socket.
#[utoipa::path(tag = "service", responses((status = 200, description = "The link, shown this once.", body = LoginLink)))]
#[post("/login-links")]
pub(crate) async fn login_link_create(
    state: State,
    Caller(caller): Caller,
    _: Filter<NoQuery>,
    _: NoBody,
) -> Result<HttpResponse, Problem> {
    let secret = state.control.create_login_link(caller.authorize(CreateLoginLink)?).await?;
    let path = format!("/ui/login?link={secret}");
    let url = format!("{}{path}", state.settings.base_url);
    Ok(HttpResponse::Ok().json(LoginLink { path, url }))
}
