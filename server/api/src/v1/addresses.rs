//! One address: who has it, who had it.

use actix_web::{HttpResponse, get, web};
use netloom_control::command::GetAddress;
use netloom_model::Timestamp;
use netloom_model::lease::AddressReport;
use netloom_model::net::parse_address;
use serde::Deserialize;

use super::State;
use crate::answer::{self, Whole};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, one};

/// When to ask about.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressQuery {
    /// Who held it at this time (RFC 3339).
    #[serde(default, deserialize_with = "one")]
    #[param(value_type = Option<String>, format = "date-time", max_length = 40, example = "2026-01-31T12:00:00Z")]
    at: Option<Timestamp>,
}

/// Tells all about an address.
///
/// Its holder, its pool and its past holders, also when nobody has it. A list, since pools of different nodes may repeat an address.
#[utoipa::path(tag = "leases", params(("ip" = String, Path, description = "The address, IPv4 or IPv6."), AddressQuery),
    responses((status = 200, description = "What is known of it, by place.", body = Whole<AddressReport>)))]
#[get("/addresses/{ip}")]
pub(crate) async fn address_get(
    state: State,
    Caller(caller): Caller,
    ip: web::Path<String>,
    Filter(query): Filter<AddressQuery>,
) -> Result<HttpResponse, Problem> {
    let address = parse_address("{ip}", &ip)
        .map_err(|invalid| Problem::new("malformed-request", invalid.to_string()).error(invalid))?;
    let command = GetAddress { address, at: query.at };
    let items = state.control.get_address(caller.authorize(command)?).await?;
    Ok(answer::found(&Whole { items }))
}
