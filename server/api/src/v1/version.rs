//! What runs here.

use actix_web::{HttpResponse, get};
use netloom_model::{NodeId, StoreId};
use serde::Serialize;

use super::State;
use crate::answer;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Filter, NoQuery};

/// What runs here.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Version {
    /// Version of the service.
    #[schema(max_length = 32, example = "0.1.0")]
    version: &'static str,
    /// Versions of the API that are served.
    #[schema(max_items = 8, example = json!(["v1"]))]
    api_versions: Vec<&'static str>,
    /// This node.
    node: NodeId,
    /// Its store: event numbers of another store mean nothing here.
    store: StoreId,
}

/// Shows the version.
///
/// Of the service and of the API, with the node and the store that answer.
#[utoipa::path(tag = "service", responses((status = 200, description = "The versions.", body = Version)))]
#[get("/version")]
pub(crate) async fn version_get(state: State, _: Caller, _: Filter<NoQuery>) -> Result<HttpResponse, Problem> {
    Ok(answer::found(&Version {
        version: env!("CARGO_PKG_VERSION"),
        api_versions: vec!["v1"],
        node: state.control.node_id(),
        store: state.control.store_id(),
    }))
}
