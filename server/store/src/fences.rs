//! Tables `fence` and `renewal`: on a manager, nodes that were removed without a word and whose addresses on segments wait; on a worker, when its
//! place there was renewed last.

use netloom_model::NodeId;

use crate::column;
use crate::error::Error;
use crate::row::FenceRow;
use crate::tx::{ReadTx, WriteTx, sql};

/// Notes that the addresses of a node wait, in the place of what was noted of it.
pub fn set(tx: &mut WriteTx<'_>, row: &FenceRow) {
    let statement = sql("INSERT INTO fence (node, hostname, seconds, until) VALUES ($1, $2, $3, $4)
        ON CONFLICT (node) DO UPDATE SET hostname = $2, seconds = $3, until = $4")
    .bind(row.node.to_string())
    .bind(row.hostname.clone())
    .bind(i64::from(row.seconds))
    .bind(row.until.millis());
    tx.write(statement);
}

/// The addresses of a node wait no more.
pub fn remove(tx: &mut WriteTx<'_>, node: NodeId) {
    tx.write(sql("DELETE FROM fence WHERE node = $1").bind(node.to_string()));
}

/// All whose addresses wait.
pub async fn all(tx: &mut ReadTx<'_>) -> Result<Vec<FenceRow>, Error> {
    tx.rows(sql("SELECT node, hostname, seconds, until FROM fence ORDER BY node"), |c| {
        Ok(FenceRow { node: c.parsed()?, hostname: c.plain()?, seconds: c.small()?, until: c.time()? })
    })
    .await
}

/// Notes when this node's place was renewed: in milliseconds since a boot of its host.
pub fn renew(tx: &mut WriteTx<'_>, boot: &str, at: u64) {
    let statement = sql("INSERT INTO renewal (one, boot_id, at) VALUES (1, $1, $2)
        ON CONFLICT (one) DO UPDATE SET boot_id = $1, at = $2");
    tx.write(statement.bind(boot.to_owned()).bind(column::integer(at)));
}

/// When this node's place was renewed last, as far as that was noted: the boot of its host, and milliseconds since.
pub async fn renewal(tx: &mut ReadTx<'_>) -> Result<Option<(String, u64)>, Error> {
    tx.row(sql("SELECT boot_id, at FROM renewal"), |c| Ok((c.plain()?, c.count()?))).await
}
