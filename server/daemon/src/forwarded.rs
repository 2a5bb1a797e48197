//! The way from the wire to this host's own API, for what nodes hand on: a listener that this program alone reaches, without a name in the file system.

use std::any::Any;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use actix_web::dev::Extensions;
use anyhow::Context as _;
use async_trait::async_trait;
use netloom_api::forward::{FromNodes, NODE, goes};
use netloom_control::members::{Forwarded, ForwardedAnswer};
use netloom_model::NodeId;
use netloom_swarm::{Api, forwarded};
use tokio::net::UnixStream;

/// This host's API, by its own listener.
pub(crate) struct OwnApi {
    /// Where: the name of an abstract socket.
    name: String,
}

/// Listens under a name that nobody else knows; and who speaks to that.
///
/// # Errors
/// When the kernel gives no socket.
pub(crate) fn listen() -> anyhow::Result<(UnixListener, OwnApi)> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the kernel gives no randomness: {error}"))?;
    let name = format!("netloom-forwarded-{:032x}", u128::from_be_bytes(bytes));
    let address = SocketAddr::from_abstract_name(&name).context("the name of a socket")?;
    let listener = UnixListener::bind_addr(&address).context("cannot listen for what nodes hand on")?;
    listener.set_nonblocking(true)?;
    Ok((listener, OwnApi { name }))
}

/// Marks the connections of this program. Another's, if it found the name, is one as from anywhere: it needs a token, and names no node.
pub(crate) fn remember_own(io: &dyn Any, data: &mut Extensions) {
    let peer = io.downcast_ref::<UnixStream>().and_then(|stream| stream.peer_cred().ok());
    if peer.and_then(|peer| peer.pid()).is_some_and(|pid| u32::try_from(pid) == Ok(std::process::id())) {
        data.insert(FromNodes);
    }
}

#[async_trait]
impl Api for OwnApi {
    async fn answer(&self, node: NodeId, mut request: Forwarded) -> Result<ForwardedAnswer, String> {
        request.headers.retain(|(name, _)| goes(name));
        request.headers.push((NODE.to_string(), node.to_string().into_bytes()));
        let stream = UnixStream::connect(format!("\0{}", self.name)).await.map_err(|error| error.to_string())?;
        forwarded::ask(stream, request).await
    }
}
