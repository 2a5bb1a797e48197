//! The REST API under `/api/v1`, as a thin layer over [`netloom_control::Control`]: HTTP in, typed commands to control,
//! JSON and RFC 9457 problems out. Every rule about networks lives in control; HTML lives in web.
//!
//! | module | holds |
//! |---|---|
//! | [`guard`](mod@guard) | what every request passes: names, sites, bounds, request IDs, security headers |
//! | [`auth`] | who asks |
//! | [`forward`] | what a worker hands to its manager |
//! | `query`, `length`, `body`, `answer`, `problem` | HTTP in and out, alike for every resource |
//! | `v1` | the resources, one file each |
//! | `service`, `docs` | health, metrics, the document and its viewer |
//! | [`openapi`] | the OpenAPI document |
//!
//! ```text
//! App::new().configure(|config| netloom_api::configure(config, &state)).wrap(from_fn(netloom_api::guard))
//! ```

pub mod auth;
pub mod forward;
pub mod guard;
pub mod openapi;

mod answer;
mod body;
mod docs;
mod idempotency;
mod length;
mod precondition;
mod problem;
mod query;
mod route;
mod service;
mod state;
mod v1;

use actix_web::web;

pub use auth::PeerUid;
pub use guard::{RequestId, guard};
pub use state::{ApiState, Settings};

/// Mounts `/api/v1`, `/openapi.json`, `/openapi-3.0.json`, `/docs`, `/healthz`, `/readyz`, `/metrics`, `/problems`, and the answer to every
/// path that nobody serves. The application must also be wrapped in [`guard()`], as its outermost layer.
pub fn configure(config: &mut web::ServiceConfig, state: &ApiState) {
    config
        .app_data(web::Data::new(state.clone()))
        .app_data(web::Data::from(state.settings.clone()))
        .service(openapi::service())
        .service(openapi::metrics())
        .service(service::health::health_get)
        .service(service::health::readiness_get)
        .service(problem::page::problem_list)
        .service(problem::page::problem_get)
        .service(web::scope("/openapi.json").service(docs::openapi_get))
        .service(web::scope("/openapi-3.0.json").service(docs::openapi_3_0_get))
        .service(web::scope("/docs").service(docs::docs_redirect).service(docs::docs_file))
        .default_service(web::to(route::unknown));
}
