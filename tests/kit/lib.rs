//! What the suites share: throw-away hosts with the real daemon in them, clients for it, and eyes that are independent of it.
//!
//! Nothing here may use Netloom's own code to look at the kernel: the suites check with `ip`, `nft`, `ping` and `arping`.
//! Everything a test makes lives in its own network and mount namespace and a temporary directory, and goes with them,
//! also when the test panics. What is missing on the machine fails a test with a clear message; nothing is skipped.
//!
//! | module | holds |
//! |---|---|
//! | [`namespace`] | a network and mount namespace with a process that holds it |
//! | [`mod@host`] | a host made of one, with links, directories and the daemon |
//! | [`mod@lab`] | several hosts, made by `netloom lab`, and what may befall them |
//! | [`firewalls`] | firewalls of others: Docker itself, and what mimics the rest |
//! | [`damage`] | what somebody may break, and how to see that it is whole again |
//! | [`dice`] | chance that can be had again |
//! | [`clock`] | a wall clock of its own for a daemon, which a test sets |
//! | [`client`] | HTTP over the unix socket or TCP, with JSON at hand |
//! | [`stream`] | server-sent events |
//! | [`echo`] | small servers in namespaces, and questions to them |
//! | [`snapshot`] | all a host has in its kernel, to compare before and after |
//! | [`browser`] | a headless browser inside a host |
//! | [`announced`] | what the kernel announces meanwhile: every write, also one that changes nothing |
//! | [`provider`] | a client that behaves as a provider of Terraform's kind |
//! | [`tools`] | programs from PyPI and npm |
//! | [`process`] | running a program, with a message when it fails |

pub mod announced;
pub mod browser;
pub mod client;
pub mod clock;
pub mod damage;
pub mod dice;
pub mod echo;
pub mod firewalls;
pub mod host;
pub mod lab;
pub mod namespace;
pub mod process;
pub mod provider;
pub mod snapshot;
pub mod stream;
pub mod tools;

use std::time::{Duration, Instant};

pub use client::{Answer, Client};
pub use clock::Clock;
pub use echo::{Echo, ask_tcp, ask_udp};
pub use host::{Host, Start};
pub use lab::{Lab, LabHost};
pub use namespace::Namespace;
pub use provider::Provider;
pub use serde_json::{Value, json};
pub use snapshot::Snapshot;

/// Makes a [`Host`] that runs the daemon of this build.
#[macro_export]
macro_rules! host {
    () => {
        $crate::Host::new(env!("CARGO_BIN_EXE_netloom-under-test"))
    };
}

/// Makes a [`Lab`] of so many hosts, each by itself or, `joined`, as a swarm; or, without a number, a machine on which one can be made; with the
/// daemon of this build.
#[macro_export]
macro_rules! lab {
    () => {
        $crate::Lab::machine(env!("CARGO_BIN_EXE_netloom-under-test"))
    };
    (joined $hosts:expr) => {
        $crate::Lab::joined(env!("CARGO_BIN_EXE_netloom-under-test"), $hosts)
    };
    ($hosts:expr) => {
        $crate::Lab::new(env!("CARGO_BIN_EXE_netloom-under-test"), $hosts)
    };
}

/// Tries until it gives something or the time is over, looking again every 10 ms.
///
/// # Panics
/// When the time is over, with what was waited for.
pub fn until<T>(what: &str, within: Duration, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(begin.elapsed() < within, "waited {within:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How often a long loop runs: `default` times, or `LOOPS` times as often (`LOOPS=10` is the full count).
pub fn loops(default: u32) -> u32 {
    default * number("LOOPS", 1)
}

/// A number from the environment, or the default.
///
/// # Panics
/// When the variable is set to something else than a number.
pub fn number(variable: &str, default: u32) -> u32 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
        Err(_) => default,
    }
}
