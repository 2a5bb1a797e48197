//! Tables `fence` and `renewal`: on a manager, nodes that were removed without a word and whose addresses on segments wait; on a worker, when its
//! place there was renewed last.

use netloom_model::NodeId;

use crate::column;
use crate::error::Error;
use crate::row::FenceRow;
use crate::tx::{ReadTx, WriteTx, sql};

/// A time of this host: a boot of it, and milliseconds since.
pub type SinceBoot = (String, u64);

/// Notes that the addresses of a node wait, and until when where that is known, in the place of what was noted of it.
pub fn set(tx: &mut WriteTx<'_>, row: &FenceRow, ends: Option<&SinceBoot>) {
    let statement =
        sql("INSERT INTO fence (node, hostname, seconds, until, boot_id, ends_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (node) DO UPDATE SET hostname = $2, seconds = $3, until = $4, boot_id = $5, ends_at = $6")
        .bind(row.node.to_string())
        .bind(row.hostname.clone())
        .bind(i64::from(row.seconds))
        .bind(row.until.millis())
        .bind(ends.map(|(boot, _)| boot.clone()))
        .bind(ends.map(|(_, at)| column::integer(*at)));
    tx.write(statement);
}

/// The addresses of a node wait no more.
pub fn remove(tx: &mut WriteTx<'_>, node: NodeId) {
    tx.write(sql("DELETE FROM fence WHERE node = $1").bind(node.to_string()));
}

/// All whose addresses wait, with when that ends.
pub async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<(FenceRow, Option<SinceBoot>)>, Error> {
    tx.rows(sql("SELECT node, hostname, seconds, until, boot_id, ends_at FROM fence ORDER BY node"), |c| {
        let row = FenceRow { node: c.parsed()?, hostname: c.plain()?, seconds: c.small()?, until: c.time()? };
        let (boot, at) = (c.plain::<Option<String>>()?, c.small_option::<u64>()?);
        Ok((row, boot.zip(at)))
    })
    .await
}

/// Notes when this node's place was renewed: in milliseconds since a boot of its host.
pub fn renew(tx: &mut WriteTx<'_>, boot: &str, at: u64) {
    let statement = sql("INSERT INTO renewal (one, boot_id, at) VALUES (1, $1, $2)
        ON CONFLICT (one) DO UPDATE SET boot_id = $1, at = $2");
    tx.write(statement.bind(boot.to_owned()).bind(column::integer(at)));
}

/// Notes nothing of when this node's place was renewed.
pub fn forget_renewal(tx: &mut WriteTx<'_>) {
    tx.write(sql("DELETE FROM renewal"));
}

/// When this node's place was renewed last, as far as that was noted: the boot of its host, and milliseconds since.
pub async fn renewal(tx: &mut ReadTx<'_>) -> Result<Option<SinceBoot>, Error> {
    tx.row(sql("SELECT boot_id, at FROM renewal"), |c| Ok((c.plain()?, c.count()?))).await
}
