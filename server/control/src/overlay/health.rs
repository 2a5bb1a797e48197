//! How the nodes on an overlay network reach each other: what each found of the ways to the others, put together.
//!
//! What must not live here: probing (the agent), and dates (`reports`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use netloom_model::NodeId;
use netloom_model::health::{HealthNode, HealthPair, NetworkHealth, PAIRS_SHOWN, Reachable, Way};
use netloom_model::network::Driver;
use netloom_store::{NetworkRow, ReadTx, attachments, networks, nodes, replica};

use crate::command::GetNetworkHealth;
use crate::control::Control;
use crate::error::Error;
use crate::networks::find;
use crate::principal::Authorized;
use crate::swarm::memory::Hearing;

/// How long a fresh look is waited for: what was known before is told then.
const FRESH_WITHIN: Duration = Duration::from_secs(10);

/// What is read of a network.
struct Read {
    row: NetworkRow,
    mtu: Option<u32>,
    nodes: Vec<HealthNode>,
}

impl Control {
    /// How the nodes on an overlay network reach each other: on the manager all of them, on a worker as it finds it itself.
    ///
    /// # Errors
    /// There is no such network; `not-overlay`.
    pub async fn network_health(&self, c: Authorized<GetNetworkHealth>) -> Result<NetworkHealth, Error> {
        let GetNetworkHealth { network, fresh } = c.into_parts().0;
        if fresh {
            self.inner.node.sound(FRESH_WITHIN).await;
        }
        let own_address = self.own_membership().and_then(|own| own.address);
        let hostname = self.known_facts().await?.hostname.clone();
        let own = self.node_id();
        let manages = self.as_manager().is_ok();
        let read = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { self::read(tx, own, own_address, &hostname, &network).await }));
        let Read { row, mtu, nodes } = read.await?;
        let found = |node: &HealthNode| match (node.id == own, manages) {
            (true, _) => Some((self.inner.swarm.own_ways(), true)),
            (false, true) => {
                Some((self.inner.swarm.ways_of(node.id), self.inner.swarm.hearing(node.id).0 == Hearing::Lately))
            }
            (false, false) => None,
        };
        let ways: Vec<(NodeId, Arc<Vec<Way>>, bool)> =
            nodes.iter().filter_map(|node| found(node).map(|(ways, is_lately)| (node.id, ways, is_lately))).collect();
        let (pairs, pairs_left_out) = pairs(&nodes, &ways);
        Ok(NetworkHealth { network: row.id, mtu, nodes, pairs, pairs_left_out })
    }
}

async fn read(
    tx: &mut ReadTx<'_>,
    own: NodeId,
    own_address: Option<IpAddr>,
    hostname: &str,
    reference: &str,
) -> Result<Read, Error> {
    let row = find(tx, reference).await?;
    if row.driver != Driver::Overlay {
        let detail = format!(
            "network `{}` is of driver {}: what nodes find of the ways between them is of overlay networks alone",
            row.name,
            row.driver.as_str()
        );
        return Err(Error::conflict("not-overlay", detail).hint("ask for a network of driver `overlay`"));
    }
    let used = networks::with_use(tx, &[row.id]).await?.pop();
    let overlay = used.as_ref().and_then(|used| used.overlay.as_ref());
    let mut on: BTreeMap<NodeId, IpAddr> = attachments::nodes_on(tx, row.id).await?.into_iter().collect();
    let own_place = overlay.map(|overlay| overlay.vtep).or(own_address);
    if let (Some(address), true) = (own_place, used.as_ref().is_some_and(|used| used.in_use)) {
        on.insert(own, address);
    }
    let known = nodes::all(tx).await?.into_iter().map(|node| (node.id, node.hostname));
    let names: BTreeMap<NodeId, String> = replica::node_names(tx).await?.into_iter().chain(known).collect();
    let name = |id: &NodeId| if *id == own { Some(hostname.to_owned()) } else { names.get(id).cloned() };
    let node = |(id, address): (NodeId, IpAddr)| HealthNode { hostname: name(&id), id, address: address.to_string() };
    let mtu = row.spec.mtu.or(overlay.and_then(|overlay| overlay.mtu));
    Ok(Read { row, mtu, nodes: on.into_iter().map(node).collect() })
}

/// Each way from a node that says what it finds to each other, those with trouble first, and how many are left out.
fn pairs(nodes: &[HealthNode], ways: &[(NodeId, Arc<Vec<Way>>, bool)]) -> (Vec<HealthPair>, u64) {
    let mut pairs = Vec::new();
    for (from, ways, is_lately) in ways {
        let by_address: BTreeMap<String, &Way> = ways.iter().map(|way| (way.last.to.to_string(), way)).collect();
        let others = nodes.iter().filter(|node| node.id != *from);
        pairs.extend(others.map(|to| pair(*from, to.id, by_address.get(&to.address).copied(), *is_lately)));
    }
    pairs.sort_by_key(|pair| (pair.trouble.is_none(), pair.reachable, pair.from, pair.to));
    let left_out = pairs.len().saturating_sub(PAIRS_SHOWN);
    pairs.truncate(PAIRS_SHOWN);
    (pairs, u64::try_from(left_out).unwrap_or(u64::MAX))
}

/// What a node that is silent said last is no word of now; when something was proven still is.
fn pair(from: NodeId, to: NodeId, way: Option<&Way>, is_lately: bool) -> HealthPair {
    let last = way.filter(|_| is_lately).map(|way| &way.last);
    let reachable = match last {
        None => Reachable::Unknown,
        Some(last) if last.usable_mtu.is_some() => Reachable::Yes,
        Some(_) => Reachable::No,
    };
    HealthPair {
        from,
        to,
        reachable,
        usable_mtu: last.and_then(|last| last.usable_mtu),
        rtt_us: last.and_then(|last| last.rtt_us),
        proven_at: way.and_then(|way| way.proven_at),
        failed_at: way.and_then(|way| way.failed_at),
        trouble: last.and_then(|last| last.trouble.clone()),
    }
}

#[cfg(test)]
mod tests {
    use netloom_model::Timestamp;
    use netloom_model::health::{Sounding, Trouble, TroubleCode};

    use super::*;

    fn node(number: u8) -> HealthNode {
        let (id, address) = (NodeId::from_random([number; 16]), format!("192.0.2.{number}"));
        HealthNode { id, hostname: None, address }
    }

    fn way(to: u8, usable_mtu: Option<u32>) -> Way {
        let trouble = || Trouble { code: TroubleCode::NoAnswer, message: String::new() };
        let to = IpAddr::from([192, 0, 2, to]);
        let last = Sounding { to, usable_mtu, rtt_us: Some(7), trouble: usable_mtu.is_none().then(trouble) };
        Way::after(last, None, Timestamp::from_millis(1))
    }

    #[test]
    fn pairs_are_told_by_who_probes_and_those_with_trouble_come_first() {
        let nodes = [node(1), node(2), node(3)];
        let ways = [
            (nodes[0].id, Arc::new(vec![way(2, Some(1450)), way(3, None)]), true),
            (nodes[1].id, Arc::new(vec![way(1, Some(1450)), way(9, None)]), true),
            // It was heard of long ago.
            (nodes[2].id, Arc::new(vec![way(1, None), way(2, Some(1400))]), false),
        ];
        let (pairs, left_out) = pairs(&nodes, &ways);
        let number = |id: NodeId| (1..).zip(&nodes).find(|(_, node)| node.id == id).map_or(0, |(number, _)| number);
        let said: Vec<_> = pairs.iter().map(|p| (number(p.from), number(p.to), p.reachable, p.usable_mtu)).collect();
        let wanted = [
            (1, 3, Reachable::No, None),
            (2, 3, Reachable::Unknown, None),
            (3, 1, Reachable::Unknown, None),
            (3, 2, Reachable::Unknown, None),
            (1, 2, Reachable::Yes, Some(1450)),
            (2, 1, Reachable::Yes, Some(1450)),
        ];
        assert_eq!((said.as_slice(), left_out), (wanted.as_slice(), 0));
        assert_eq!(pairs[3].proven_at, Some(Timestamp::from_millis(1)));
    }
}
