//! What a writer says of an object before it changes it, looked at inside the use case's transaction.
//!
//! Only the number of the spec's last change is compared: what the system notes of an object by itself never stands in a writer's way.
//! What must not live here: how a request says it (api).

use crate::error::{Error, ErrorKind};

/// What must be so for a write to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// The object exists.
    Exists,
    /// The object exists, and the event that last changed its spec has one of these numbers.
    SpecIs(Vec<u64>),
    /// There is no such object yet: it is made, never changed.
    Absent,
}

impl Precondition {
    /// Holds it against the number of the event that last changed the spec; none where there is no such object.
    ///
    /// # Errors
    /// `precondition-failed`, with that number.
    pub(crate) fn check(&self, what: &str, name: &str, present: Option<u64>) -> Result<(), Error> {
        let (detail, hint) = match (self, present) {
            (Self::None | Self::Exists, Some(_)) | (Self::None | Self::Absent, None) => return Ok(()),
            (Self::SpecIs(wanted), Some(present)) if wanted.contains(&present) => return Ok(()),
            (Self::SpecIs(wanted), Some(present)) => {
                let wanted: Vec<String> = wanted.iter().map(u64::to_string).collect();
                let wanted = wanted.join(" or ");
                (
                    format!(
                        "the spec of {what} `{name}` was last changed by event {present}, not by {wanted} as asked for"
                    ),
                    "read the object again, put the change into what it is now, and send that with the new tag",
                )
            }
            (Self::Absent, Some(_)) => (
                format!("there is a {what} `{name}` already, and it was to be made only"),
                "leave `If-None-Match` out to give it the spec, or choose another name",
            ),
            (Self::Exists | Self::SpecIs(_), None) => (
                format!("there is no {what} `{name}`, and it was to be changed only"),
                "leave `If-Match` out to make it",
            ),
        };
        let error = Error::new(ErrorKind::PreconditionFailed, "precondition-failed", detail).hint(hint);
        Err(match present {
            Some(present) => error.fact("spec_revision", present),
            None => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_number_decides() {
        let is = |numbers: &[u64]| Precondition::SpecIs(numbers.to_vec());
        let table = [
            (Precondition::None, Some(3), true),
            (Precondition::None, None, true),
            (Precondition::Exists, Some(3), true),
            (Precondition::Exists, None, false),
            (Precondition::Absent, None, true),
            (Precondition::Absent, Some(3), false),
            (is(&[3]), Some(3), true),
            (is(&[2, 3]), Some(3), true),
            (is(&[2]), Some(3), false),
            (is(&[4]), Some(3), false),
            (is(&[3]), None, false),
        ];
        for (precondition, present, holds) in table {
            let checked = precondition.check("network", "n", present);
            assert_eq!(checked.is_ok(), holds, "{precondition:?} {present:?}");
            let Err(error) = checked else { continue };
            assert_eq!((error.kind, error.code), (ErrorKind::PreconditionFailed, "precondition-failed"));
            assert_eq!(error.facts.get("spec_revision").cloned(), present.map(|number| number.to_string()));
            assert!(error.hint.is_some());
        }
    }
}
