//! A SELECT with optional conditions. Values are always bound, never part of the text.

use sqlx::{Encode, QueryBuilder, Sqlite, Type};

use crate::tx::Statement;

/// A SELECT that ends in a condition and takes more.
pub(crate) struct Select {
    builder: QueryBuilder<Sqlite>,
}

impl Select {
    /// From text that ends in a condition.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { builder: QueryBuilder::new(text) }
    }

    /// Adds fixed text.
    pub(crate) fn text(&mut self, text: &'static str) -> &mut Self {
        self.builder.push(text);
        self
    }

    /// Adds fixed text and a value after it.
    pub(crate) fn with<T>(&mut self, text: &'static str, value: T) -> &mut Self
    where
        T: Encode<'static, Sqlite> + Type<Sqlite> + 'static,
    {
        self.builder.push(text);
        self.builder.push_bind(value);
        self
    }

    /// The finished statement.
    pub(crate) fn statement(&mut self) -> Statement<'_> {
        self.builder.build()
    }
}
