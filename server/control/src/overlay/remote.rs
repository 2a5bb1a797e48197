//! Attachments of other nodes' sandboxes, on the manager: given, changed, released. The node's own half is its sandbox's endpoint.
//!
//! What must not live here: what a node is told of others' (`underlay`), the wire (`members`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use netloom_model::assignment::Key;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::lease::{LeaseState, Owner, OwnerKind};
use netloom_model::member::{Answered, AttachRequest, AttachedLease, Attachment, Compared, HeldAttachment, Peer};
use netloom_model::network::Scope;
use netloom_model::{EndpointId, MacAddr, NodeId, Timestamp};
use netloom_store::networks::ToAttach;
use netloom_store::{AttachmentRow, LeaseRow, NetworkRow, WriteTx, attachments, leases, networks, nodes};

use super::network::check_attachable;
use super::release::{Release, keys_of, sandbox_of};
use crate::allocation::{self, NewLease, Taken};
use crate::clock::{now, random};
use crate::commit::Job;
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::journal::{Actor, on_network, with};
use crate::networks::host::Host;
use crate::networks::not_deleting;
use crate::reports::conflict::{Stranger, millis};
use crate::segment::moves;
use crate::swarm::denied;
use crate::validate::sandbox as validate;
use crate::validate::sandbox::WantedAttachment;

/// How many random Ethernet addresses are tried.
const MAC_TRIES: usize = 16;

impl Control {
    /// Gives a member's sandbox a place on a network of the swarm; the same one, where it has it already.
    ///
    /// # Errors
    /// Everything wrong with what is asked for; `address-taken`, `mac-taken`, `pool-exhausted`, `not-attachable`; no such network of the swarm.
    pub async fn attach_for(&self, peer: &Peer, request: AttachRequest) -> Result<Attachment, Error> {
        self.check_standing(peer).await?;
        let dry_run = request.dry_run;
        let instead = match request.instead_of {
            Some(answered) => Some(self.stranger_of(peer, &request, answered).await?),
            None => None,
        };
        let attach = Attach { node: peer.node, request, host: Arc::clone(&self.inner.host), instead };
        let given = self.inner.commit(dry_run, attach).await?;
        if dry_run {
            return Ok(given);
        }
        self.inner.node.wake(vec![Key::Network(given.network), Key::Peer(given.endpoint)]);
        Ok(given)
    }

    /// Who answered for an address of a member's sandbox, if that can be: on a segment, where others are, and of an attachment that is the member's.
    async fn stranger_of(&self, peer: &Peer, request: &AttachRequest, answered: Answered) -> Result<Stranger, Error> {
        let (network, endpoint) = (request.network, request.endpoint);
        let read = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let on_segment = networks::by_id(tx, network).await?.is_some_and(|row| row.spec.is_segment());
                Ok::<_, Error>((on_segment, attachments::by_id(tx, endpoint).await?))
            })
        });
        let (on_segment, attachment) = read.await?;
        if !on_segment {
            return Err(denied::request_invalid("nobody but the swarm's nodes is on that network"));
        }
        if attachment.is_none_or(|row| (row.node, row.network_id) != (peer.node, network)) {
            return Err(denied::request_invalid(format!("{endpoint} is no attachment of that node to that network")));
        }
        self.inner.swarm.allowances.may_quarantine(peer.node)?;
        Ok(Stranger {
            node: peer.node,
            address: answered.address,
            mac: answered.mac,
            tried: self.inner.attempts.count(endpoint),
            candidates: self.inner.config.conflict_candidates,
            quarantine_millis: millis(self.inner.config.quarantine),
        })
    }

    /// Takes a member's word of its attachments. Those of which it says that nothing is left are released; those that are missing from two reports that have them, one
    /// after the other, too; the others are brought up to what it says. What is not its own is passed over. Answers how what it says it holds stands to what is
    /// known here; nothing where it says nothing of that.
    ///
    /// # Errors
    /// The store's.
    pub async fn hear_attachments(
        &self,
        node: NodeId,
        held: Option<&[HeldAttachment]>,
        released: &[EndpointId],
    ) -> Result<Option<Compared>, Error> {
        if held.is_none() && released.is_empty() {
            return Ok(None);
        }
        let of_node = self.inner.store.ask(move |tx| Box::pin(async move { attachments::of_node(tx, node).await }));
        let mut known = of_node.await?;
        // However much a node says: the writer is asked for what is its own, and there.
        let released: BTreeSet<&EndpointId> = released.iter().collect();
        let ended: Vec<EndpointId> = known.extract_if(.., |row| released.contains(&row.id)).map(|row| row.id).collect();
        if !ended.is_empty() {
            let host = Arc::clone(&self.inner.host);
            let ended = self.inner.commit(false, Release { node, endpoints: ended, reason: None, host }).await?;
            self.inner.node.wake(ended);
        }
        match held {
            Some(held) => self.compare_attachments(node, known, held).await.map(Some),
            None => Ok(None),
        }
    }

    async fn compare_attachments(
        &self,
        node: NodeId,
        known: Vec<AttachmentRow>,
        held: &[HeldAttachment],
    ) -> Result<Compared, Error> {
        let by_id: BTreeMap<EndpointId, &HeldAttachment> = held.iter().map(|one| (one.endpoint, one)).collect();
        let differs = |row: &&AttachmentRow| {
            by_id.get(&row.id).is_some_and(|one| one.running != row.running || one.aliases != row.aliases)
        };
        // A node's word is checked like anybody's.
        let is_good = |one: &&HeldAttachment| validate::aliases_are_good(&one.aliases);
        let said: Vec<HeldAttachment> = known
            .iter()
            .filter(differs)
            .filter_map(|row| by_id.get(&row.id).copied())
            .filter(is_good)
            // What is put off differs with the next report, too.
            .take_while(|_| self.inner.swarm.allowances.may_change(node))
            .cloned()
            .collect();
        if !said.is_empty() {
            let changed = self.inner.commit(false, Change { node, said }).await?;
            self.inner.node.wake(changed);
        }
        let has_moved = |row: &&AttachmentRow| {
            by_id
                .get(&row.id)
                .is_some_and(|one| !one.addresses.is_empty() && !is_same_set(&one.addresses, &row.addresses))
        };
        let moved = known.iter().filter(has_moved).map(|row| row.id).collect();
        let known: BTreeSet<EndpointId> = known.into_iter().map(|row| row.id).collect();
        let unknown = by_id.keys().filter(|id| !known.contains(id)).copied().collect();
        let missing = known.into_iter().filter(|id| !by_id.contains_key(id)).collect();
        let twice = self.inner.missing.again(node, missing);
        if twice.is_empty() {
            return Ok(Compared { unknown, moved });
        }
        let reason = Some("its node said twice that it has no such sandbox there".to_owned());
        let host = Arc::clone(&self.inner.host);
        let ended = self.inner.commit(false, Release { node, endpoints: twice, reason, host }).await?;
        self.inner.node.wake(ended);
        Ok(Compared { unknown, moved })
    }
}

fn is_same_set(a: &[IpAddr], b: &[IpAddr]) -> bool {
    a.len() == b.len() && a.iter().all(|address| b.contains(address))
}

struct Attach {
    node: NodeId,
    request: AttachRequest,
    host: Arc<Host>,
    /// Somebody who answered for an address that it has.
    instead: Option<Stranger>,
}

#[async_trait]
impl Job for Attach {
    type Output = Attachment;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Attachment, Error> {
        let AttachRequest { sandbox, network, endpoint, .. } = &self.request;
        // The node chose the ID: it must be nobody else's.
        let of_this = (self.node, *sandbox, *network);
        if attachments::by_id(tx, *endpoint)
            .await?
            .is_some_and(|row| (row.node, row.sandbox_id, row.network_id) != of_this)
        {
            return Err(denied::request_invalid(format!("endpoint {endpoint} is another attachment's")));
        }
        let Some(row) = networks::by_id(tx, *network).await?.filter(|row| row.scope == Scope::Swarm) else {
            return Err(Error::not_found("network of the swarm", &network.to_string()));
        };
        let wanted = validate::attachment_of_node(&self.request.sandbox_name, &row.name, &self.request.wanted)?;
        if let Some(former) = attachments::find(tx, self.node, *sandbox, *network).await? {
            if former.id == self.request.endpoint {
                return self.again(tx, former).await;
            }
            // A node that asks anew has written nothing of the former, or nothing is left of it.
            let reason = Some("its node asked anew".to_owned());
            let host = Arc::clone(&self.host);
            Release { node: self.node, endpoints: vec![former.id], reason, host }.run(tx).await?;
        }
        not_deleting(&row)?;
        check_attachable(&row.spec)?;
        let Some(ToAttach { network, pools, .. }) = networks::to_attach(tx, &[&row.name]).await?.pop() else {
            return Err(Error::not_found("network of the swarm", &row.name));
        };
        let taken = allocation::for_endpoint(tx, &network, &pools, &wanted).await?;
        let now = now();
        let revision = self.event(tx, &network, now).await?;
        let mac = self.mac(tx, &network, &wanted, &taken).await?;
        let mut given = Vec::with_capacity(taken.len());
        for one in &taken {
            given.push(self.lease(tx, &network, one, mac, revision, now).await?);
        }
        given.sort_by(allocation::by_address);
        self.write(tx, &network, mac, &given, revision, now).await?;
        Ok(answer(self.request.endpoint, &network, mac, given, revision))
    }
}

impl Attach {
    /// The one that is there, brought up to what is said of it now.
    async fn again(&self, tx: &mut WriteTx<'_>, mut row: AttachmentRow) -> Result<Attachment, Error> {
        let Some(network) = networks::by_id(tx, row.network_id).await? else {
            return Err(Error::not_found("network of the swarm", &row.network_id.to_string()));
        };
        if let Some(stranger) = &self.instead {
            row = moves::of_attachment(tx, stranger, &network, row, self.request.wanted.mac.is_some()).await?;
        }
        let mut own = leases::of_endpoints(tx, &[row.id]).await?;
        own.sort_by(allocation::by_address);
        let aliases = self.request.wanted.aliases.clone().unwrap_or_default();
        let state = self.state();
        let same = row.running == self.request.running && row.aliases == aliases;
        if !same || own.iter().any(|lease| lease.state != state) {
            let now = now();
            row.revision = self.event(tx, &network, now).await?;
            (row.running, row.aliases, row.updated_at) = (self.request.running, aliases, now);
            leases::set_state(tx, &own, state, row.revision, now);
            attachments::put(tx, &row)?;
        }
        Ok(answer(row.id, &network, row.mac, own, row.revision))
    }

    const fn state(&self) -> LeaseState {
        if self.request.running { LeaseState::Bound } else { LeaseState::Held }
    }

    async fn event(&self, tx: &mut WriteTx<'_>, network: &NetworkRow, now: Timestamp) -> Result<u64, Error> {
        let object = ObjectRef {
            kind: ObjectKind::Sandbox,
            id: self.request.sandbox.to_string(),
            name: self.request.sandbox_name.clone(),
        };
        let hostname = nodes::called(tx, self.node).await?;
        let message = format!("sandbox `{}` of node `{hostname}` attached to network `{}`", object.name, network.name);
        let event = Actor::node(self.node).event("attachment.changed", object, message, now);
        let event = on_network(event, &network.name, network.id);
        Ok(netloom_store::events::append(tx, &with(event, "node", self.node)).await?)
    }

    /// The Ethernet address: nobody on this network has it.
    async fn mac(
        &self,
        tx: &mut WriteTx<'_>,
        network: &NetworkRow,
        wanted: &WantedAttachment,
        taken: &[Taken<'_>],
    ) -> Result<MacAddr, Error> {
        if let Some(mac) = wanted.mac {
            return match attachments::with_mac(tx, network.id, mac).await? {
                None => Ok(mac),
                Some(holder) => {
                    let detail = format!(
                        "{mac} is the Ethernet address of sandbox `{}` on network `{}`",
                        holder.sandbox_name, network.name
                    );
                    Err(Error::conflict("mac-taken", detail).hint("leave `mac` out, and a free one is chosen"))
                }
            };
        }
        let derived = taken.iter().find_map(|one| match one.address {
            IpAddr::V4(address) => Some(MacAddr::from_ipv4(address)),
            IpAddr::V6(_) => None,
        });
        let mut candidate = derived.map_or_else(|| random().map(MacAddr::from_random), Ok)?;
        for _ in 0..MAC_TRIES {
            let is_free = allocation::is_free_of_links(network, candidate);
            if is_free && attachments::with_mac(tx, network.id, candidate).await?.is_none() {
                return Ok(candidate);
            }
            candidate = MacAddr::from_random(random()?);
        }
        Err(Error::new(ErrorKind::Internal, "internal", "no free Ethernet address was found"))
    }

    async fn lease(
        &self,
        tx: &mut WriteTx<'_>,
        network: &NetworkRow,
        taken: &Taken<'_>,
        mac: MacAddr,
        revision: u64,
        now: Timestamp,
    ) -> Result<LeaseRow, Error> {
        let new = NewLease {
            network,
            pool: taken.pool,
            address: taken.address,
            kind: taken.kind,
            state: self.state(),
            owner: Owner {
                kind: OwnerKind::Sandbox,
                id: Some(self.request.sandbox.to_string()),
                name: self.request.sandbox_name.clone(),
                node: self.node,
            },
            revision,
            now,
        };
        let row = LeaseRow { mac: Some(mac), endpoint_id: Some(self.request.endpoint), ..new.row()? };
        leases::insert(tx, &row).await?;
        Ok(row)
    }

    async fn write(
        &self,
        tx: &mut WriteTx<'_>,
        network: &NetworkRow,
        mac: MacAddr,
        given: &[LeaseRow],
        revision: u64,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(node) = nodes::by_id(tx, self.node).await? else {
            return Err(Error::not_found("node", &self.node.to_string()));
        };
        let row = AttachmentRow {
            id: self.request.endpoint,
            network_id: network.id,
            node: self.node,
            vtep: node.address,
            sandbox_id: self.request.sandbox,
            sandbox_name: self.request.sandbox_name.clone(),
            mac,
            addresses: given.iter().map(|lease| lease.address).collect(),
            aliases: self.request.wanted.aliases.clone().unwrap_or_default(),
            running: self.request.running,
            gone: false,
            revision,
            created_at: now,
            updated_at: now,
        };
        Ok(attachments::put(tx, &row)?)
    }
}

fn answer(endpoint: EndpointId, network: &NetworkRow, mac: MacAddr, own: Vec<LeaseRow>, revision: u64) -> Attachment {
    let lease = |row: LeaseRow| AttachedLease { id: row.id, address: row.address, pool: row.pool_key, kind: row.kind };
    Attachment { endpoint, network: network.id, mac, leases: own.into_iter().map(lease).collect(), revision }
}

/// Brings attachments up to what their node says of them.
struct Change {
    node: NodeId,
    said: Vec<HeldAttachment>,
}

#[async_trait]
impl Job for Change {
    /// What nodes must look at.
    type Output = Vec<Key>;

    async fn run(&self, tx: &mut WriteTx<'_>) -> Result<Vec<Key>, Error> {
        let ids: Vec<EndpointId> = self.said.iter().map(|one| one.endpoint).collect();
        let hostname = nodes::called(tx, self.node).await?;
        let said: BTreeMap<EndpointId, &HeldAttachment> = self.said.iter().map(|one| (one.endpoint, one)).collect();
        let (mut keys, now) = (Vec::new(), now());
        let mut leases_of: BTreeMap<EndpointId, Vec<LeaseRow>> = BTreeMap::new();
        for lease in leases::of_endpoints(tx, &ids).await? {
            if let Some(id) = lease.endpoint_id {
                leases_of.entry(id).or_default().push(lease);
            }
        }
        for row in attachments::by_ids(tx, &ids).await?.into_iter().filter(|row| row.node == self.node) {
            let Some(said) = said.get(&row.id) else { continue };
            let what = if said.running { "runs" } else { "is stopped" };
            let message = format!("sandbox `{}` of node `{hostname}` {what}", row.sandbox_name);
            let event = Actor::node(self.node).event("attachment.changed", sandbox_of(&row), message, now);
            let revision = netloom_store::events::append(tx, &with(event, "node", self.node)).await?;
            let state = if said.running { LeaseState::Bound } else { LeaseState::Held };
            let own = leases_of.remove(&row.id).unwrap_or_default();
            leases::set_state(tx, &own, state, revision, now);
            keys.extend(keys_of(&row));
            let (running, aliases) = (said.running, said.aliases.clone());
            attachments::put(tx, &AttachmentRow { running, aliases, revision, updated_at: now, ..row })?;
        }
        Ok(keys)
    }
}
