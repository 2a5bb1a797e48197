//! The resources under `/api/v1`, one file each. A handler parses, authorises one command, calls control, and answers;
//! a rule that would make one longer belongs into control.

mod addresses;
mod audit;
mod backups;
mod capabilities;
mod drift;
pub(crate) mod events;
mod history;
mod host;
mod ipam;
mod join_tokens;
mod leases;
mod login_links;
mod maps;
mod networks;
mod nodes;
mod plans;
mod probes;
mod prune;
mod sandboxes;
mod search;
mod swarm;
mod swarm_endpoints;
mod tokens;
mod topology;
mod version;
mod whoami;

use actix_web::dev::HttpServiceFactory;
use actix_web::web;
use utoipa_actix_web::OpenApiFactory;

use crate::state::ApiState;

pub(crate) use capabilities::made as made_drivers;

/// The state, as handlers get it.
type State = web::Data<ApiState>;

/// What handlers are registered with: the service, which serves them, or the document, which collects what they say of themselves. The
/// service does not collect, too: that would leave megabytes behind in each of its threads.
pub(crate) trait Register {
    /// Registers a handler.
    fn service(&mut self, handler: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self;
}

impl Register for web::ServiceConfig {
    fn service(&mut self, handler: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
        Self::service(self, handler)
    }
}

impl Register for utoipa_actix_web::service_config::ServiceConfig<'_> {
    fn service(&mut self, handler: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
        Self::service(self, handler)
    }
}

/// Registers every handler; what is not registered here is not served, and is not in the OpenAPI document.
pub(crate) fn routes<R: Register>(config: &mut R) {
    config
        .service(networks::network_list)
        .service(networks::network_create)
        .service(networks::network_get)
        .service(networks::network_health_get)
        .service(maps::network_map_get)
        .service(networks::network_put)
        .service(networks::network_patch)
        .service(networks::network_delete)
        .service(leases::network_lease_list)
        .service(leases::network_lease_create)
        .service(leases::network_lease_get)
        .service(leases::network_lease_put)
        .service(leases::network_lease_patch)
        .service(leases::network_lease_delete)
        .service(topology::topology_get)
        .service(sandboxes::sandbox_list)
        .service(sandboxes::sandbox_create)
        .service(sandboxes::sandbox_get)
        .service(sandboxes::sandbox_resolv_conf_get)
        .service(history::network_history_list)
        .service(history::sandbox_history_list)
        .service(history::lease_history_list)
        .service(history::node_history_list)
        .service(sandboxes::sandbox_traffic_list)
        .service(sandboxes::sandbox_put)
        .service(sandboxes::sandbox_patch)
        .service(sandboxes::sandbox_delete)
        .service(leases::lease_list)
        .service(leases::lease_get)
        .service(addresses::address_get)
        .service(ipam::ipam_list)
        .service(ipam::reclaim_create)
        .service(ipam::free_subnet_list)
        .service(ipam::free_range_list)
        .service(search::search_get)
        .service(prune::prune_create)
        .service(plans::plan_list)
        .service(plans::plan_get)
        .service(plans::plan_apply_create)
        .service(plans::plan_delete)
        .service(probes::probe_create)
        .service(drift::drift_list)
        .service(events::event_list)
        .service(host::host_interface_list)
        .service(host::host_route_list)
        .service(login_links::login_link_create)
        .service(backups::backup_create)
        .service(tokens::token_list)
        .service(tokens::token_create)
        .service(tokens::token_get)
        .service(tokens::token_delete)
        .service(swarm::swarm_get)
        .service(swarm::swarm_put)
        .service(swarm::swarm_patch)
        .service(swarm_endpoints::swarm_endpoint_list)
        .service(swarm::swarm_membership_put)
        .service(swarm::swarm_membership_delete)
        .service(join_tokens::join_token_list)
        .service(join_tokens::join_token_create)
        .service(join_tokens::join_token_get)
        .service(join_tokens::join_token_rotate_create)
        .service(join_tokens::join_token_delete)
        .service(nodes::node_list)
        .service(nodes::node_get)
        .service(nodes::node_patch)
        .service(nodes::node_delete)
        .service(nodes::node_readmit_create)
        .service(swarm::info_get)
        .service(audit::audit_list)
        .service(whoami::whoami_get)
        .service(capabilities::capabilities_get)
        .service(version::version_get);
}
