//! `/ui/networks/{network}/map`: a pool of a network, block by block.

use actix_web::HttpResponse;
use netloom_control::Error;
use netloom_control::command::GetPoolMap;
use netloom_model::map::PoolMap;
use netloom_model::net::parse_subnet;
use serde::Deserialize;

use super::network::{frame, get};
use super::text;
use super::word;
use crate::view::network_map::NetworkMapPage;
use crate::visit::Visit;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    pool: String,
    block: String,
    /// `table` for the same without a drawing.
    r#as: String,
}

/// The map.
pub async fn page(visit: Visit) -> HttpResponse {
    visit.show(show).await
}

async fn show(visit: &Visit) -> Result<NetworkMapPage, Error> {
    let network = get(visit).await?;
    let asked: Asked = visit.query()?;
    let as_table = word("?as", &asked.r#as, &["table"], |word| word)?.is_some();
    let map = match network.status.pools.is_empty() {
        true => None,
        false => Some(map(visit).await?),
    };
    Ok(NetworkMapPage::new(frame(visit, &network), &network, map.as_ref(), as_table))
}

/// The block that the query asks for, of a pool of the network that the path names.
pub(super) async fn map(visit: &Visit) -> Result<PoolMap, Error> {
    let asked: Asked = visit.query()?;
    let block = text(&asked.block).map(|block| parse_subnet("?block", &block)).transpose()?;
    let command = GetPoolMap { network: visit.segment("network"), pool: text(&asked.pool), block };
    visit.control.pool_map(visit.authorize(command)?).await
}
