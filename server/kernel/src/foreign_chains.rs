//! Firewalls of others on the host, by netlink: what their forward chains do with what our table let pass, and our one rule among
//! Docker's.
//!
//! Nothing else in others' tables is ever written. What must not live here: whether the rule is wanted (`plan`), and our own table
//! (`firewall`).

pub(crate) mod hear;

use std::collections::BTreeSet;

use netloom_nftables::rule::{DumpedRule, Position};
use netloom_nftables::{Base, Batch, Chain, Family, Hook, Policy, TableId, reading};
use netloom_plan::firewall::table;
use netloom_plan::foreign_chains::{
    DOCKER_USER, FORWARD, Fate, ForeignChains, ForwardChain, PassRule, docker_table, fate, is_pass_rule, made_by,
};
use netloom_plan::object::{Object, Operation};

use crate::firewall::UNKNOWN;
use crate::nft::{Nft, NftError};
pub(crate) use hear::Ears;

/// Families whose chains forwarded IP packets pass.
const FAMILIES: [Family; 3] = [Family::INET, Family::IPV4, Family::IPV6];
/// Families that `iptables` has tables of.
const IPTABLES: [Family; 2] = [Family::IPV4, Family::IPV6];

/// What was seen around our table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Around {
    /// Our rule, where it is.
    pub(crate) rules: Vec<PassRule>,
    /// Others' chains.
    pub(crate) foreign_chains: ForeignChains,
    /// The chains that all this was read from, by table: a change elsewhere changes nothing of it.
    pub(crate) read: BTreeSet<(TableId, String)>,
}

/// Looks around. The calling thread must be in the namespace of the socket.
pub(crate) fn look(nft: &mut Nft) -> Result<Around, NftError> {
    let mut around = Around::default();
    let chains = nft.all_chains()?;
    for (table_id, chain) in chains.iter().filter(|(table_id, chain)| is_foreign_forward(table_id, chain)) {
        let Some(base) = &chain.base else { continue };
        let mut passed = BTreeSet::new();
        let fate = fate(&chain.name, base.priority, &mut |name| rules_in(nft, table_id, name), &mut passed)?;
        let drops_undecided = base.policy == Policy::Drop;
        if drops_undecided || fate == Fate::Dropped {
            let lets_pass = fate == Fate::Accepted || (fate == Fate::Undecided && !drops_undecided);
            around.foreign_chains.forward.push(ForwardChain {
                table: table_id.clone(),
                name: chain.name.clone(),
                priority: base.priority,
                by_policy: drops_undecided,
                lets_pass,
                made_by: made_by(table_id, &chain.name, &passed),
                links: if lets_pass { BTreeSet::new() } else { links(nft, table_id)? },
            });
        }
        around.read.extend(passed.into_iter().map(|name| (table_id.clone(), name)));
    }
    let is_there =
        |family, name: &str| chains.iter().any(|(of, chain)| *of == docker_table(family) && chain.name == name);
    for family in IPTABLES.into_iter().filter(|family| is_there(*family, DOCKER_USER)) {
        let table_id = docker_table(family);
        around.rules.extend(PassRule::found(family, &rules_in(nft, &table_id, DOCKER_USER)?));
        around.read.insert((table_id.clone(), DOCKER_USER.to_owned()));
        let drops = |chain: &ForwardChain| chain.table == table_id && chain.name == FORWARD && chain.by_policy;
        if around.foreign_chains.forward.iter().any(drops) && !is_owned(nft, &table_id)? {
            around.foreign_chains.docker.insert(family);
        }
    }
    Ok(around)
}

/// Whether a chain is somebody else's at the forward hook of IP.
fn is_foreign_forward(table_id: &TableId, chain: &Chain) -> bool {
    let at_forward = matches!(&chain.base, Some(Base { hook: Hook::FORWARD, .. }));
    at_forward && FAMILIES.contains(&table_id.family) && *table_id != table()
}

/// The rules of one chain; none where it went since.
fn dumped_in(nft: &mut Nft, table_id: &TableId, chain: &str) -> Result<Vec<DumpedRule>, NftError> {
    let mut rules = nft.rules_in(table_id, chain)?;
    rules.retain(|rule| rule.chain == chain);
    Ok(rules)
}

fn rules_in(nft: &mut Nft, table_id: &TableId, chain: &str) -> Result<Vec<netloom_nftables::Rule>, NftError> {
    Ok(dumped_in(nft, table_id, chain)?.into_iter().map(|dumped| dumped.rule).collect())
}

/// The links that rules of a table are about.
fn links(nft: &mut Nft, table_id: &TableId) -> Result<BTreeSet<reading::LinkName>, NftError> {
    Ok(nft.rules(table_id)?.iter().flat_map(|dumped| reading::links(&dumped.rule)).collect())
}

/// Whether only the process that made a table may change it.
fn is_owned(nft: &mut Nft, table_id: &TableId) -> Result<bool, NftError> {
    Ok(nft.tables()?.iter().any(|found| found.id == *table_id && found.owner.is_some()))
}

/// Brings our rule to what an operation wants, in one transaction. Docker may rewrite its chains meanwhile: where the chain or the rule is gone
/// by then it is looked at again, and without the chain there is nothing to do.
pub(crate) fn apply(nft: &mut Nft, operation: &Operation) -> Result<(), NftError> {
    let Object::PassRule(rule) = operation.object() else { return Ok(()) };
    place(nft, rule.family, !matches!(operation, Operation::Delete(_)))
}

/// How often a change that others' changes broke into is made again.
const TRIES: usize = 5;

fn place(nft: &mut Nft, family: Family, wanted: bool) -> Result<(), NftError> {
    let table_id = docker_table(family);
    let mut outcome = Ok(());
    for _ in 0..TRIES {
        if !nft.all_chains()?.iter().any(|(of, chain)| *of == table_id && chain.name == DOCKER_USER) {
            return Ok(());
        }
        let mut batch = Batch::new();
        for dumped in dumped_in(nft, &table_id, DOCKER_USER)?.iter().filter(|dumped| is_pass_rule(&dumped.rule)) {
            batch.delete_rule(&table_id, DOCKER_USER, dumped.handle);
        }
        if wanted {
            batch.add_rule(&table_id, DOCKER_USER, Position::First, &PassRule::rule());
        }
        outcome = nft.transact(&batch).map(drop);
        if !outcome.as_ref().is_err_and(NftError::is_absent) {
            break;
        }
    }
    outcome
}

/// Our rule, in whichever families' tables it is: for `purge`.
pub(crate) fn left_over() -> Result<Vec<PassRule>, NftError> {
    let found = Nft::open().and_then(|mut nft| {
        let found = IPTABLES
            .map(|family| Ok(PassRule::found(family, &rules_in(&mut nft, &docker_table(family), DOCKER_USER)?)));
        found.into_iter().collect::<Result<Vec<_>, _>>()
    });
    match found {
        Err(error) if error.is(UNKNOWN) => Ok(Vec::new()),
        found => Ok(found?.into_iter().flatten().collect()),
    }
}

/// Takes our rule out of a family's table.
pub(crate) fn remove(family: Family) -> Result<(), NftError> {
    place(&mut Nft::open()?, family, false)
}
