//! Search: one text, everything that it may mean, in one snapshot. Each kind is a statement or two, whatever there is of it, and bounded; the list of
//! that kind has the rest.
//!
//! What must not live here: how a text is understood (`meaning`), networks (`networks`), what is no more (`removed`), and what never was (`refused`).

mod away;
mod meaning;
mod networks;
mod pasted;
mod refused;
mod removed;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use netloom_model::event::ObjectKind;
use netloom_model::net::{AMBIGUOUS, Ambiguous, Span};
use netloom_model::port::PublishedPort;
use netloom_model::search::{Ambiguity, Hit, HitGroup, HitKind, Reading, SearchReport};
use netloom_model::{Invalid, LeaseId, NodeId, SandboxId, invalid::Code};
use netloom_store::{
    LeaseQuery, LeaseRow, NodeQuery, NodeRow, PoolRow, ReadTx, SandboxQuery, SandboxRow, TokenQuery, access, leases,
    links, networks as stored, nodes, pools, ports, sandboxes,
};

use self::meaning::Meaning;
use crate::command::{ListAudit, ListTokens, Search};
use crate::control::Control;
use crate::error::Error;
use crate::principal::Authorized;

/// Most of one kind.
const HITS: usize = 25;
/// How many are read, so that it is known whether there are more.
const READ: u32 = 26;
/// Longest text, in bytes.
const TEXT_MAX: usize = 256;
/// Most names of tokens or nodes that are looked through.
const LOOKED_THROUGH: u32 = 1000;

impl Control {
    /// Finds objects and addresses by whatever names them: an address, a subnet or an Ethernet address in any spelling, an ID, a name or a part of
    /// it, the key of a reservation, an owner, a label, a link of the host's, a network's number in VXLAN packets, a request's ID, a URL of ours. A word such as `net:` before it asks for one kind.
    ///
    /// # Errors
    /// A text that is too long; an unreadable store.
    pub async fn search(&self, c: Authorized<Search>) -> Result<SearchReport, Error> {
        let (Search(text), context) = c.into_parts();
        let query = text.trim().to_owned();
        if query.len() > TEXT_MAX {
            let shown: String = query.chars().take(40).collect();
            let message = format!("at most {TEXT_MAX} bytes are searched for");
            return Err(Invalid::new("?q", Code::TooLong, &shown, message).into());
        }
        let meaning = Meaning::of(&query);
        let manages = self.manages();
        let may = May {
            nodes: manages,
            tokens: context.may(&ListTokens::default()),
            audit: context.may(&ListAudit::default()),
        };
        let ambiguity = meaning.ambiguous.as_ref().map(|(read, behind)| ambiguity(&query, read, behind));
        let silent = self.silent_of_swarm().await?;
        let read = self.inner.store.read(move |tx| Box::pin(async move { groups(tx, &meaning, may, &silent).await }));
        Ok(SearchReport { query, groups: read.await?, ambiguity })
    }
}

/// Why an address is not read, and what it may mean.
fn ambiguity(query: &str, read: &Ambiguous, behind: &str) -> Ambiguity {
    let reading = |numbers: &str, address: Ipv4Addr| Reading {
        numbers: numbers.to_owned(),
        address: format!("{address}{behind}"),
    };
    let octal = read.octal.filter(|octal| *octal != read.decimal);
    let readings = [Some(("decimal", read.decimal)), octal.map(|octal| ("octal", octal))];
    Ambiguity {
        message: format!("`{query}` is not searched for: {AMBIGUOUS}"),
        readings: readings.into_iter().flatten().map(|(numbers, address)| reading(numbers, address)).collect(),
    }
}

/// What is told of, beside what everybody sees.
#[derive(Clone, Copy)]
struct May {
    nodes: bool,
    tokens: bool,
    audit: bool,
}

async fn groups(
    tx: &mut ReadTx<'_>,
    meaning: &Meaning,
    may: May,
    silent: &BTreeSet<NodeId>,
) -> Result<Vec<HitGroup>, Error> {
    let mut found = vec![
        group(HitKind::Address, of_address(tx, meaning, silent).await?, false),
        group(HitKind::Lease, of_leases(tx, meaning, silent).await?, false),
        group(HitKind::Pool, of_pools(tx, meaning).await?, false),
        group(HitKind::Network, networks::hits(tx, meaning).await?, false),
        group(HitKind::Sandbox, of_sandboxes(tx, meaning).await?, false),
    ];
    found.push(group(HitKind::Away, away::hits(tx, meaning, silent).await?, false));
    let (hits, unread) = match may.nodes {
        true => of_nodes(tx, meaning).await?,
        false => (away::nodes(tx, meaning).await?, false),
    };
    found.push(group(HitKind::Node, hits, unread));
    if may.tokens {
        let (hits, unread) = of_tokens(tx, meaning).await?;
        found.push(group(HitKind::Token, hits, unread));
    }
    found.push(group(HitKind::Removed, removed::hits(tx, meaning).await?, false));
    if may.audit {
        found.push(group(HitKind::Refused, refused::hits(tx, meaning).await?, false));
    }
    found.push(group(HitKind::Request, requests::hits(tx, meaning, may.audit).await?, false));
    Ok(found.into_iter().flatten().collect())
}

/// What was found of one kind: what is named exactly first, the rest as it came, each once. `unread` says that not all were looked through.
fn group(kind: HitKind, mut hits: Vec<Hit>, unread: bool) -> Option<HitGroup> {
    hits.sort_by_key(|hit| !hit.exact);
    let mut seen = BTreeSet::new();
    // What has no ID is told from others of its name by what is said of it.
    hits.retain(|hit| seen.insert(hit.id.clone().unwrap_or_else(|| format!("{} {}", hit.name, hit.about))));
    let more = hits.len() > HITS || unread;
    hits.truncate(HITS);
    (!hits.is_empty()).then_some(HitGroup { kind, hits, more })
}

/// The address itself: it is there whether or not somebody has it.
async fn of_address(tx: &mut ReadTx<'_>, meaning: &Meaning, silent: &BTreeSet<NodeId>) -> Result<Vec<Hit>, Error> {
    let Some(address) = meaning.address.filter(|_| meaning.only.is_none()) else { return Ok(Vec::new()) };
    let pool = pools::containing(tx, address).await?;
    let lease = leases::by_address(tx, address).await?;
    let of_manager = match &pool {
        Some((pool, _)) => stored::by_id(tx, pool.network_id).await?.is_some_and(|row| row.is_replica(tx.node())),
        None => false,
    };
    let place =
        |(pool, network): &(PoolRow, String)| format!("in pool `{}` ({}) of `{network}`", pool.key, pool.subnet);
    let about = match (&lease, &pool) {
        (Some(lease), _) => format!("{}, on `{}`", holder(lease, silent), lease.network_name),
        (None, Some(pool)) if of_manager => match away::holder(tx, pool.0.network_id, address, silent).await? {
            Some(holder) => format!("{holder}, {}", place(pool)),
            None => format!("not held on this host, {}", place(pool)),
        },
        (None, Some(pool)) => format!("free, {}", place(pool)),
        (None, None) => "in no pool".to_owned(),
    };
    let network = pool.map(|(_, network)| network);
    Ok(vec![Hit { name: address.to_string(), id: None, network, about, exact: true }])
}

fn holder(lease: &LeaseRow, silent: &BTreeSet<NodeId>) -> String {
    let key = lease.key.as_deref().filter(|key| *key != lease.owner.name);
    let of = key.map(|key| format!(", key `{key}`")).unwrap_or_default();
    let silent = if silent.contains(&lease.owner.node) { ", whose node is silent" } else { "" };
    format!("{} of {} `{}`{of}{silent}", lease.kind.as_str(), lease.owner.kind.as_str(), lease.owner.name)
}

async fn of_leases(tx: &mut ReadTx<'_>, meaning: &Meaning, silent: &BTreeSet<NodeId>) -> Result<Vec<Hit>, Error> {
    if !meaning.wants(HitKind::Lease) {
        return Ok(Vec::new());
    }
    let query = LeaseQuery { limit: READ, ..LeaseQuery::default() };
    let mut rows: Vec<(LeaseRow, bool)> = Vec::new();
    if let Some(address) = meaning.address.filter(|_| meaning.only.is_some()) {
        rows.extend(leases::by_address(tx, address).await?.map(|row| (row, true)));
    }
    if let Some(id) = meaning.id.as_deref().and_then(|id| id.parse::<LeaseId>().ok()) {
        rows.extend(leases::by_id(tx, id).await?.map(|row| (row, true)));
    }
    let mut wanted = Vec::new();
    if let Some(mac) = meaning.mac {
        wanted.push((LeaseQuery { mac: Some(mac), ..query.clone() }, true));
    }
    if let Some(begin) = &meaning.mac_begin {
        wanted.push((LeaseQuery { mac_begin: Some(begin.clone()), ..query.clone() }, false));
    }
    if let Some(subnet) = meaning.subnet {
        wanted.push((LeaseQuery { within: Some(Span::of(subnet)), ..query.clone() }, false));
    }
    if let Some(text) = &meaning.text {
        wanted.push((LeaseQuery { key_in_any_case: Some(text.clone()), ..query.clone() }, true));
        wanted.push((LeaseQuery { owner: Some(text.clone()), ..query }, false));
    }
    for (query, exact) in wanted {
        rows.extend(leases::list(tx, &query).await?.into_iter().map(|row| (row, exact)));
    }
    let hit = |(row, exact): (LeaseRow, bool)| Hit {
        name: row.address.to_string(),
        id: Some(row.id.to_string()),
        about: match row.mac {
            Some(mac) => format!("{}, {mac}", holder(&row, silent)),
            None => holder(&row, silent),
        },
        network: Some(row.network_name),
        exact,
    };
    Ok(rows.into_iter().map(hit).collect())
}

async fn of_pools(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<Vec<Hit>, Error> {
    let asked = match (meaning.subnet, meaning.address.filter(|_| meaning.only.is_some())) {
        (Some(subnet), _) => Span::of(subnet),
        (None, Some(address)) => Span { low: address, high: address },
        (None, None) => return Ok(Vec::new()),
    };
    if !meaning.wants(HitKind::Pool) {
        return Ok(Vec::new());
    }
    let mut rows = pools::overlapping(tx, asked).await?;
    rows.retain(|(pool, _)| is_of_family(pool, asked.low));
    rows.sort_by_key(|(pool, _)| meaning.subnet != Some(pool.subnet));
    rows.truncate(HITS + 1);
    let hit = |(pool, network): (PoolRow, String)| Hit {
        name: pool.subnet.to_string(),
        id: None,
        about: format!("pool `{}` of `{network}`", pool.key),
        exact: meaning.subnet.map_or(meaning.address.is_some(), |subnet| subnet == pool.subnet),
        network: Some(network),
    };
    Ok(rows.into_iter().map(hit).collect())
}

fn is_of_family(pool: &PoolRow, address: IpAddr) -> bool {
    pool.subnet.network().is_ipv4() == address.is_ipv4()
}

async fn of_sandboxes(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<Vec<Hit>, Error> {
    if !meaning.wants(HitKind::Sandbox) {
        return Ok(Vec::new());
    }
    let query = SandboxQuery { limit: READ, ..SandboxQuery::default() };
    let (mut rows, mut why): (Vec<(SandboxRow, bool)>, _) = (Vec::new(), BTreeMap::new());
    if let Some(id) = meaning.id.as_deref().and_then(|id| id.parse::<SandboxId>().ok()) {
        rows.extend(sandboxes::by_id(tx, id).await?.map(|row| (row, true)));
    }
    if let Some(label) = &meaning.label {
        let labelled = sandboxes::list(tx, &SandboxQuery { labels: vec![label.clone()], ..query.clone() }).await?;
        rows.extend(labelled.into_iter().map(|row| (row, false)));
    }
    if let Some(text) = &meaning.text {
        rows.extend(sandboxes::by_name(tx, text).await?.map(|row| (row, true)));
        let like = sandboxes::list(tx, &SandboxQuery { text: Some(text.clone()), ..query }).await?;
        rows.extend(like.into_iter().map(|row| (row, false)));
    }
    if let Some(text) = &meaning.text {
        let at_port = links::sandboxes(tx, text).await?;
        why.extend(at_port.iter().map(|id| (*id, format!("behind link `{text}`"))));
        rows.extend(sandboxes::by_ids(tx, &at_port).await?.into_iter().map(|row| (row, true)));
    }
    if let Some(port) = meaning.port {
        let publishing = ports::publishing(tx, port, READ).await?;
        let ids: Vec<SandboxId> = publishing.iter().map(|(id, _)| *id).collect();
        rows.extend(sandboxes::by_ids(tx, &ids).await?.into_iter().map(|row| (row, false)));
        why.extend(publishing.into_iter().map(|(id, port)| (id, format!("publishes {}", published(&port)))));
    }
    let hit = |(row, exact): (SandboxRow, bool)| {
        let on: Vec<String> = row.spec.networks.iter().flatten().map(|(network, _)| format!("`{network}`")).collect();
        let on = if on.is_empty() { "on no network".to_owned() } else { format!("on {}", on.join(", ")) };
        let about: Vec<String> = why.get(&row.id).cloned().into_iter().chain([on]).collect();
        let about = about.join(", ");
        Hit { name: row.name, id: Some(row.id.to_string()), network: None, about, exact }
    };
    Ok(rows.into_iter().map(hit).collect())
}

/// A published port, or a run of them, as it is seen from outside: `8080/tcp`, `9000-9009/udp`.
fn published(port: &PublishedPort) -> String {
    let last = port.published.saturating_add(port.count.saturating_sub(1));
    let run = if last > port.published { format!("-{last}") } else { String::new() };
    format!("{}{run}/{}", port.published, port.protocol.as_str())
}

/// Whether there are more than are looked through; the one too many is taken out.
fn cut<T>(rows: &mut Vec<T>) -> bool {
    let most = usize::try_from(LOOKED_THROUGH).unwrap_or(usize::MAX);
    let unread = rows.len() > most;
    rows.truncate(most);
    unread
}

async fn of_nodes(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<(Vec<Hit>, bool), Error> {
    let asked = meaning.label.is_some() || meaning.text.is_some() || meaning.id.is_some() || meaning.address.is_some();
    if !asked || !meaning.wants(HitKind::Node) {
        return Ok((Vec::new(), false));
    }
    let labels = meaning.label.iter().cloned().collect();
    let mut rows = nodes::list(tx, &NodeQuery { labels, limit: LOOKED_THROUGH + 1, ..NodeQuery::default() }).await?;
    let unread = cut(&mut rows);
    let id = meaning.id.as_deref().and_then(|id| id.parse::<NodeId>().ok());
    let hit = |row: NodeRow| {
        let named = is_like(&row.hostname, meaning.text.as_deref());
        let exact = id == Some(row.id) || meaning.address == Some(row.address) || named == Some(true);
        let about = format!("{}, {}", row.role.as_str(), row.address);
        (exact || named.is_some() || meaning.label.is_some()).then(|| Hit {
            name: row.hostname,
            id: Some(row.id.to_string()),
            network: None,
            about,
            exact,
        })
    };
    Ok((rows.into_iter().filter_map(hit).collect(), unread))
}

async fn of_tokens(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<(Vec<Hit>, bool), Error> {
    if !meaning.wants(HitKind::Token) || (meaning.text.is_none() && meaning.id.is_none()) {
        return Ok((Vec::new(), false));
    }
    let query = TokenQuery { limit: LOOKED_THROUGH + 1, ..TokenQuery::default() };
    let mut rows = access::list_tokens(tx, &query).await?;
    let unread = cut(&mut rows);
    let hits = rows.into_iter().filter_map(|row| {
        let id = row.id.to_string();
        let named = is_like(&row.name, meaning.text.as_deref());
        let exact = meaning.id.as_deref() == Some(&id) || named == Some(true);
        let about = format!("{} of role {}", ObjectKind::Token.as_str(), row.role.as_str());
        (exact || named.is_some()).then_some(Hit { name: row.name, id: Some(id), network: None, about, exact })
    });
    Ok((hits.collect(), unread))
}

/// Whether a name is this text (true) or has it in it (false); nothing where it has not.
fn is_like(name: &str, text: Option<&str>) -> Option<bool> {
    let text = text?;
    let has = name.to_ascii_lowercase().contains(&text.to_ascii_lowercase());
    has.then_some(name == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(name: &str, exact: bool) -> Hit {
        Hit { name: name.to_owned(), id: None, network: None, about: String::new(), exact }
    }

    #[test]
    fn what_is_named_exactly_comes_first_and_nothing_twice() {
        let found = group(HitKind::Network, vec![hit("web-2", false), hit("web", true), hit("web", false)], false)
            .expect("hits");
        let names: Vec<(&str, bool)> = found.hits.iter().map(|hit| (hit.name.as_str(), hit.exact)).collect();
        assert_eq!(names, [("web", true), ("web-2", false)]);
        assert!(!found.more);
        assert_eq!(group(HitKind::Network, Vec::new(), true), None);
    }

    #[test]
    fn there_are_more_where_one_more_was_read() {
        let many = (0..=HITS).map(|n| hit(&n.to_string(), false)).collect();
        let found = group(HitKind::Sandbox, many, false).expect("hits");
        assert_eq!((found.hits.len(), found.more), (HITS, true));
        assert!(group(HitKind::Node, vec![hit("web", true)], true).expect("a hit").more, "not all were looked through");
        let mut rows: Vec<u32> = (0..=LOOKED_THROUGH).collect();
        assert!(cut(&mut rows) && !cut(&mut rows));
    }

    #[test]
    fn a_part_of_a_name_is_enough() {
        assert_eq!(is_like("Machine2", Some("machine")), Some(false));
        assert_eq!(is_like("ci", Some("ci")), Some(true));
        assert_eq!(is_like("ci", Some("x")), None);
        assert_eq!(is_like("ci", None), None);
    }
}
