//! nftables: whether it is there, and whose chains decide about forwarded packets. Read only.

use netloom_nftables::{Base, Chain, Family, Hook, Policy, TableId};

use super::Check;
use crate::nft::{Nft, NftError};

/// Families that forwarded IP packets pass.
const FAMILIES: [Family; 3] = [Family::INET, Family::IPV4, Family::IPV6];
/// Whether the kernel has it; asked in the calling thread's namespace.
pub(super) fn support() -> Check {
    let name = "kernel feature nftables";
    match Nft::open().and_then(|mut nft| nft.generation()) {
        Ok(_) => Check::good(name, "there"),
        Err(error) => Check::warning(
            name,
            format!("can't be used: {error}; macvlan, host and none do without"),
            "needed by bridge networks: modprobe nf_tables, or a kernel with CONFIG_NF_TABLES",
        ),
    }
}

/// Foreign chains that drop what they don't know.
pub(super) fn forward_chains() -> Check {
    let name = "foreign firewall chains";
    let chains = match Nft::open().and_then(|mut nft| nft.base_chains()) {
        Ok(chains) => chains,
        // Who may not look gets EPERM; any other answer says that there is no nftables, and so no chains.
        Err(NftError::Unreadable { errno, .. }) if errno != libc::EPERM => {
            return Check::good(name, "none (no nftables here)");
        }
        Err(NftError::System { errno: libc::EPROTONOSUPPORT, .. }) => {
            return Check::good(name, "none (no nftables here)");
        }
        Err(error) => return Check::warning(name, format!("can't be looked at: {error}"), "run as root"),
    };
    let dropping: Vec<String> = chains
        .iter()
        .filter(|(table, chain)| drops_forwarded(table, chain))
        .map(|(table, chain)| format!("{table} {}", chain.name))
        .collect();
    if dropping.is_empty() {
        return Check::good(name, "none drops forwarded packets");
    }
    Check::warning(
        name,
        format!("forwarded packets are dropped unless a rule accepts them, by chain {}", dropping.join(", ")),
        "macvlan, host and none don't pass it; for bridge networks it needs a rule that accepts the packet mark 0x40000 \
         (docs/operations.md has the commands)",
    )
}

/// Whether it is a foreign chain at the forward hook of IP whose policy is drop.
fn drops_forwarded(table: &TableId, chain: &Chain) -> bool {
    let at_forward = matches!(&chain.base, Some(Base { hook: Hook::FORWARD, policy: Policy::Drop, .. }));
    at_forward && FAMILIES.contains(&table.family) && *table != netloom_plan::firewall::table()
}
