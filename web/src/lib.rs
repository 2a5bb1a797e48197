//! The dashboard: server-rendered pages, readable without JavaScript.
