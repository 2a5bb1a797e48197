//! Our nftables table on the host: looked at part by part, changed in one transaction.
//!
//! One socket owns the table for the process's life. After a change of our own only what we changed is looked at again; after anybody
//! else's, everything. What must not live here: which rules there should be (`plan`), and bytes (`netloom-nftables`).

mod known;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netloom_nftables::rule::Position;
use netloom_nftables::{Batch, Element, Rule, Table};
use netloom_plan::firewall::{FilledChain, Part, SetElement, table};
use netloom_plan::object::{Object, Operation, Scope};
use nix::errno::Errno;

use crate::foreign_chains::{self, Around, Ears};
use crate::nft::{Nft, NftError};
use known::{Known, is_of_ports};

/// How often a look that others' changes broke into is made again.
const TRIES: usize = 5;
/// What a kernel without nf_tables answers: there is no table then, and nothing to look at.
pub(crate) const UNKNOWN: &[Errno] = &[Errno::EPROTONOSUPPORT, Errno::EOPNOTSUPP, Errno::EINVAL];

/// The host's table, for who is in the host's namespace.
#[derive(Default)]
pub(crate) struct Firewall {
    state: Mutex<State>,
    /// What is worth hearing of.
    pub(crate) ears: Ears,
}

#[derive(Default)]
struct State {
    nft: Option<Nft>,
    /// What was seen.
    known: Option<Known>,
    /// Whether the table is known to be this process's own.
    owned: bool,
}

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The parts of our table that were asked for.
    pub(crate) parts: Vec<Part>,
    /// What stands around it.
    pub(crate) around: Arc<Around>,
}

impl Firewall {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            // A socket that was left amid an answer is of no use any more.
            let mut state = PoisonError::into_inner(poisoned);
            *state = State::default();
            state
        })
    }

    /// What is there, as far as a scope asks for it. The calling thread must be in the host's namespace.
    pub(crate) fn look(&self, scope: &Scope) -> Result<Seen, NftError> {
        let mut state = self.lock();
        let looked = state.look();
        state.nft.iter().for_each(|nft| self.ears.know_port(nft.port()));
        match looked {
            Err(error) if error.is(UNKNOWN) => return Ok(Seen::default()),
            looked => looked?,
        }
        let Some(known) = &state.known else { return Ok(Seen::default()) };
        self.ears.know_chains(&known.around.read);
        Ok(Seen { parts: known.parts(scope), around: Arc::clone(&known.around) })
    }

    /// Does an operation on our rule in others' tables. The calling thread must be in the host's namespace.
    pub(crate) fn apply_beside(&self, operation: &Operation) -> Result<(), NftError> {
        foreign_chains::apply(self.lock().nft()?, operation)
    }

    /// Does all of these operations on parts, or none. The calling thread must be in the host's namespace.
    pub(crate) fn apply(&self, operations: &[&Operation]) -> Result<(), NftError> {
        self.lock().apply(operations)
    }
}

/// Why a change was refused, in words and as the kernel's errno.
pub(crate) fn explained(error: &NftError) -> (String, Option<i32>) {
    match error.errno() {
        Some(libc::EPERM) => {
            let table = table();
            (format!("another process owns the table {table}: `nft list table {table}` names it"), Some(libc::EPERM))
        }
        errno => (error.to_string(), errno),
    }
}

/// Whether the table is there, whoever made it: for `purge`.
pub(crate) fn is_there() -> Result<bool, NftError> {
    match Nft::open().and_then(|mut nft| nft.tables()) {
        Err(error) if error.is(UNKNOWN) => Ok(false),
        tables => Ok(tables?.iter().any(|found| found.id == table())),
    }
}

/// Removes the table.
pub(crate) fn remove() -> Result<(), NftError> {
    let mut nft = Nft::open()?;
    // Only its owner may; one whose owner ended is anybody's who claims it.
    nft.claim(&table())?;
    let mut batch = Batch::new();
    batch.delete_table(&table());
    nft.transact(&batch).map(drop)
}

impl State {
    fn nft(&mut self) -> Result<&mut Nft, NftError> {
        if self.nft.is_none() {
            self.nft = Some(Nft::open()?);
            self.owned = false;
        }
        self.nft.as_mut().ok_or(NftError::NoAnswer("the opening of a socket"))
    }

    /// Brings what is known up to date.
    fn look(&mut self) -> Result<(), NftError> {
        for _ in 0..TRIES {
            let generation = self.nft()?.generation()?;
            match self.known.take_if(|known| known.generation != generation || known.is_stale()) {
                None if self.known.is_some() => return Ok(()),
                Some(known) if known.generation == generation => self.look_at_changes(known)?,
                _ => self.look_at_all(generation)?,
            }
            if self.known.is_some() && self.nft()?.generation()? == generation {
                return Ok(());
            }
        }
        // Others who change their tables all the time: ours is as it was seen, and what they did since is heard.
        if self.known.is_some() { Ok(()) } else { Err(NftError::Unsteady("the parts of our table".to_owned())) }
    }

    /// Looks at what we changed, and nobody else changed anything.
    fn look_at_changes(&mut self, mut known: Known) -> Result<(), NftError> {
        let nft = self.nft()?;
        let general = if known.is_general_stale() { Some(dump(nft, |set| !is_of_ports(set))?) } else { None };
        let mut ports = Vec::new();
        for (set, keys) in known.stale_ports() {
            let found = nft.find_elements(&table(), &set, &keys)?;
            ports.extend(found.into_iter().map(|element| Part::Element(SetElement { set: set.clone(), element })));
        }
        known.refresh(general, ports);
        self.known = Some(known);
        Ok(())
    }

    /// Looks at everything; a table that is nobody's is claimed, and is looked at the next time.
    fn look_at_all(&mut self, generation: u32) -> Result<(), NftError> {
        let parts = dump(self.nft()?, |_| true)?;
        if parts.first() == Some(&Part::Table) && !self.owned {
            // Left by an earlier process: from now on others' `flush ruleset` passes it by again. Where another process has it, it can
            // be looked at all the same, and who wants to change it is told.
            match self.claim() {
                Ok(()) => return Ok(()),
                Err(error) if error.is(&[Errno::EPERM]) => {}
                Err(error) => return Err(error),
            }
        }
        let around = foreign_chains::look(self.nft()?)?;
        self.known = Some(Known::new(generation, parts, around));
        Ok(())
    }

    fn claim(&mut self) -> Result<(), NftError> {
        self.nft()?.claim(&table())?;
        self.owned = true;
        Ok(())
    }

    fn apply(&mut self, operations: &[&Operation]) -> Result<(), NftError> {
        // Whatever is refused, all is looked at again.
        let known = self.known.take();
        let is_table = |object: &Object| matches!(object, Object::Firewall(Part::Table));
        if operations.iter().any(|operation| matches!(operation, Operation::Delete(object) if is_table(object))) {
            let mut batch = Batch::new();
            batch.destroy_table(&table());
            let makes_again =
                operations.iter().any(|operation| matches!(operation, Operation::Create(object) if is_table(object)));
            if makes_again {
                // In one transaction: no packet meets a host without the rules.
                batch.add_table(&Table::owned(table()));
                batch.append(changes(operations));
            }
            self.claim()?;
            self.nft()?.transact(&batch)?;
            self.owned = makes_again;
            return Ok(());
        }
        let was_owned = self.owned;
        if !was_owned {
            self.claim()?;
        }
        let made = self.nft()?.commit(&changes(operations))?;
        let keys = operations.iter().filter_map(|operation| match operation.object() {
            Object::Firewall(part) => Some(part.key()),
            _ => None,
        });
        // Claiming made a generation, too.
        self.known = known
            .filter(|_| was_owned)
            .zip(made)
            .and_then(|(mut known, generation)| known.changed(keys, generation).then_some(known));
        Ok(())
    }
}

/// All but the table itself, in an order in which nothing is referred to that is not there.
fn changes(operations: &[&Operation]) -> Batch {
    let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
    for operation in operations {
        match operation {
            Operation::Create(Object::Firewall(part)) | Operation::Change { to: Object::Firewall(part), .. } => {
                wanted.push(part);
            }
            Operation::Delete(Object::Firewall(part)) => unwanted.push(part),
            _ => {}
        }
    }
    let table = table();
    let mut batch = Batch::new();
    for (set, elements) in elements(&unwanted) {
        batch.destroy_elements(&table, set, &elements);
    }
    for part in &wanted {
        if let Part::Set(set) = part {
            batch.add_set(&table, set);
        }
    }
    for part in &wanted {
        if let Part::Chain(filled) = part {
            batch.add_chain(&table, &filled.chain);
        }
    }
    for part in &wanted {
        if let Part::Chain(FilledChain { chain, rules }) = part {
            batch.flush_chain(&table, &chain.name);
            for rule in rules {
                batch.add_rule(&table, &chain.name, Position::Last, rule);
            }
        }
    }
    for (set, elements) in elements(&wanted) {
        batch.add_elements(&table, set, &elements);
    }
    for part in &unwanted {
        if let Part::Chain(filled) = part {
            batch.flush_chain(&table, &filled.chain.name);
            batch.delete_chain(&table, &filled.chain.name);
        }
    }
    for part in &unwanted {
        if let Part::Set(set) = part {
            batch.delete_set(&table, &set.name);
        }
    }
    batch
}

fn elements<'p>(parts: &[&'p Part]) -> BTreeMap<&'p str, Vec<Element>> {
    let mut by_set: BTreeMap<&str, Vec<Element>> = BTreeMap::new();
    for part in parts {
        if let Part::Element(SetElement { set, element }) = part {
            by_set.entry(set).or_default().push(element.clone());
        }
    }
    by_set
}

/// Every part, the table first, with the elements of some sets; nothing where there is no table.
fn dump(nft: &mut Nft, with_elements: impl Fn(&str) -> bool) -> Result<Vec<Part>, NftError> {
    let id = table();
    if !nft.tables()?.iter().any(|found| found.id == id) {
        return Ok(Vec::new());
    }
    let mut parts = vec![Part::Table];
    // An anonymous set goes with the rule that it belongs to.
    let sets = nft.sets(&id)?.into_iter().filter(|set| !set.is_anonymous()).collect::<Vec<_>>();
    let mut rules: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    for found in nft.rules(&id)? {
        rules.entry(found.chain).or_default().push(found.rule);
    }
    for chain in nft.chains(&id)? {
        let rules = rules.remove(&chain.name).unwrap_or_default();
        parts.push(Part::Chain(FilledChain { chain, rules }));
    }
    for set in sets {
        let found = if with_elements(&set.name) { nft.elements(&id, &set.name)? } else { Vec::new() };
        parts.extend(found.into_iter().map(|element| Part::Element(SetElement { set: set.name.clone(), element })));
        parts.push(Part::Set(set));
    }
    Ok(parts)
}
