//! nftables: whether it is there, and whose chains decide about forwarded packets. Read only.

use netloom_plan::foreign_chains::{DOCKER_USER, ForeignChains, ForwardChain};

use super::Check;
use crate::foreign_chains;
use crate::nft::{Nft, NftError};

/// Where the tables are listed that the older `iptables` keeps, in the calling thread's namespace; nftables does not show them.
const LEGACY: [(&str, &str); 2] = [("ip_tables_names", "iptables-legacy"), ("ip6_tables_names", "ip6tables-legacy")];

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
    let foreign_chains = match Nft::open().and_then(|mut nft| foreign_chains::look(&mut nft)) {
        Ok(around) => around.foreign_chains,
        // Who may not look gets EPERM; any other answer says that there is no nftables, and so no chains.
        Err(NftError::Unreadable { errno, .. }) if errno != libc::EPERM => {
            return Check::good(name, "none (no nftables here)");
        }
        Err(NftError::System { errno: libc::EPROTONOSUPPORT, .. }) => {
            return Check::good(name, "none (no nftables here)");
        }
        Err(error) => return Check::warning(name, format!("can't be looked at: {error}"), "run as root"),
    };
    if foreign_chains.forward.is_empty() {
        return Check::good(name, "none drops all that it does not know; rules that drop some packets are not judged");
    }
    let found = foreign_chains.forward.iter().map(|chain| found(chain, &foreign_chains)).collect::<Vec<_>>().join("; ");
    let in_the_way: Vec<&ForwardChain> =
        foreign_chains.forward.iter().filter(|chain| !chain.lets_pass && !gets_rule(chain, &foreign_chains)).collect();
    if in_the_way.is_empty() {
        return Check::good(name, found);
    }
    // Each network has a bridge of its own.
    let remedies = in_the_way.iter().map(|chain| chain.remedy("BRIDGE")).collect::<Vec<_>>().join("; ");
    Check::warning(name, found, remedies + "; macvlan, host and none don't pass these chains (docs/operations.md)")
}

/// A chain, and what becomes of it.
fn found(chain: &ForwardChain, foreign_chains: &ForeignChains) -> String {
    let what = match (chain.lets_pass, gets_rule(chain, foreign_chains)) {
        (true, _) => "lets pass what Netloom lets pass".to_owned(),
        (false, true) => format!(
            "gets one rule in {DOCKER_USER} with the first bridge network in use, unless `netloom serve` has `--coexist off`"
        ),
        (false, false) => "drops what bridge networks send beyond the host".to_owned(),
    };
    format!("{} {what}", chain.title())
}

fn gets_rule(chain: &ForwardChain, foreign_chains: &ForeignChains) -> bool {
    let of_docker = chain.table == netloom_plan::foreign_chains::docker_table(chain.table.family);
    of_docker
        && chain.name == netloom_plan::foreign_chains::FORWARD
        && foreign_chains.docker.contains(&chain.table.family)
}

/// The tables of the older `iptables`, of which only the names can be read here.
pub(super) fn legacy_tables() -> Check {
    let name = "tables of iptables-legacy";
    let has_filter = |file: &str| {
        let names = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
        names.lines().any(|table| table == "filter")
    };
    let programs: Vec<&str> = LEGACY.iter().filter(|(file, _)| has_filter(file)).map(|(_, program)| *program).collect();
    if programs.is_empty() {
        return Check::good(name, "none filters");
    }
    let commands = |arguments: &str| {
        programs.iter().map(|program| format!("`{program} {arguments}`")).collect::<Vec<_>>().join(", ")
    };
    Check::warning(
        name,
        format!("{} has a table filter, whose rules Netloom does not see", programs.join(" and ")),
        format!(
            "if its chain FORWARD drops ({} shows it), bridge networks need {}",
            commands("-S FORWARD"),
            commands("-I FORWARD -m mark --mark 0x40000/0x40000 -j ACCEPT")
        ),
    )
}
