//! What somebody may do to the nftables table of ours while no daemon owns it.

use super::{Damage, Place, ours, rows};
use crate::host::Host;

/// What may be broken of the nftables table that [`set_up`](super::set_up) made, one thing at a time, and what may be added to it: while the daemon runs it is the kernel that
/// refuses it.
///
/// # Panics
/// When they are not there.
pub fn of_table(host: &Host) -> (Vec<Damage>, Vec<Damage>) {
    let elements = host.net.json("nft -j list map inet netloom published4_all");
    assert!(elements.to_string().contains("8880"), "{elements}");
    let port = "nft list map inet netloom published4_all";
    let names = ["inet netloom", &*ours(host, "type bridge")];
    let broken = rows(
        &Place::Host,
        names,
        &[
            ("table deleted", "nft delete table $1", port, "8880"),
            ("table flushed", "nft flush table $1", "nft list chain $1 forward", "iifname"),
            (
                "table replaced",
                "nft delete table $1 && nft add table $1 && nft add chain $1 mine",
                "nft list table $1 | grep -q 'chain mine' || nft list map $1 published4_all",
                "8880",
            ),
            ("chain flushed", "nft flush chain $1 forward", "nft list chain $1 forward", "iifname"),
            (
                "rule added",
                "nft insert rule $1 forward drop",
                "nft list chain $1 forward | grep -c 'drop$' || true",
                "0",
            ),
            ("port's element deleted", "nft flush map $1 published4_all", port, "8880"),
            ("bridge's element deleted", "nft delete element $1 bridges { $2 }", "nft list set $1 bridges", "$2"),
        ],
    );
    let added = rows(
        &Place::Host,
        names,
        &[(
            "port's element added",
            "nft add element $1 published4_all { tcp . 8881 : 10.160.0.9 . 80 }",
            "nft list map $1 published4_all | grep -c 8881 || true",
            "0",
        )],
    );
    (broken, added)
}
