//! nf_tables objects as netlink attributes, both ways: what `nft` would send, and what the kernel dumps.
//!
//! Pure: no socket, no file, no clock. What is encoded here equals, byte by byte, what the kernel dumps of it (its
//! order of attributes, no NLA_F_NESTED), so that drift is found by comparing bytes. The numbers and words are those of
//! `linux/netfilter/nf_tables.h` and libnftnl. What must not live here: which rules Netloom wants, and the socket.
//!
//! | module | holds |
//! |---|---|
//! | [`message`], [`attribute`] | nfnetlink framing, acknowledgements; attributes |
//! | [`table`], [`chain`], [`set`], [`element`], [`rule`] | the objects |
//! | [`value`] | register contents: addresses, ports, names, and their concatenations; data types; verdicts |
//! | [`expression`] | a rule's expressions one by one; [`rule::Rule`] is the readable way to them |
//! | [`reading`] | what rules of others do to a packet with a mark |
//! | [`batch`] | a transaction |
//! | [`get`], [`dump`], [`event`] | questions, the kernel's answers, and what it says unasked |

mod error;

pub mod attribute;
pub mod batch;
pub mod chain;
pub mod comment;
pub mod dump;
pub mod element;
pub mod event;
pub mod expression;
pub mod get;
pub mod message;
pub mod reading;
pub mod rule;
pub mod set;
pub mod table;
pub mod value;

pub use batch::Batch;
pub use chain::{Base, Chain, ChainType, Hook, Policy};
pub use comment::Comment;
pub use element::{Data, Element};
pub use error::{BadComment, DecodeError};
pub use expression::Expressions;
pub use rule::Rule;
pub use set::Set;
pub use table::{Family, Table, TableId};
pub use value::{DataType, Value, Verdict};
