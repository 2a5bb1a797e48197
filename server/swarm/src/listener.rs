//! A manager's listener: it stands while this host manages the swarm. A renewed certificate is shown to the next connection; those that
//! are there go on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use netloom_control::members::{Manager, Membership};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::connection;
use crate::doors::Doors;
use crate::forwarded::Api;
use crate::identity::{changed, same};
use crate::options::Options;
use crate::routes::Shared;
use crate::tls;

/// How long to wait when no connection can be taken: no more files may be open, and the like.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Listens until this host is not the manager of that swarm any more. Then every connection is cut.
pub(crate) async fn run(
    (manager, api): &(Arc<dyn Manager>, Arc<dyn Api>),
    memberships: &mut watch::Receiver<Option<Membership>>,
    own: Membership,
    options: &Options,
) {
    let shared = Arc::new(Shared {
        manager: manager.clone(),
        api: api.clone(),
        doors: Doors::new(&options.limits),
        options: options.clone(),
        ca: own.ca.clone(),
    });
    let mut connections = JoinSet::new();
    let mut own = own;
    while let Some(next) = at(&shared, memberships, &own, &mut connections).await {
        own = next;
    }
}

/// Listens where the membership says, until it says otherwise; what it says then.
async fn at(
    shared: &Arc<Shared>,
    memberships: &mut watch::Receiver<Option<Membership>>,
    own: &Membership,
    connections: &mut JoinSet<()>,
) -> Option<Membership> {
    let address = address(shared.options.listen, own.manager);
    let listener = tokio::select! {
        listener = bound(address, shared.options.waits.listen) => listener,
        () = changed(memberships, own) => return same(memberships.borrow().as_ref(), own),
    };
    tracing::info!("nodes of the swarm are listened for at {address}");
    let mut own = own.clone();
    loop {
        let config = match tls::server(&own) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(%error, "nodes can't be listened for");
                changed(memberships, &own).await;
                return same(memberships.borrow().as_ref(), &own);
            }
        };
        take(shared, &listener, config, connections, changed(memberships, &own)).await;
        let now = same(memberships.borrow().as_ref(), &own)?;
        if now.manager != own.manager {
            return Some(now);
        }
        own = now;
    }
}

/// Takes connections until something comes to pass.
async fn take(
    shared: &Arc<Shared>,
    listener: &TcpListener,
    config: Arc<ServerConfig>,
    connections: &mut JoinSet<()>,
    until: impl Future<Output = ()>,
) {
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let from = from.ip().to_canonical();
                    connections.spawn(connection::serve(stream, from, config.clone(), shared.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection of a node can't be taken");
                    sleep(ACCEPT_AGAIN).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Where to listen for nodes that are told to come to an address.
fn address(listen: Option<IpAddr>, advertised: SocketAddr) -> SocketAddr {
    let any = || match advertised {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(listen.unwrap_or_else(any), advertised.port())
}

/// The listener. A port that is taken is waited for: workers wait for the manager, too.
async fn bound(address: SocketAddr, again: Duration) -> TcpListener {
    let mut told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if !told => {
                tracing::error!(%error, "nodes can't be listened for at {address}; tried again until it works");
                told = true;
            }
            Err(_) => {}
        }
        sleep(again).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_listened_on_unless_one_is_said() {
        let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (listen, advertised, wanted) in [
            (None, "192.0.2.1:2377", "0.0.0.0:2377"),
            (None, "[2001:db8::1]:2377", "[::]:2377"),
            (Some("127.0.0.1"), "192.0.2.1:3377", "127.0.0.1:3377"),
        ] {
            let listen = listen.map(|text: &str| text.parse().unwrap());
            assert_eq!(address(listen, socket(advertised)), socket(wanted));
        }
    }
}
