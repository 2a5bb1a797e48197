//! Values to columns and back: the one place that knows how the model's types are stored.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use netloom_model::Timestamp;
use netloom_model::audit::Decision;
use netloom_model::event::ObjectKind;
use netloom_model::lease::{LeaseKind, LeaseState, OwnerKind};
use netloom_model::net::{Span, from_number, to_number};
use netloom_model::network::{Driver, Scope};
use netloom_model::port::Protocol;
use netloom_model::swarm::SwarmRole;
use netloom_model::token::Role;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use crate::error::Error;
use crate::row::Orphaned;

/// An address as 16 big-endian bytes.
pub(crate) fn address(address: IpAddr) -> Vec<u8> {
    to_number(address).to_be_bytes().to_vec()
}

/// The number of addresses in a span, as 16 big-endian bytes.
pub(crate) fn size(span: &Span) -> Vec<u8> {
    number(span.len())
}

/// A number of addresses, as 16 big-endian bytes, which sort as it does.
pub(crate) fn number(addresses: u128) -> Vec<u8> {
    addresses.to_be_bytes().to_vec()
}

/// A value as JSON text.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::caused)
}

/// IDs or other texts as a JSON array, for `IN (SELECT value FROM json_each(..))`.
pub(crate) fn list<T: Display>(values: &[T]) -> String {
    serde_json::Value::from(values.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

/// A counter as the database's integer. Counters of a store never come near 2^63.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of rows for LIMIT.
pub(crate) fn limit(limit: u32) -> i64 {
    i64::from(limit)
}

/// The columns of a row, read from left to right.
pub(crate) struct Columns<'r> {
    row: &'r SqliteRow,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn new(row: &'r SqliteRow) -> Self {
        Self { row, next: 0 }
    }

    /// The next column as a type that the database knows.
    pub(crate) fn plain<T>(&mut self) -> Result<T, Error>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        let index = self.next;
        self.next += 1;
        self.row.try_get(index).map_err(|error| Error::Corrupt(error.to_string()))
    }

    /// The next column, a text, as a type with one text form.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self) -> Result<T, Error> {
        parse(self.plain::<&str>()?)
    }

    /// The next column likewise, where it may be absent.
    pub(crate) fn parsed_option<T: FromStr<Err: Display>>(&mut self) -> Result<Option<T>, Error> {
        self.plain::<Option<&str>>()?.map(parse).transpose()
    }

    /// The next column, JSON text.
    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        from_json(self.plain::<&str>()?)
    }

    /// The next column likewise, where it may be absent.
    pub(crate) fn json_option<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        self.plain::<Option<&str>>()?.map(from_json).transpose()
    }

    /// The next column, a counter.
    pub(crate) fn count(&mut self) -> Result<u64, Error> {
        let number = self.plain::<i64>()?;
        u64::try_from(number).map_err(|_| Error::Corrupt(format!("{number} where a count must stand")))
    }

    /// The next column, a small number.
    pub(crate) fn small<T: TryFrom<i64>>(&mut self) -> Result<T, Error> {
        let number = self.plain::<i64>()?;
        T::try_from(number).map_err(|_| Error::Corrupt(format!("{number} is out of bounds")))
    }

    /// The next column, a time.
    pub(crate) fn time(&mut self) -> Result<Timestamp, Error> {
        self.plain().map(Timestamp::from_millis)
    }

    /// The next column, a time that may be absent.
    pub(crate) fn time_option(&mut self) -> Result<Option<Timestamp>, Error> {
        Ok(self.plain::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    /// The next column, 16 bytes of an address.
    pub(crate) fn address(&mut self) -> Result<IpAddr, Error> {
        from_bytes(self.plain::<&[u8]>()?)
    }

    /// The next column likewise, where it may be absent.
    pub(crate) fn address_option(&mut self) -> Result<Option<IpAddr>, Error> {
        self.plain::<Option<&[u8]>>()?.map(from_bytes).transpose()
    }

    /// The next two columns, the ends of a span.
    pub(crate) fn span(&mut self) -> Result<Span, Error> {
        Ok(Span { low: self.address()?, high: self.address()? })
    }

    /// The next two columns, the ends of a span that may be absent.
    pub(crate) fn span_option(&mut self) -> Result<Option<Span>, Error> {
        Ok(self.address_option()?.zip(self.address_option()?).map(|(low, high)| Span { low, high }))
    }

    /// The next two columns, a subnet's first address and the length of its prefix.
    pub(crate) fn subnet(&mut self) -> Result<IpNet, Error> {
        let (address, length) = (self.address()?, self.small()?);
        IpNet::new(address, length).map_err(|_| Error::Corrupt(format!("{address}/{length} is no subnet")))
    }

    /// The next two columns, why and since when something is orphaned; both are absent where it is not.
    pub(crate) fn orphaned(&mut self) -> Result<Option<Orphaned>, Error> {
        Ok(self.plain::<Option<String>>()?.zip(self.time_option()?).map(|(reason, since)| Orphaned { reason, since }))
    }

    /// The next column, 32 bytes of a hash.
    pub(crate) fn hash(&mut self) -> Result<[u8; 32], Error> {
        self.plain::<&[u8]>()?.try_into().map_err(|_| Error::Corrupt("a hash that has not 32 bytes".into()))
    }

    /// The next column, a driver.
    pub(crate) fn driver(&mut self) -> Result<Driver, Error> {
        let all = [Driver::Bridge, Driver::Host, Driver::None, Driver::Macvlan, Driver::Ipvlan, Driver::Overlay];
        self.word(&all, Driver::as_str)
    }

    /// The next column, whose an object is.
    pub(crate) fn scope(&mut self) -> Result<Scope, Error> {
        self.word(&[Scope::Local, Scope::Swarm], Scope::as_str)
    }

    /// The next column, a small number that may be absent.
    pub(crate) fn small_option<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, Error> {
        let Some(number) = self.plain::<Option<i64>>()? else { return Ok(None) };
        T::try_from(number).map(Some).map_err(|_| Error::Corrupt(format!("{number} is out of bounds")))
    }

    /// The next column, the kind of a lease.
    pub(crate) fn lease_kind(&mut self) -> Result<LeaseKind, Error> {
        self.word(&LeaseKind::ALL, LeaseKind::as_str)
    }

    /// The next column, the state of a lease.
    pub(crate) fn lease_state(&mut self) -> Result<LeaseState, Error> {
        self.word(&LeaseState::ALL, LeaseState::as_str)
    }

    /// The next column, the kind of an owner.
    pub(crate) fn owner_kind(&mut self) -> Result<OwnerKind, Error> {
        use OwnerKind::{Host, Network, Reservation, Sandbox, Stranger};
        self.word(&[Sandbox, Network, Reservation, Host, Stranger], OwnerKind::as_str)
    }

    /// The next column, a port's protocol.
    pub(crate) fn protocol(&mut self) -> Result<Protocol, Error> {
        self.word(&[Protocol::Tcp, Protocol::Udp], Protocol::as_str)
    }

    /// The next column, the kind of an object.
    pub(crate) fn object_kind(&mut self) -> Result<ObjectKind, Error> {
        self.word(&ObjectKind::ALL, ObjectKind::as_str)
    }

    /// The next column likewise, where it may be absent.
    pub(crate) fn object_kind_option(&mut self) -> Result<Option<ObjectKind>, Error> {
        self.plain::<Option<&str>>()?.map(|text| word(text, &ObjectKind::ALL, ObjectKind::as_str)).transpose()
    }

    /// The next column, a role.
    pub(crate) fn role(&mut self) -> Result<Role, Error> {
        self.word(&Role::ALL, Role::as_str)
    }

    /// The next column likewise, where it may be absent.
    pub(crate) fn role_option(&mut self) -> Result<Option<Role>, Error> {
        self.plain::<Option<&str>>()?.map(|text| word(text, &Role::ALL, Role::as_str)).transpose()
    }

    /// The next column, what a node is in its swarm.
    pub(crate) fn swarm_role(&mut self) -> Result<SwarmRole, Error> {
        self.word(&SwarmRole::ALL, SwarmRole::as_str)
    }

    /// The next column, what came of a request.
    pub(crate) fn decision(&mut self) -> Result<Decision, Error> {
        self.word(&Decision::ALL, Decision::as_str)
    }

    fn word<T: Copy>(&mut self, all: &[T], name: fn(T) -> &'static str) -> Result<T, Error> {
        word(self.plain::<&str>()?, all, name)
    }
}

fn word<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, Error> {
    let known = all.iter().copied().find(|word| name(*word) == text);
    known.ok_or_else(|| Error::Corrupt(format!("`{text}` is an unknown word")))
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Error::Corrupt(error.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Corrupt(format!("stored JSON: {error}")))
}

fn from_bytes(bytes: &[u8]) -> Result<IpAddr, Error> {
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| Error::Corrupt("an address that has not 16 bytes".into()))?;
    Ok(from_number(u128::from_be_bytes(bytes)))
}
