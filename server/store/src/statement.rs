//! A statement with its values, as text and data: so that several can be sent to the database as one.
//!
//! What must not live here: the connection.

use std::fmt::{Display, Write};

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Sqlite};

use crate::column;
use crate::error::Error;

/// A value as the database has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Integer(truth.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement, or several that share their values: `$1` in its text is the first value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statement {
    text: String,
    values: Vec<Value>,
}

/// A statement from fixed text.
pub(crate) fn sql(text: &'static str) -> Statement {
    Statement { text: text.to_owned(), values: Vec::new() }
}

impl Statement {
    /// Adds the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds the next value: IDs, where the text has `(SELECT value FROM json_each($n))` for them. A single one, which is the usual case,
    /// is compared with plainly: to take an array apart takes longer than to find a row.
    pub(crate) fn bind_list<T: Display>(mut self, ids: &[T]) -> Self {
        let [id] = ids else { return self.bind(column::list(ids)) };
        let place = format!("${}", self.values.len() + 1);
        self.text = self.text.replace(&format!("(SELECT value FROM json_each({place}))"), &format!("({place})"));
        self.bind(id.to_string())
    }

    /// Adds fixed text.
    pub(crate) fn push(&mut self, text: &'static str) {
        self.text.push_str(text);
    }

    /// Adds a value, and its place to the text.
    pub(crate) fn push_value(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
        self.text.push('$');
        self.push_number(self.values.len());
    }

    fn push_number(&mut self, number: usize) {
        write!(self.text, "{number}").expect("a text takes what is written to it");
    }

    /// Its text, such that the database says how it would read.
    #[cfg(test)]
    pub(crate) fn explained(self) -> String {
        format!("EXPLAIN QUERY PLAN {}", self.text)
    }

    /// How many statements it is. Values are never part of the text, so that a semicolon there ends one.
    pub(crate) fn count(&self) -> u64 {
        let parts = self.text.split(';').filter(|part| !part.trim().is_empty());
        u64::try_from(parts.count()).unwrap_or(u64::MAX)
    }

    /// Length of its text in bytes.
    pub(crate) const fn length(&self) -> usize {
        self.text.len()
    }

    /// Adds another that is to be run after this one.
    pub(crate) fn then(&mut self, next: Self) {
        if self.text.is_empty() {
            *self = next;
            return;
        }
        let before = self.values.len();
        // Numbers get longer by a digit or two.
        self.text.reserve(2 + next.text.len() + 2 * next.values.len());
        self.text.push_str(";\n");
        let mut parts = next.text.split('$');
        self.text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = part.split_at(digits);
            self.text.push('$');
            if let Ok(number) = number.parse::<usize>() {
                self.push_number(number + before);
            }
            self.text.push_str(rest);
        }
        self.values.extend(next.values);
    }

    /// As the driver wants it. The connection keeps the prepared form of the text.
    pub(crate) fn query(self) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, Error> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(self.values.len(), 0);
        for value in self.values {
            let added = match value {
                Value::Null => arguments.add(None::<i64>),
                Value::Integer(number) => arguments.add(number),
                Value::Text(text) => arguments.add(text),
                Value::Blob(bytes) => arguments.add(bytes),
            };
            added.map_err(|error| Error::backend(error.to_string()))?;
        }
        // Put together from fixed texts only: values never are part of it.
        Ok(sqlx::query_with(AssertSqlSafe(self.text), arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_id_is_no_list() {
        let text = "DELETE FROM t WHERE a = $1 AND id IN (SELECT value FROM json_each($2))";
        let one = sql(text).bind(1).bind_list(&["x"]);
        assert_eq!(one.text, "DELETE FROM t WHERE a = $1 AND id IN ($2)");
        assert_eq!(one.values[1], Value::Text("x".into()));
        let two = sql(text).bind(1).bind_list(&["x", "y"]);
        assert_eq!((two.text.as_str(), &two.values[1]), (text, &Value::Text(r#"["x","y"]"#.into())));
    }

    #[test]
    fn each_keeps_its_own_values() {
        let mut all = Statement::default();
        all.then(sql("UPDATE meta SET event_seq = $2 WHERE id = $1").bind(1).bind("x"));
        all.then(sql("DELETE FROM event"));
        all.then(sql("INSERT INTO t VALUES ($1, $2, '$', $1)").bind(true).bind(None::<String>));
        assert_eq!(
            all.text,
            "UPDATE meta SET event_seq = $2 WHERE id = $1;\nDELETE FROM event;\nINSERT INTO t VALUES ($3, $4, '$', $3)"
        );
        assert_eq!(all.count(), 3);
        assert_eq!(all.values, [Value::Integer(1), Value::Text("x".into()), Value::Integer(1), Value::Null]);
    }
}
