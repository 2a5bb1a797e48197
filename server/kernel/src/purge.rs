//! `netloom purge`: finds what carries our mark, whoever left it, and removes it.

use netloom_plan::Place;

use crate::{Config, Error};

/// Something that carries our mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Kind of object: `namespace`, `link`, `route`, `address`, `mount`, `file`.
    pub what: String,
    /// Its name.
    pub name: String,
    /// Where: `host`, or the path of a namespace.
    pub place: String,
}

/// Finds everything of ours on this host; blocks, changes nothing.
pub fn find(config: &Config) -> Result<Vec<Found>, Error> {
    let _ = config;
    unimplemented!()
}

/// Removes what [`find`] finds; blocks until all of it is proven gone. Answers what could not be removed, with the reason.
pub fn remove(config: &Config) -> Result<Vec<(Found, String)>, Error> {
    let _ = (config, Place::Host);
    unimplemented!()
}
