//! A new spec for an object, by a merge patch or as a whole: both come to one spec, which one update then checks and writes.
//!
//! What must not live here: which fields may change; that is `validate`'s, and the same for both.

use std::sync::Arc;

use netloom_model::Invalid;
use netloom_model::document;
use netloom_model::invalid::Code;
use netloom_model::lease::LeaseSpec;
use netloom_model::network::NetworkSpec;
use netloom_model::sandbox::SandboxSpec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// What a writer wants an object's spec to be.
#[derive(Debug, Clone)]
pub(crate) enum Edit<S> {
    /// What it is, with a JSON Merge Patch (RFC 7396) applied.
    Patch(Value),
    /// This, whole: what is absent is unset.
    Whole(Arc<Whole<S>>),
}

/// A whole spec, as it was put.
#[derive(Debug, Clone)]
pub(crate) struct Whole<S> {
    /// The object, as the path names it.
    pub(crate) reference: String,
    /// The spec. Where its name was left out it has the reference in that place.
    pub(crate) spec: S,
}

/// A spec that says what its object is called.
pub(crate) trait Named: Clone + Serialize + DeserializeOwned {
    /// Where the name stands.
    const POINTER: &str;

    /// The name.
    fn name(&mut self) -> &mut String;
}

impl Named for NetworkSpec {
    const POINTER: &str = "/name";

    fn name(&mut self) -> &mut String {
        &mut self.name
    }
}

impl Named for SandboxSpec {
    const POINTER: &str = "/name";

    fn name(&mut self) -> &mut String {
        &mut self.name
    }
}

impl Named for LeaseSpec {
    const POINTER: &str = "/key";

    fn name(&mut self) -> &mut String {
        &mut self.key
    }
}

impl<S: Named> Edit<S> {
    /// The spec that it makes of the present one.
    ///
    /// # Errors
    /// A patch that is no object, or makes what is no spec.
    pub(crate) fn of(&self, old: &S) -> Result<S, Error> {
        match self {
            Self::Patch(patch) => merged(old, patch),
            Self::Whole(whole) => {
                let mut spec = whole.spec.clone();
                // Who names the object by its ID need not know its name: no name looks like an ID.
                if *spec.name() == whole.reference {
                    spec.name().clone_from(old.clone().name());
                }
                Ok(spec)
            }
        }
    }
}

impl<S: Named> Whole<S> {
    /// Refuses a name that is not the path's, in a spec that may make an object.
    pub(crate) fn check_name(&self) -> Result<(), Error> {
        let mut spec = self.spec.clone();
        if *spec.name() == self.reference {
            return Ok(());
        }
        let message = format!("the path says `{}`", self.reference);
        Err(Invalid::new(S::POINTER, Code::NotAllowedHere, spec.name(), message)
            .hint("leave it out of the body, or write to the path of this name")
            .into())
    }
}

/// A spec with a JSON Merge Patch applied, unknown fields named.
pub(crate) fn merged<S: Serialize + DeserializeOwned>(old: &S, patch: &Value) -> Result<S, Error> {
    if !patch.is_object() {
        return Err(Invalid::new("", Code::WrongType, &patch.to_string(), "a merge patch is a JSON object").into());
    }
    let mut document = serde_json::to_value(old).map_err(|source| {
        let mut error = Error::new(ErrorKind::Internal, "internal", "a stored document can't be written");
        error.source = Some(Box::new(source));
        error
    })?;
    document::merge(&mut document, patch.clone());
    document::parse_document(&document).map_err(Error::invalid)
}
