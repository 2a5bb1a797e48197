//! The OpenAPI documents in the hands of others: validators, client generators, and a tester that makes requests of them.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "clients/documents.rs"]
mod documents;
#[path = "clients/generated.rs"]
mod generated;
#[path = "clients/requests.rs"]
mod requests;
