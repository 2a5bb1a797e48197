//! What is found by the name of a link of the host's: the networks that are on it, and the sandbox whose port it is. What must not live here: what links are called (model).

use netloom_model::host_link::{Named, named};
use netloom_model::{NetworkId, SandboxId};

use crate::column;
use crate::error::Error;
use crate::tx::{ReadTx, sql};

/// Comes after every character of an ID.
const AFTER: char = '~';

/// The networks on the link of this name: as their parent, as a bridge that was named so, or as a link of ours.
pub async fn networks(tx: &mut ReadTx<'_>, link: &str, limit: u32) -> Result<Vec<NetworkId>, Error> {
    let own = match named(link) {
        Some(Named::Network(begin)) => begin,
        // No ID begins so.
        _ => AFTER.to_string(),
    };
    let statement = sql("SELECT id FROM network WHERE parent = $1
        UNION SELECT id FROM network WHERE json_extract(spec, '$.bridge.interface_name') = $1
        UNION SELECT id FROM network WHERE id >= $2 AND id < $3 LIMIT $4");
    let statement = statement.bind(link.to_owned()).bind(own.clone()).bind(format!("{own}{AFTER}"));
    tx.rows(statement.bind(column::limit(limit)), |c| c.parsed()).await
}

/// The sandbox at the other end of the link of this name, where it is an endpoint's pair.
pub async fn sandboxes(tx: &mut ReadTx<'_>, link: &str) -> Result<Vec<SandboxId>, Error> {
    let Some(Named::Endpoint(begin)) = named(link) else { return Ok(Vec::new()) };
    let statement = sql("SELECT DISTINCT sandbox_id FROM endpoint WHERE id >= $1 AND id < $2");
    tx.rows(statement.bind(begin.clone()).bind(format!("{begin}{AFTER}")), |c| c.parsed()).await
}
