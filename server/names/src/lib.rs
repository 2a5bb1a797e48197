//! Names inside networks: who has which name, and the resolver that sandboxes see at 127.0.0.11.
//!
//! A sandbox asks the resolver in its own namespace. Names and addresses on its networks are answered from the
//! [`Directory`], authoritatively and with a time to live of 0; everything else goes to the host's resolvers as it is.
//! What must not live here: netlink, namespaces, files. Sockets and the text of the host's `resolv.conf` are given; when
//! a name appears or goes is the caller's to say.
//!
//! | module | holds |
//! |---|---|
//! | `directory` | who has which names and addresses on which network |
//! | `view` | what one sandbox may see of it |
//! | `resolv_conf` | the host's `resolv.conf` in, a sandbox's out |
//! | `request`, `answer` | a message in, a message out: pure |
//! | `forward`, `framing` | asking the host's resolvers, over UDP and TCP |
//! | `service` | answering one sandbox, on its two sockets |
//! | `resolver`, `thread` | the handle: which sandboxes are answered; where |

mod answer;
mod directory;
mod forward;
mod framing;
mod request;
mod resolv_conf;
mod resolver;
mod service;
mod thread;
mod view;

pub use directory::{Directory, Entry, Record};
pub use resolv_conf::{ADDRESS, ResolvConf, parse_resolv_conf, resolv_conf};
pub use resolver::{Options, Resolver, ServeError};
pub use view::View;
