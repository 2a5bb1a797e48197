//! nftables by netlink: one socket for a network namespace, on which transactions go out and dumps come in.
//!
//! It blocks, and belongs on a thread that is in that namespace when it opens; later it may go to any. Keep it open: after
//! a removal the kernel frees in the background, and closing the socket waits for that, about 13 ms. What must not live
//! here: the bytes of a message (`netloom-nftables`), and which rules there should be.

mod error;
mod events;
mod socket;

pub use error::NftError;
pub use events::{Change, EventSocket, Events};

use std::time::Duration;

use netloom_nftables::dump;
use netloom_nftables::get::Get;
use netloom_nftables::message::Message;
use netloom_nftables::rule::DumpedRule;
use netloom_nftables::{Batch, Chain, DecodeError, Element, Family, Set, Table, TableId};
use nix::errno::Errno;

use crate::error::Failure;
use socket::NftSocket;

/// Most questions in one send: their answers must fit the receive buffer.
const QUESTIONS: usize = 100;
/// How long the kernel is given to make a set's table larger.
const RESIZING: Duration = Duration::from_millis(5);

/// nftables of one network namespace. Owns the tables that it made with [`Nft::claim`]; only it may change them.
pub struct Nft {
    socket: NftSocket,
}

impl Nft {
    /// Opens it for the namespace of the calling thread; changes nothing.
    pub fn open() -> Result<Self, NftError> {
        Ok(Self { socket: NftSocket::open()? })
    }

    /// Its netlink port, which tells its transactions from those of others.
    pub fn port(&self) -> u32 {
        self.socket.port()
    }

    /// Does a batch, all of it or nothing; answers the generation that it made.
    ///
    /// A batch that changes nothing (all of it was there) makes no generation: then the answer is the one that it asked
    /// for, or else the present one.
    ///
    /// # Errors
    /// [`NftError::GenerationMoved`] when the batch asks for another generation than there is, [`NftError::Refused`] with
    /// the first operation that the kernel refused.
    pub fn transact(&mut self, batch: &Batch) -> Result<u32, NftError> {
        match self.commit(batch)?.or(batch.generation()) {
            Some(generation) => Ok(generation),
            None => self.generation(),
        }
    }

    /// As [`Nft::transact`], and answers only a generation that the batch itself made.
    ///
    /// # Errors
    /// As those of [`Nft::transact`].
    pub fn commit(&mut self, batch: &Batch) -> Result<Option<u32>, NftError> {
        if batch.is_empty() {
            return Ok(None);
        }
        let first = self.socket.take_sequence(batch.len() + 2);
        let bytes = batch.encode(first);
        self.outcome(batch, first, &bytes)
    }

    /// Sends an encoded batch, and looks through what the kernel says to it.
    fn outcome(&mut self, batch: &Batch, first: u32, bytes: &[u8]) -> Result<Option<u32>, NftError> {
        let last = batch.last_sequence(first);
        let expected = |message: &Message<'_>| message.sequence.wrapping_sub(first) <= last.wrapping_sub(first);
        let (mut generation, mut acknowledged, mut refused) = (None, false, None);
        self.socket.exchange(bytes, &mut |message| {
            if !expected(message) {
                return Ok(true);
            }
            if let Some(made) = dump::generation(message) {
                generation = Some(made?.number);
            }
            let Some(outcome) = message.acknowledgement() else { return Ok(true) };
            if outcome.errno == 0 {
                acknowledged = true;
            } else if refused.is_none() {
                // What follows is often refused only because of the first.
                refused = Some((message.sequence, outcome));
            }
            Ok(message.sequence != last)
        })?;
        match refused {
            Some((_, outcome)) if outcome.errno == libc::ERESTART => Err(NftError::GenerationMoved),
            Some((sequence, outcome)) => Err(NftError::refused(
                batch.describe(first, sequence, outcome.offset),
                Failure { errno: outcome.errno, text: outcome.text },
            )),
            None if acknowledged => Ok(generation),
            None => Err(NftError::NoAnswer("a transaction")),
        }
    }

    /// Makes a table that is this socket's own, or adopts one that its owner left; contents stay. Others may list it, not
    /// change it, and their `flush ruleset` passes it by. Answers the table as it was made: without flags where the kernel
    /// knows no such owners (before Linux 6.9), or where the table is there without.
    ///
    /// # Errors
    /// EPERM when another socket owns it.
    pub fn claim(&mut self, table: &TableId) -> Result<Table, NftError> {
        let owned = Table::owned(table.clone());
        match self.add(&owned) {
            Err(error) if error.is(&[Errno::EOPNOTSUPP, Errno::EINVAL]) => {
                let open = Table::open(table.clone());
                self.add(&open)?;
                Ok(open)
            }
            outcome => outcome.map(|()| Table { owner: Some(self.port()), ..owned }),
        }
    }

    fn add(&mut self, table: &Table) -> Result<(), NftError> {
        let mut batch = Batch::new();
        batch.add_table(table);
        self.transact(&batch).map(|_| ())
    }

    /// The generation of the namespace's ruleset. Two equal ones: nobody changed anything in between.
    pub fn generation(&mut self) -> Result<u32, NftError> {
        let numbers = self.ask(&[Get::generation()], "the generation", dump::generation)?;
        numbers.into_iter().next().map(|made| made.number).ok_or(NftError::NoAnswer("the generation"))
    }

    /// All tables.
    pub fn tables(&mut self) -> Result<Vec<Table>, NftError> {
        self.dump(&Get::tables(Family::UNSPEC), "all tables", dump::table)
    }

    /// The base chains of all tables of every family, so that a foreign one that drops can be named.
    pub fn base_chains(&mut self) -> Result<Vec<(TableId, Chain)>, NftError> {
        let mut chains = self.all_chains()?;
        chains.retain(|(_, chain)| chain.base.is_some());
        Ok(chains)
    }

    /// The chains of all tables of every family.
    pub fn all_chains(&mut self) -> Result<Vec<(TableId, Chain)>, NftError> {
        self.dump(&Get::chains(Family::UNSPEC), "all chains", dump::chain)
    }

    /// The chains of a table; none when it is not there.
    pub fn chains(&mut self, table: &TableId) -> Result<Vec<Chain>, NftError> {
        let chains = self.dump(&Get::chains(table.family), "all chains", dump::chain)?;
        Ok(chains.into_iter().filter(|(of, _)| of == table).map(|(_, chain)| chain).collect())
    }

    /// The rules of a table, chain by chain in their order; none when it is not there.
    pub fn rules(&mut self, table: &TableId) -> Result<Vec<DumpedRule>, NftError> {
        self.dump(&Get::rules(table, None), &format!("the rules of table {table}"), dump::rule)
    }

    /// The rules of one chain, in their order; none when it is not there.
    pub fn rules_in(&mut self, table: &TableId, chain: &str) -> Result<Vec<DumpedRule>, NftError> {
        let doing = format!("the rules of chain {chain} of table {table}");
        match self.dump(&Get::rules(table, Some(chain)), &doing, dump::rule) {
            Err(error) if error.is_absent() => Ok(Vec::new()),
            rules => rules,
        }
    }

    /// The sets and maps of a table; none when it is not there.
    pub fn sets(&mut self, table: &TableId) -> Result<Vec<Set>, NftError> {
        match self.dump(&Get::sets(table), &format!("the sets of table {table}"), dump::set) {
            Err(error) if error.is_absent() => Ok(Vec::new()),
            sets => Ok(sets?.into_iter().map(|(_, set)| set).collect()),
        }
    }

    /// All elements of a set or map, by key. Refused with ENOENT when it is not there.
    ///
    /// The kernel makes a set's table larger or smaller some time after elements came or went, and says nothing of it: a dump that is
    /// under way then has some elements twice and others not at all. One with an element twice is made again.
    pub fn elements(&mut self, table: &TableId, set: &str) -> Result<Vec<Element>, NftError> {
        let doing = format!("the elements of set {table} {set}");
        let mut tries = 0;
        loop {
            let parts = self.dump(&Get::elements(table, set), &doing, dump::elements)?;
            let mut elements: Vec<Element> = parts.into_iter().flatten().collect();
            elements.sort_unstable();
            if elements.windows(2).all(|pair| pair[0] != pair[1]) {
                return Ok(elements);
            }
            tries += 1;
            if tries == socket::DUMP_TRIES {
                return Err(NftError::Unsteady(doing));
            }
            std::thread::sleep(RESIZING);
        }
    }

    /// Those of the elements, by key, that a set or map has, as it has them. Cheaper than [`Nft::elements`] for a few of
    /// many. When the set is not there, none.
    pub fn find_elements(
        &mut self,
        table: &TableId,
        set: &str,
        elements: &[Element],
    ) -> Result<Vec<Element>, NftError> {
        let doing = format!("elements of set {table} {set}");
        let mut found = Vec::new();
        for some in elements.chunks(QUESTIONS) {
            let questions: Vec<Get> = some.iter().map(|element| Get::element(table, set, element)).collect();
            found.extend(self.ask(&questions, &doing, dump::elements)?.into_iter().flatten());
        }
        Ok(found)
    }

    /// Asks for one answer each; what is not there is left out.
    fn ask<T>(
        &mut self,
        questions: &[Get],
        doing: &str,
        read: impl Fn(&Message<'_>) -> Option<Result<T, DecodeError>>,
    ) -> Result<Vec<T>, NftError> {
        let first = self.socket.take_sequence(questions.len());
        let mut bytes = Vec::new();
        for (question, sequence) in questions.iter().zip(first..) {
            question.encode(sequence, &mut bytes);
        }
        let mut answers = Vec::new();
        let mut outcomes = 0;
        self.socket.exchange(&bytes, &mut |message| {
            if message.sequence.wrapping_sub(first) as usize >= questions.len() {
                return Ok(true);
            }
            outcomes += 1;
            match message.acknowledgement() {
                Some(outcome) if outcome.errno == libc::ENOENT => {}
                Some(outcome) => return Err(NftError::unreadable(doing, outcome)),
                None => answers.extend(read(message).transpose()?),
            }
            Ok(outcomes < questions.len())
        })?;
        if outcomes == questions.len() { Ok(answers) } else { Err(NftError::NoAnswer("a question")) }
    }

    /// Asks for a dump; again, when the ruleset changed while it was made.
    fn dump<T>(
        &mut self,
        question: &Get,
        doing: &str,
        read: impl Fn(&Message<'_>) -> Option<Result<T, DecodeError>>,
    ) -> Result<Vec<T>, NftError> {
        for _ in 0..socket::DUMP_TRIES {
            let mut answers = Vec::new();
            let complete = self.socket.dump(question, doing, &mut |message| {
                answers.extend(read(message).transpose()?);
                Ok(true)
            })?;
            if complete {
                return Ok(answers);
            }
        }
        Err(NftError::Unsteady(doing.to_owned()))
    }
}
