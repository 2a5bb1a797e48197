//! The dashboard: server-rendered pages over the use cases of control, usable without JavaScript. It shows; what it changes is the swarm's membership.
//!
//! A page is a URL under `/ui` that mirrors the API's path. Its handler (`pages`) authorises and runs one or two use cases,
//! hands the answer to a view model (`view`: text and numbers already formatted, nothing left to decide) and renders one template.
//! What must not live here: rules about networks, SQL, JSON endpoints, inline style or script of any kind.
//!
//! | module | holds |
//! |---|---|
//! | [`pages`] | a handler per page |
//! | [`view`] | a view model per page, and the small components they are made of |
//! | `visit` | who looks, with which request; how an answer leaves |
//! | `query` | which parameters a page knows, and which of them are wrong |
//! | `form` | who sends a form, and how it is read: bounded, and from our own pages only |
//! | `session` | the cookie, where to go after login, the check of where a form came from |
//! | `csv` | a table as a file: how it is written, and streamed |
//! | `appearance` | the theme that somebody chose, and its cookie |
//! | `assets` | the embedded stylesheet, script and pictures |
//! | `error` | a failure as a page |

pub mod pages;
pub mod view;

mod appearance;
mod assets;
mod csv;
mod error;
mod form;
mod query;
mod routes;
mod session;
mod visit;

use std::path::PathBuf;

use netloom_control::Control;

pub use routes::configure;

/// What the dashboard needs from the one who runs it.
#[derive(Clone)]
pub struct Dashboard {
    /// All use cases.
    pub control: Control,
    /// The run directory, which commands on pages name when it is not the usual one.
    pub run_dir: PathBuf,
    /// The data directory, where the administrator's token is.
    pub data_dir: PathBuf,
    /// The API's OpenAPI 3.1 document, as text: its reference is drawn from it.
    pub openapi: &'static str,
    /// Whether the browser reaches us by TLS: the session cookie is then marked `Secure`.
    pub tls: bool,
}
