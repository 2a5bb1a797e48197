//! A SELECT with optional conditions. Values are always bound, never part of the text.

use crate::statement::{Statement, Value, sql};

/// A SELECT that ends in a condition and takes more.
pub(crate) struct Select {
    statement: Statement,
}

impl Select {
    /// From text that ends in a condition.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { statement: sql(text) }
    }

    /// Adds fixed text.
    pub(crate) fn text(&mut self, text: &'static str) -> &mut Self {
        self.statement.push(text);
        self
    }

    /// Adds fixed text and a value after it.
    pub(crate) fn with(&mut self, text: &'static str, value: impl Into<Value>) -> &mut Self {
        self.statement.push(text);
        self.statement.push_value(value);
        self
    }

    /// The finished statement.
    pub(crate) fn statement(self) -> Statement {
        self.statement
    }
}
