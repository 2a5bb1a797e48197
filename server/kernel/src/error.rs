//! What goes wrong at the kernel, in words: whole failures, the kernel's own answers, and refusals of single operations.

use std::io;

use netloom_model::plan::{Action, Refusal};
use nix::errno::Errno;

/// The kernel crate could not do its work at all. Refused single operations are [`netloom_model::plan::Refusal`]s.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Our nftables table can't be looked at; in words.
    #[error("look at the nftables table: {0}")]
    Firewall(String),
    /// A system call failed.
    #[error("{doing}: {words}")]
    System {
        /// What was being done, such as `open a netlink socket`.
        doing: String,
        /// The errno in words, with the kernel's own text where it gave one.
        words: String,
        /// The errno.
        errno: i32,
    },
    /// The namespace of a sandbox is not there, or is another one.
    #[error("{0}")]
    NamespaceGone(String),
    /// The worker that had the job is gone.
    #[error("the kernel worker ended before it answered")]
    WorkerGone,
}

impl Error {
    /// A failed system call.
    pub(crate) fn system(doing: impl Into<String>, failure: impl Into<Failure>) -> Self {
        let failure = failure.into();
        Self::System { doing: doing.into(), words: failure.words(), errno: failure.errno }
    }
}

/// The kernel's answer to a request that it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The errno.
    pub(crate) errno: i32,
    /// The kernel's own words (extended ACK), where it gave some.
    pub(crate) text: Option<String>,
}

impl Failure {
    /// The errno by name, such as `EBUSY`.
    pub(crate) fn name(&self) -> String {
        format!("{:?}", Errno::from_raw(self.errno))
    }

    /// The errno in words, with the kernel's own text.
    pub(crate) fn words(&self) -> String {
        let words = Errno::from_raw(self.errno).desc();
        match &self.text {
            Some(text) => format!("{words} ({}: {text})", self.name()),
            None => format!("{words} ({})", self.name()),
        }
    }

    /// Whether it is one of these errnos.
    pub(crate) fn is(&self, errnos: &[Errno]) -> bool {
        errnos.iter().any(|errno| *errno as i32 == self.errno)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self { errno, text: None },
            None => Self { errno: libc::EIO, text: Some(error.to_string()) },
        }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { errno: errno as i32, text: None }
    }
}

/// Names an operation on an object, and says why it was refused.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The object, such as `link eth0 in sandbox macvlan1`.
    pub(crate) object: String,
    /// What was to be done.
    pub(crate) action: Action,
}

impl Subject {
    fn verb(&self) -> &'static str {
        match self.action {
            Action::Create => "made",
            Action::Change => "changed",
            Action::Delete => "removed",
        }
    }

    /// A refusal with a code of its own.
    pub(crate) fn refusal(&self, code: &str, why: impl std::fmt::Display) -> Refusal {
        Refusal {
            code: code.to_owned(),
            object: self.object.clone(),
            operation: self.action.as_str().to_owned(),
            errno: None,
            message: format!("{} was not {}: {why}", self.object, self.verb()),
            hint: None,
        }
    }

    /// A refusal by the kernel.
    pub(crate) fn failed(&self, failure: &Failure) -> Refusal {
        let code = match Errno::from_raw(failure.errno) {
            Errno::EPERM | Errno::EACCES => "permission-missing",
            Errno::EOPNOTSUPP => "feature-missing",
            _ => "kernel-refused",
        };
        let mut refusal = self.refusal(code, failure.words());
        refusal.errno = Some(failure.name());
        refusal.hint = hint(Errno::from_raw(failure.errno)).map(str::to_owned);
        if failure.text.as_ref().is_some_and(|text| text.contains("IPv6 is disabled")) {
            "feature-missing".clone_into(&mut refusal.code);
            let remedy = "this host has IPv6 switched off: `sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0`, \
                or a network without IPv6 pools";
            refusal.hint = Some(remedy.to_owned());
        }
        refusal
    }

    /// A refusal because something it needs was refused before it.
    pub(crate) fn skipped(&self) -> Refusal {
        self.refusal("skipped", "what it needs could not be done")
    }
}

fn hint(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::EPERM | Errno::EACCES => {
            "the daemon needs CAP_NET_ADMIN, CAP_NET_BROADCAST, CAP_NET_RAW and CAP_SYS_ADMIN; `netloom doctor` names what is missing"
        }
        Errno::EOPNOTSUPP => "the kernel lacks this feature; `netloom doctor` names the module to load",
        Errno::EBUSY => {
            "something else uses it in a way that excludes this: a parent is a bridge or bond port, carries ipvlan, or a macvlan in passthru mode; a port is in a spanning tree"
        }
        Errno::EADDRINUSE => "another link on the same parent has this Ethernet address",
        Errno::ENETUNREACH => "the router's address is not in a subnet of the link",
        Errno::EMFILE | Errno::ENFILE => "raise the limit of open files (LimitNOFILE in the systemd unit)",
        Errno::ENOSPC => "a limit of the kernel is reached, such as user.max_net_namespaces or fs.mount-max",
        Errno::EINVAL => "the kernel does not take this value, for example an MTU above the parent's",
        _ => return None,
    })
}

/// The host has no link of this name to be a parent.
pub(crate) fn parent_missing(subject: &Subject, parent: &str) -> Refusal {
    let mut refusal = subject.refusal("parent-missing", format!("the host has no link {parent}"));
    refusal.hint = Some("make the link, or choose another parent".to_owned());
    refusal
}

/// A link, address or route that isn't ours stands where ours should be.
pub(crate) fn name_conflict(subject: &Subject, found: impl std::fmt::Display) -> Refusal {
    let mut refusal = subject.refusal("name-conflict", format!("there is one already that is not Netloom's ({found})"));
    refusal.errno = Some("EEXIST".to_owned());
    refusal.hint = Some("remove or rename it if nobody needs it; Netloom then makes its own".to_owned());
    refusal
}
