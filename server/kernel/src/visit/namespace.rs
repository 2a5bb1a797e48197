//! Where a visit begins: in the host's stack, in a namespace that is there, or in one that it makes.

use std::collections::HashMap;

use netloom_model::SandboxId;
use netloom_model::assignment::NamespaceSource;
use netloom_model::plan::Refusal;
use netloom_plan::object::{Object, Operation, Place};

use crate::error::{Failure, Subject};
use crate::handle::{Inner, Sockets};
use crate::message::link;
use crate::netns::{self, Pinned};
use crate::spare::Spare;
use crate::stack::{self, Absent, Stack};
use crate::worker::Worker;

/// The stack that a visit is in.
pub(super) struct Entered {
    /// The stack.
    pub(super) stack: Stack,
    /// Whether this visit made it, or was the first in it.
    pub(super) fresh: bool,
    /// Settings that are made already, by path.
    pub(super) settings: HashMap<String, String>,
    /// Its links, where they were looked at already.
    pub(super) links: Option<Vec<link::Seen>>,
    /// Sockets in it, where it was made with some.
    pub(super) sockets: Option<Sockets>,
}

impl Entered {
    fn unknown(stack: Stack, fresh: bool) -> Self {
        Self { stack, fresh, settings: HashMap::new(), links: None, sockets: None }
    }
}

/// Turns the cause into the refusal of the visit's first operation.
pub(super) type Refuse = Box<dyn Fn(&Subject) -> Refusal>;

/// Takes the thread to where a list of operations is to be applied.
pub(super) fn enter(
    inner: &Inner,
    worker: &mut Worker,
    place: Place,
    operations: &[Operation],
) -> Result<Entered, Refuse> {
    if let Some(Operation::Create(Object::Namespace(namespace))) = operations.first() {
        inner.registry.learn_one(namespace.sandbox, &namespace.source, &namespace.name);
        if namespace.source == NamespaceSource::Made {
            return make(inner, worker, namespace.sandbox);
        }
    }
    if let Some(Operation::Create(Object::OverlayNamespace)) = operations.first() {
        return make_overlay(inner, worker);
    }
    let stack = stack::enter(inner, worker, place).map_err(refuse)?;
    Ok(Entered::unknown(stack, false))
}

fn refuse(absent: Absent) -> Refuse {
    Box::new(move |subject| match &absent {
        Absent::Gone(words) => {
            let mut refusal = subject.refusal("namespace-gone", words);
            refusal.hint = Some(
                "a sandbox of Netloom's own gets a new namespace; an adopted one must come back, or be adopted anew"
                    .to_owned(),
            );
            refusal
        }
        Absent::Failed(doing, failure) => {
            let mut refusal = subject.failed(failure);
            refusal.message = format!("{} ({doing})", refusal.message);
            refusal
        }
    })
}

/// Makes a namespace, or takes one that is ready, and pins it, unless there is one pinned for the sandbox: that one is as good.
fn make(inner: &Inner, worker: &mut Worker, sandbox: SandboxId) -> Result<Entered, Refuse> {
    let refuse_failure = |doing: &'static str| move |failure: Failure| refuse(Absent::Failed(doing, failure));
    let injected = |injected: netloom_fault::Injected| -> Refuse {
        Box::new(move |subject| subject.refusal("kernel-refused", injected))
    };
    let path = inner.pins.path(sandbox);
    let found = netns::open_namespace(&path).map_err(|e| refuse_failure("open the namespace")(e.into()))?;
    if let Some(file) = found {
        let stack = stack::inside(inner, worker, Place::Sandbox(sandbox), file).map_err(refuse)?;
        return Ok(Entered::unknown(stack, false));
    }
    let spare = inner.spares.take().and_then(|spare| spare.untouched(inner));
    match &spare {
        Some(spare) => worker.enter(&spare.file).map_err(refuse_failure("enter a new network namespace"))?,
        None => worker.enter_new().map_err(refuse_failure("make a network namespace"))?,
    }
    netloom_fault::point("kernel.namespace.after_unshare").map_err(injected)?;
    inner.pins.pin(sandbox).map_err(refuse_failure("pin it under the run directory"))?;
    netloom_fault::point("kernel.namespace.after_mount").map_err(injected)?;
    if let Some(Spare { rtnl, cookie, ids, settings, links, sockets, .. }) = spare {
        let stack = Stack::of(inner, Place::Sandbox(sandbox), cookie, ids, rtnl);
        return Ok(Entered { stack, fresh: true, settings, links: Some(links), sockets });
    }
    let file = netns::current().map_err(|e| refuse_failure("open the namespace")(e.into()))?;
    let stack = stack::inside(inner, worker, Place::Sandbox(sandbox), file).map_err(refuse)?;
    Ok(Entered::unknown(stack, true))
}

/// Makes the namespace of overlay networks and pins it, unless there is one: that one is as good.
fn make_overlay(inner: &Inner, worker: &mut Worker) -> Result<Entered, Refuse> {
    match stack::enter(inner, worker, Place::Overlay) {
        Err(Absent::Gone(_)) => {}
        there => return Ok(Entered::unknown(there.map_err(refuse)?, false)),
    }
    let refuse_failure = |doing: &'static str| move |failure: Failure| refuse(Absent::Failed(doing, failure));
    let injected = |injected: netloom_fault::Injected| -> Refuse {
        Box::new(move |subject| subject.refusal("kernel-refused", injected))
    };
    inner.registry.make_overlay();
    worker.enter_new().map_err(refuse_failure("make a network namespace"))?;
    netloom_fault::point("kernel.namespace.after_unshare").map_err(injected)?;
    inner.pins.pin(Pinned::Overlay).map_err(refuse_failure("pin it under the run directory"))?;
    netloom_fault::point("kernel.namespace.after_mount").map_err(injected)?;
    let file = netns::current().map_err(|e| refuse_failure("open the namespace")(e.into()))?;
    let stack = stack::inside(inner, worker, Place::Overlay, file).map_err(refuse)?;
    Ok(Entered::unknown(stack, false))
}
