//! A database to work on, and rows to put into it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use netloom_model::assignment::NamespaceSource;
use netloom_model::event::{ObjectKind, ObjectRef};
use netloom_model::lease::{LeaseKind, LeaseState, Owner, OwnerKind};
use netloom_model::net::{Span, from_number, parse_address, parse_span, parse_subnet, to_number};
use netloom_model::network::{Driver, NetworkSpec, Scope};
use netloom_model::sandbox::{AttachmentSpec, SandboxSpec};
use netloom_model::token::Role;
use netloom_model::{EndpointId, LeaseId, MacAddr, NetworkId, NodeId, SandboxId, Timestamp, TokenId};
use netloom_store::{
    EndpointRow, Error, LeaseRow, NetworkRow, NewEvent, PoolRow, SandboxRow, Store, TokenRow, WriteTx, free_ranges,
    leases, networks, pools,
};

/// Runs a job in the writer: `write!(store, (captured, values), tx => expression of a future's result)`.
macro_rules! write {
    ($store:expr, ($($captured:ident),*), $tx:ident => $body:expr) => {{
        $(let $captured = $captured.clone();)*
        $store.write::<_, netloom_store::Error, _>(move |$tx| {
            $(let $captured = $captured.clone();)*
            Box::pin(async move { $body })
        }).await
    }};
}
pub(crate) use write;

/// Runs a job on a snapshot.
macro_rules! read {
    ($store:expr, ($($captured:ident),*), $tx:ident => $body:expr) => {{
        $(let $captured = $captured.clone();)*
        $store.read::<_, netloom_store::Error, _>(move |$tx| Box::pin(async move { $body })).await
    }};
}
pub(crate) use read;

/// A store on a directory of its own, which goes with it.
pub(crate) async fn open() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("netloom.db")).await.unwrap();
    (directory, store)
}

/// 16 bytes that no other call gives.
pub(crate) fn unique() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 16];
    // Spread over the key space, as random IDs are.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    parse_address("/", text).unwrap()
}

pub(crate) fn span(text: &str) -> Span {
    parse_span("/", text).unwrap()
}

pub(crate) fn texts(spans: &[Span]) -> Vec<String> {
    spans.iter().map(ToString::to_string).collect()
}

pub(crate) fn network(name: &str) -> NetworkRow {
    let spec = serde_json::json!({ "name": name, "driver": "macvlan" });
    NetworkRow {
        id: NetworkId::from_random(unique()),
        name: name.into(),
        driver: Driver::Macvlan,
        scope: Scope::Local,
        node: NodeId::from_random([1; 16]),
        vni: None,
        predefined: false,
        deleting: false,
        parent: Some("parent0".into()),
        spec: serde_json::from_value::<NetworkSpec>(spec).unwrap(),
        revision: 1,
        spec_revision: 1,
        created_at: at(1_000),
        updated_at: at(1_000),
    }
}

pub(crate) fn pool(network: &NetworkRow, key: &str, subnet: &str) -> PoolRow {
    let subnet = parse_subnet("/", subnet).unwrap();
    PoolRow {
        id: 0,
        network_id: network.id,
        key: key.into(),
        position: 0,
        subnet,
        range: Span::of(subnet),
        gateway: None,
        automatic: false,
    }
}

pub(crate) fn lease(pool: &PoolRow, address: IpAddr, owner: &str) -> LeaseRow {
    LeaseRow {
        id: LeaseId::from_random(unique()),
        network_id: pool.network_id,
        pool_id: pool.id,
        scope: Scope::Local,
        address,
        mac: Some(MacAddr([2, 0x42, 0, 0, 0, 1])),
        kind: LeaseKind::Dynamic,
        state: LeaseState::Bound,
        owner: Owner {
            kind: OwnerKind::Sandbox,
            id: Some(SandboxId::from_random(unique()).to_string()),
            name: owner.into(),
            node: NodeId::from_random([1; 16]),
        },
        endpoint_id: None,
        key: None,
        spec: None,
        until: None,
        revision: 1,
        spec_revision: 1,
        created_at: at(1_000),
        updated_at: at(1_000),
        network_name: String::new(),
        pool_key: String::new(),
        prefix_length: 0,
        gateway: None,
        orphaned: None,
        fence: None,
        hostname: None,
    }
}

pub(crate) fn sandbox(name: &str) -> SandboxRow {
    SandboxRow {
        id: SandboxId::from_random(unique()),
        name: name.into(),
        namespace: NamespaceSource::Made,
        running: true,
        deleting: false,
        orphaned: None,
        spec: serde_json::from_value::<SandboxSpec>(serde_json::json!({ "name": name })).unwrap(),
        revision: 1,
        spec_revision: 1,
        created_at: at(1_000),
        updated_at: at(1_000),
    }
}

pub(crate) fn endpoint(sandbox: &SandboxRow, network: &NetworkRow, position: u32) -> EndpointRow {
    EndpointRow {
        ports: BTreeMap::new(),
        id: EndpointId::from_random(unique()),
        sandbox_id: sandbox.id,
        network_id: network.id,
        position,
        interface: Some(format!("eth{position}")),
        mac: None,
        spec: AttachmentSpec::default(),
        deleting: false,
        network_name: network.name.clone(),
        driver: network.driver,
        scope: network.scope,
        sandbox_name: sandbox.name.clone(),
    }
}

pub(crate) fn event(kind: &str, name: &str) -> NewEvent {
    NewEvent {
        kind: kind.into(),
        object: ObjectRef { kind: ObjectKind::Network, id: "net_aaaaaaaaaaaaaaaaaaaaaaaaaa".into(), name: name.into() },
        message: "it happened".into(),
        data: BTreeMap::from([("fact".into(), "value".into())]),
        actor: "admin".into(),
        request_id: Some("r1".into()),
        time: at(5_000),
    }
}

/// A network with one pool.
pub(crate) async fn network_with_pool(store: &Store, name: &str, subnet: &str) -> (NetworkRow, PoolRow) {
    let network = network(name);
    let mut pool = pool(&network, "v4", subnet);
    pool.id = write!(store, (network, pool), tx => {
        networks::insert(tx, &network).await?;
        pools::insert(tx, &pool).await
    })
    .unwrap();
    (network, pool)
}

/// Takes an address out of the free ranges, as the caller of `leases::insert` must; false when it is not free.
pub(crate) async fn take(tx: &mut WriteTx<'_>, pool_id: i64, address: IpAddr) -> Result<bool, Error> {
    let Some(run) = free_ranges::containing(tx, pool_id, address).await? else { return Ok(false) };
    let number = to_number(address);
    let mut rest = Vec::new();
    if number > to_number(run.low) {
        rest.push(Span { low: run.low, high: from_number(number - 1) });
    }
    if number < to_number(run.high) {
        rest.push(Span { low: from_number(number + 1), high: run.high });
    }
    free_ranges::replace(tx, pool_id, &[run], &rest);
    Ok(true)
}

/// Gives an address back.
pub(crate) async fn give_back(tx: &mut WriteTx<'_>, pool_id: i64, address: IpAddr) -> Result<(), Error> {
    let (below, above) = free_ranges::neighbours(tx, pool_id, Span { low: address, high: address }).await?;
    let whole = Span { low: below.map_or(address, |run| run.low), high: above.map_or(address, |run| run.high) };
    let old: Vec<Span> = below.into_iter().chain(above).collect();
    free_ranges::replace(tx, pool_id, &old, &[whole]);
    Ok(())
}

/// Leases the lowest free address of a pool, or none.
pub(crate) async fn lease_lowest(tx: &mut WriteTx<'_>, pool: &PoolRow, owner: &str) -> Result<Option<LeaseRow>, Error> {
    let of_network = pools::with_lowest_free(tx, pool.network_id).await?;
    let run = of_network.into_iter().find(|(found, _)| found.id == pool.id).and_then(|(_, run)| run);
    let Some(run) = run else { return Ok(None) };
    take(tx, pool.id, run.low).await?;
    let row = lease(pool, run.low, owner);
    leases::insert(tx, &row).await?;
    Ok(Some(row))
}

/// A token that never ends.
pub(crate) fn token(name: &str, role: Role) -> TokenRow {
    TokenRow {
        id: TokenId::from_random(unique()),
        name: name.into(),
        role,
        hash: [7; 32],
        created_at: at(1),
        expires_at: None,
        expires_given: None,
        created_by: "netloom".into(),
        revision: 0,
        last_used_at: None,
    }
}
