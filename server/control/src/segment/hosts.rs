//! The hosts that a network is on, as they were last looked at: what is theirs inside its subnets, and what these must be clear of.
//!
//! A local network is on one host. A network of the swarm on a segment is on all nodes, and the manager knows of the others what their heartbeats say.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use netloom_model::NodeId;
use netloom_model::facts::{Facts, HostRoute};
use netloom_model::network::{Driver, NetworkSpec};
use netloom_store::{NetworkRow, networks};

use crate::control::{Control, Inner};
use crate::error::Error;
use crate::overlay::network::everywhere;

/// Hosts, as they were last looked at.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// This node.
    pub(crate) node: NodeId,
    /// What its host has.
    pub(crate) own: Arc<Facts>,
    /// What the other nodes said that their hosts have, on a manager.
    pub(crate) others: Vec<(NodeId, Arc<Facts>)>,
}

/// A host that a network is on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnHost<'a> {
    pub(crate) node: NodeId,
    /// The link that carries the network there.
    pub(crate) parent: &'a str,
    pub(crate) facts: &'a Facts,
}

impl Hosts {
    /// This host alone.
    pub(crate) fn alone(node: NodeId, own: Facts) -> Self {
        Self { node, own: Arc::new(own), others: Vec::new() }
    }

    /// Those that a network is on by a link that is not Netloom's.
    pub(crate) fn of<'a>(&'a self, network: &'a NetworkRow) -> Vec<OnHost<'a>> {
        let own = network.parent.as_deref().map(|parent| OnHost { node: self.node, parent, facts: &self.own });
        let other = |(node, facts): &'a (NodeId, Arc<Facts>)| {
            let parent = network.spec.parent_on(*node, &facts.hostname)?;
            Some(OnHost { node: *node, parent, facts })
        };
        let others = self.others.iter().filter(|_| network.spec.is_segment()).filter_map(other);
        own.into_iter().chain(others).collect()
    }

    /// Whether anything of these hosts' may have an address: a cheap question, for what is nearly always not so.
    pub(crate) fn may_have(&self, address: IpAddr) -> bool {
        let has = |facts: &Facts| {
            facts.nameservers.contains(&address)
                || facts.routes.iter().any(|route| route.gateway == Some(address))
                || facts.has_address(address)
        };
        has(&self.own) || self.others.iter().any(|(_, facts)| has(facts))
    }

    /// What a node's host is called; nothing where it is not known.
    pub(crate) fn hostname(&self, node: NodeId) -> &str {
        let others = self.others.iter().find(|(id, _)| *id == node).map(|(_, facts)| facts);
        if node == self.node { &self.own.hostname } else { others.map_or("", |facts| &facts.hostname) }
    }

    /// The nodes whose hosts are known.
    pub(crate) fn known(&self) -> BTreeSet<NodeId> {
        self.others.iter().map(|(node, _)| *node).chain([self.node]).collect()
    }
}

/// What a network's subnets are chosen and checked by.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// All that is taken where the network is.
    pub(crate) all: Facts,
    /// The same without the routes of the segment itself, whose subnet the network's normally is.
    pub(crate) beside: Facts,
    /// The hosts that it is on.
    pub(crate) hosts: Hosts,
}

impl Surroundings {
    /// For who changes no subnet.
    pub(crate) fn unknown(node: NodeId) -> Self {
        Self { all: Facts::default(), beside: Facts::default(), hosts: Hosts::alone(node, Facts::default()) }
    }
}

impl Control {
    /// What the subnets of a network that is to be made are chosen and checked by; `own` is what this host has.
    pub(crate) fn surroundings(&self, spec: &NetworkSpec, own: Facts) -> Surroundings {
        let node = self.node_id();
        if spec.driver == Driver::Overlay {
            let all = everywhere(own.clone(), self.hosts());
            return Surroundings { beside: all.clone(), all, hosts: Hosts::alone(node, own) };
        }
        if !spec.is_segment() {
            return Surroundings { beside: own.clone(), all: own.clone(), hosts: Hosts::alone(node, own) };
        }
        let others = self.hosts();
        let beside = others.iter().map(|(id, facts, subnets)| {
            let facts = facts.as_ref().map(|facts| {
                let parent = spec.parent_on(*id, &facts.hostname);
                let mut facts = facts.as_ref().clone();
                facts.routes.retain(|route| !is_on_link(route, parent));
                Arc::new(facts)
            });
            (*id, facts, subnets.clone())
        });
        let beside = everywhere(own.clone(), beside.collect());
        let known = others.iter().filter_map(|(id, facts, _)| Some((*id, facts.clone()?))).collect();
        let hosts = Hosts { node, own: Arc::new(own.clone()), others: known };
        Surroundings { all: everywhere(own, others), beside, hosts }
    }

    /// Takes up what another node's host has, where that concerns networks that it is on.
    pub(crate) async fn host_of_node_changed(&self, node: NodeId, facts: Arc<Facts>) -> Result<(), Error> {
        let former = self.inner.host.set_other(node, Arc::clone(&facts));
        if former.is_some_and(|former| of_segments(&former) == of_segments(&facts)) {
            return Ok(());
        }
        self.follow_hosts(node, facts.hostname.clone()).await
    }

    /// Forgets what the host of a node has that is none any more.
    pub(crate) fn forget_host(&self, node: NodeId) {
        if let Some(facts) = self.inner.host.forget_other(node) {
            let this = self.clone();
            self.inner.runtime.spawn(async move {
                if let Err(error) = this.follow_hosts(node, facts.hostname.clone()).await {
                    tracing::warn!(%error, "what a node had that was removed could not be let go");
                }
            });
        }
    }

    async fn follow_hosts(&self, node: NodeId, hostname: String) -> Result<(), Error> {
        if !self.inner.has_segments().await? {
            return Ok(());
        }
        self.inner.know_host().await;
        self.refresh_hosts(node, hostname).await
    }
}

impl Inner {
    /// Whether the swarm has networks on segments.
    pub(crate) async fn has_segments(&self) -> Result<bool, Error> {
        self.store.ask(|tx| Box::pin(async move { Ok::<_, Error>(networks::has_segments(tx).await?) })).await
    }
}

/// Whether it is a route of the subnet that a link is on.
fn is_on_link(route: &HostRoute, parent: Option<&str>) -> bool {
    parent.is_some() && route.interface.as_deref() == parent && route.gateway.is_none()
}

/// What of a host's counts on networks that it is on.
#[derive(PartialEq, Eq)]
struct OnSegments<'a> {
    hostname: &'a str,
    addresses: Vec<(&'a str, &'a [IpNet])>,
    routers: Vec<&'a HostRoute>,
    nameservers: &'a [IpAddr],
}

fn of_segments(facts: &Facts) -> OnSegments<'_> {
    OnSegments {
        hostname: &facts.hostname,
        addresses: facts.links.iter().map(|link| (link.name.as_str(), link.addresses.as_slice())).collect(),
        routers: facts.routes.iter().filter(|route| route.is_default()).collect(),
        nameservers: &facts.nameservers,
    }
}
