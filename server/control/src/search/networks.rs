//! Networks, by name, ID, label, by the link of the host's that they are on, or by their number in VXLAN packets. What must not live here: their pools.

use netloom_model::search::{Hit, HitKind};
use netloom_model::{NetworkId, host_link};
use netloom_store::{NetworkQuery, NetworkRow, ReadTx, links, networks, pools};

use super::READ;
use super::meaning::Meaning;
use crate::error::Error;

pub(super) async fn hits(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<Vec<Hit>, Error> {
    if !meaning.wants(HitKind::Network) {
        return Ok(Vec::new());
    }
    let rows = found(tx, meaning).await?;
    let ids: Vec<NetworkId> = rows.iter().map(|(row, _)| row.id).collect();
    let pools = pools::of_networks(tx, &ids).await?;
    let hit = |(row, exact): (NetworkRow, bool)| {
        let of = pools.iter().filter(|pool| pool.network_id == row.id).map(|pool| pool.subnet.to_string());
        let words: Vec<String> = [row.driver.as_str().to_owned()].into_iter().chain(of).chain(places(&row)).collect();
        Hit { name: row.name, id: Some(row.id.to_string()), network: None, about: words.join(", "), exact }
    };
    Ok(rows.into_iter().map(hit).collect())
}

async fn found(tx: &mut ReadTx<'_>, meaning: &Meaning) -> Result<Vec<(NetworkRow, bool)>, Error> {
    let query = NetworkQuery { limit: READ, ..NetworkQuery::default() };
    let mut rows: Vec<(NetworkRow, bool)> = Vec::new();
    if let Some(id) = meaning.id.as_deref().and_then(|id| id.parse::<NetworkId>().ok()) {
        rows.extend(networks::by_id(tx, id).await?.map(|row| (row, true)));
    }
    if let Some(label) = &meaning.label {
        let labelled = networks::list(tx, &NetworkQuery { labels: vec![label.clone()], ..query.clone() }).await?;
        rows.extend(labelled.into_iter().map(|row| (row, false)));
    }
    if let Some(vni) = meaning.vni {
        // A number alone may be a port as well.
        let exact = meaning.only == Some(HitKind::Network);
        rows.extend(networks::by_vni(tx, vni).await?.map(|row| (row, exact)));
    }
    if let Some(text) = &meaning.text {
        rows.extend(networks::by_name(tx, text).await?.map(|row| (row, true)));
        let on_link = links::networks(tx, text, READ).await?;
        // A bridge is one network's; on a parent there may be several.
        let is_own = |row: &NetworkRow| row.parent.as_deref() != Some(text);
        rows.extend(
            networks::by_ids(tx, &on_link)
                .await?
                .into_iter()
                .map(|row| (is_own(&row), row))
                .map(|(own, row)| (row, own)),
        );
        let like = networks::list(tx, &NetworkQuery { text: Some(text.clone()), ..query }).await?;
        rows.extend(like.into_iter().map(|row| (row, false)));
    }
    Ok(rows)
}

/// Where it is to be seen on a host: its link there, its number in packets.
fn places(row: &NetworkRow) -> impl Iterator<Item = String> {
    let link = host_link::carrier(row.id, &row.spec).map(|link| match row.spec.parent() {
        Some(_) => format!("on `{link}`"),
        None => format!("bridge `{link}`"),
    });
    link.filter(|_| !row.predefined).into_iter().chain(row.vni.map(|vni| format!("VNI {vni}")))
}
