//! Every URL of the dashboard, and the headers that each of its answers carries.

use actix_web::dev::Handler;
use actix_web::http::header;
use actix_web::middleware::{Compress, DefaultHeaders};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{FromRequest, HttpResponse, Resource, Responder, guard};

use crate::{Dashboard, appearance, assets, form, pages};

#[cfg(test)]
mod tests;

/// What a page may load and do: its own stylesheet, script and pictures, nothing inline, nobody's frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Adds the dashboard to an application: `/` and everything under `/ui`.
pub fn configure(dashboard: Dashboard) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.app_data(Data::new(dashboard));
        routes(config);
    }
}

fn routes(config: &mut ServiceConfig) {
    config.service(page("/", home)).service(
        web::scope("/ui")
            .app_data(form::config(form::FORM_MAX))
            .wrap(headers())
            // No page of another site has our pages loaded with a session (SameSite=Strict), so that sizes tell nobody anything.
            .wrap(Compress::default())
            .service(page("", pages::overview::page))
            .service(page("/", home))
            .service(page("/networks.csv", pages::csv::networks))
            .service(page("/networks", pages::networks::page))
            .service(page("/networks/{network}", pages::network::summary))
            .service(page("/networks/{network}/map.csv", pages::csv::network_map))
            .service(page("/networks/{network}/map", pages::network_map::page))
            .service(page("/networks/{network}/leases.csv", pages::csv::network_leases))
            .service(page("/networks/{network}/leases", pages::network::leases))
            .service(page("/networks/{network}/endpoints.csv", pages::csv::network_endpoints))
            .service(page("/networks/{network}/endpoints", pages::network::endpoints))
            .service(page("/networks/{network}/health.csv", pages::csv::network_health))
            .service(page("/networks/{network}/health", pages::network::health))
            .service(page("/networks/{network}/config.csv", pages::csv::network_config))
            .service(page("/networks/{network}/config", pages::network::config))
            .service(page("/networks/{network}/history.csv", pages::csv::network_history))
            .service(page("/networks/{network}/history", pages::network::history))
            .service(page("/networks/{network}/json", pages::network::json))
            .service(page("/sandboxes.csv", pages::csv::sandboxes))
            .service(page("/sandboxes", pages::sandboxes::page))
            .service(page("/sandboxes/{sandbox}", pages::sandbox::summary))
            .service(page("/sandboxes/{sandbox}/endpoints.csv", pages::csv::sandbox_endpoints))
            .service(page("/sandboxes/{sandbox}/history.csv", pages::csv::sandbox_history))
            .service(page("/sandboxes/{sandbox}/history", pages::history::sandbox))
            .service(page("/sandboxes/{sandbox}/json", pages::sandbox::json))
            .service(page("/ipam.csv", pages::csv::pools))
            .service(page("/ipam", pages::ipam::page))
            .service(page("/ipam/free.csv", pages::csv::free_subnets))
            .service(page("/ipam/{network}/{pool}.csv", pages::csv::free_ranges))
            .service(page("/ipam/{network}/{pool}", pages::ipam::free))
            .service(page("/leases.csv", pages::csv::leases))
            .service(page("/leases", pages::leases::page))
            .service(page("/leases/{lease}/history.csv", pages::csv::lease_history))
            .service(page("/leases/{lease}/history", pages::history::lease))
            .service(page("/addresses/{address}.csv", pages::csv::holdings))
            .service(page("/addresses/{address}", pages::address::page))
            .service(page("/topology.csv", pages::csv::topology))
            .service(page("/topology", pages::topology::page))
            .service(page("/drift.csv", pages::csv::drift))
            .service(page("/drift", pages::drift::page))
            .service(page("/activity.csv", pages::csv::of_activity))
            .service(page("/activity", pages::activity::page))
            .service(page("/events", pages::activity::former_events))
            .service(page("/audit", pages::activity::former_audit))
            .service(page("/tokens.csv", pages::csv::tokens))
            .service(page("/tokens", pages::tokens::page))
            .service(page("/search", pages::search::page))
            .service(page("/api", pages::reference::index))
            .service(page("/api/{operation}", pages::reference::operation))
            .service(page("/api/schemas/{schema}", pages::reference::schema))
            .service(page("/swarm", pages::swarm::page))
            .service(page("/swarm/join.csv", pages::csv::join_tokens))
            .service(changed("/swarm/join", pages::join::page, pages::join::create))
            .service(changed("/swarm/join/{token}/rotate", pages::join::ask_rotate, pages::join::rotate))
            .service(changed("/swarm/join/{token}/revoke", pages::join::ask_revoke, pages::join::revoke))
            .service(page("/nodes.csv", pages::csv::nodes))
            .service(page("/nodes", pages::nodes::page))
            .service(changed("/nodes/{node}", pages::node::page, pages::node::change))
            .service(page("/nodes/{node}/history.csv", pages::csv::node_history))
            .service(page("/nodes/{node}/history", pages::history::node))
            .service(changed("/nodes/{node}/remove", pages::node::ask_remove, pages::node::remove))
            .service(
                web::resource("/login")
                    .app_data(form::config(form::LOGIN_MAX))
                    .route(web::get().to(pages::login::show_form))
                    .route(web::post().to(pages::login::submit))
                    .default_service(web::to(pages::missing::method)),
            )
            .service(
                web::resource("/logout")
                    .route(web::post().to(pages::login::logout))
                    .default_service(web::to(pages::missing::method)),
            )
            .service(
                web::resource("/theme")
                    .app_data(form::config(form::LOGIN_MAX))
                    .route(web::post().to(appearance::choose))
                    .default_service(web::to(pages::missing::method)),
            )
            .service(page("/static/{file:.*}", assets::serve))
            .default_service(web::to(pages::missing::page)),
    );
}

/// A page that is only read.
fn page<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let reads = guard::Any(guard::Get()).or(guard::Head());
    web::resource(path).route(web::route().guard(reads).to(handler)).default_service(web::to(pages::missing::method))
}

/// A page with a form that is sent to its own address: there a login leads back to, and a reload changes nothing.
fn changed<F, A, G, B>(path: &str, shown: F, sent: G) -> Resource
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
    G: Handler<B>,
    B: FromRequest + 'static,
    G::Output: Responder + 'static,
{
    page(path, shown).route(web::post().to(sent))
}

fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "same-origin"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add(("Permissions-Policy", "camera=(), geolocation=(), microphone=()"))
        .add((header::CACHE_CONTROL, "no-store"))
}

async fn home() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/ui")).finish()
}
