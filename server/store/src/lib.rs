//! All SQL: one writer, many readers, SQLite.
