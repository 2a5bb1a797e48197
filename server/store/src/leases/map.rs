//! How many leases there are in blocks of addresses, and between which addresses: from the index of addresses alone.
//!
//! No two pools share an address, so that a block in a pool says of which network the leases are.

use std::net::IpAddr;

use netloom_model::net::{Span, to_number};

use crate::column;
use crate::error::Error;
use crate::tx::{ReadTx, sql};

/// How many addresses of each of these blocks have a lease, in their order. One statement, which goes over the leases in them once.
pub async fn counted(tx: &mut ReadTx<'_>, blocks: &[Span]) -> Result<Vec<u64>, Error> {
    // JSON has no bytes: each block is its two ends in 64 hexadecimal digits.
    let ends = |span: &Span| format!("{:032x}{:032x}", to_number(span.low), to_number(span.high));
    let blocks: Vec<String> = blocks.iter().map(ends).collect();
    let statement = sql("SELECT (SELECT COUNT(*) FROM lease AS l
            WHERE l.address BETWEEN unhex(substr(b.value, 1, 32)) AND unhex(substr(b.value, 33)))
        FROM json_each($1) AS b ORDER BY b.key");
    tx.rows(statement.bind(column::list(&blocks)), |c| c.count()).await
}

/// The lowest and the highest address of a block that have a lease.
pub async fn ends(tx: &mut ReadTx<'_>, block: Span) -> Result<Option<(IpAddr, IpAddr)>, Error> {
    let statement = sql("SELECT low.address, high.address
        FROM (SELECT address FROM lease WHERE address BETWEEN $1 AND $2 ORDER BY address LIMIT 1) AS low
        CROSS JOIN (SELECT address FROM lease WHERE address BETWEEN $1 AND $2 ORDER BY address DESC LIMIT 1) AS high");
    let statement = statement.bind(column::address(block.low)).bind(column::address(block.high));
    tx.row(statement, |c| Ok((c.address()?, c.address()?))).await
}
