//! What somebody may break of the marks of links of ours.

use super::{Damage, Place, ours, rows};
use crate::host::Host;

/// What `ip link` says of the group that links of ours are in.
const GROUP: &str = "group 28268";

/// What may be broken of the marks of the links that [`set_up`](super::set_up) made, one thing at a time: a link that lost all of them is nobody's.
///
/// # Panics
/// When they are not there.
pub fn of_marks(host: &Host) -> Vec<Damage> {
    let bridge = ours(host, "type bridge");
    let mut all = rows(
        &Place::Host,
        [&bridge, &ours(host, "type veth")],
        &[
            ("group of the bridge changed", "ip link set $1 group default", "ip -o link show $1", GROUP),
            ("alias of the bridge changed", "ip link set $1 alias mine", "ip link show $1", "alias netloom:net_"),
            (
                "group of a port changed, and it isolated",
                "ip link set $2 group default && bridge link set dev $2 isolated on",
                "ip -o link show $2 | grep -q 'group 28268' && bridge -d link show dev $2",
                "isolated off",
            ),
            ("alias of a port changed", "ip link set $2 alias mine", "ip link show $2", "alias netloom:ept_"),
            ("port without an alias", "ip link set $2 alias ''", "ip link show $2", "alias netloom:ept_"),
            (
                "marks of a port taken away",
                "ip link set $2 group default && ip link set $2 alias mine",
                "ip link show $2 | grep 'alias netloom:ept_' && ip link show $2",
                GROUP,
            ),
        ],
    );
    all.extend(rows(
        &Place::Host,
        [&ours(host, "type macvlan"), ""],
        &[("group of the shim changed", "ip link set $1 group default", "ip -o link show $1", GROUP)],
    ));
    all.extend(rows(
        &Place::Namespace(host.netns("b")),
        ["", ""],
        &[
            ("group of a link changed", "ip link set eth0 group default", "ip -o link show eth0", GROUP),
            ("alias of a link changed", "ip link set eth0 alias mine", "ip link show eth0", "alias netloom:ept_"),
            (
                "marks of a link taken away",
                "ip link set eth0 group default && ip link set eth0 alias mine",
                "ip link show eth0 | grep 'alias netloom:ept_' && ip link show eth0 && ip -o route",
                "default via 10.160.0.1",
            ),
        ],
    ));
    all.extend(rows(
        &Place::Namespace(host.netns("m")),
        ["", ""],
        &[
            ("group of a macvlan changed", "ip link set eth0 group default", "ip -o link show eth0", GROUP),
            ("alias of a macvlan changed", "ip link set eth0 alias mine", "ip link show eth0", "alias netloom:ept_"),
        ],
    ));
    all
}
