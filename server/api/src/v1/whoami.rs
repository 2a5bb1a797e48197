//! Who asks, and what they may do.

use actix_web::{HttpResponse, get};
use netloom_control::principal::Permission;
use serde::Serialize;

use crate::answer;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// Who asks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Whoami {
    /// Name, as events show it: a token's, or `socket:root`.
    name: String,
    /// `viewer`, `operator` or `admin`.
    #[schema(max_length = 16, example = "admin")]
    role: &'static str,
    /// What the role may do: `read`, `write`, `administer`.
    #[schema(max_items = 16)]
    permissions: Vec<&'static str>,
}

/// Shows who asks.
///
/// The name under which this caller's writes appear in events, and what it may do.
#[utoipa::path(tag = "service", responses((status = 200, description = "The caller.", body = Whoami)))]
#[get("/whoami")]
pub(crate) async fn whoami_get(Caller(caller): Caller, _: Filter<NoQuery>) -> Result<HttpResponse, Problem> {
    let role = caller.principal.role;
    let all = [(Permission::Read, "read"), (Permission::Write, "write"), (Permission::Administer, "administer")];
    let permissions = all.into_iter().filter(|(needed, _)| role >= needed.least_role()).map(|(_, word)| word).collect();
    Ok(answer::found(&Whoami { name: caller.principal.name, role: role.as_str(), permissions }))
}
