//! The netloom binary: serve, doctor, purge, exec, openapi.
