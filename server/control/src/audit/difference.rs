//! What a change changed: the fields that differ, before and after.

use netloom_model::lease::LeaseSpec;
use netloom_model::network::NetworkSpec;
use netloom_model::plan::PlanHead;
use netloom_model::sandbox::SandboxSpec;
use netloom_model::swarm::{JoinTokenSpec, NodeSpec, SwarmSpec};
use netloom_model::token::TokenSpec;
use serde::Serialize;
use serde_json::{Map, Value};

/// What the audit may show of an object: what a user wrote of it, of a plan what it is about. A type that holds a secret is none of these, so that no secret
/// gets into an entry whatever its field is called.
pub(crate) trait Audited: Serialize {}

impl Audited for NetworkSpec {}
impl Audited for SandboxSpec {}
impl Audited for LeaseSpec {}
impl Audited for TokenSpec {}
impl Audited for PlanHead {}
impl Audited for SwarmSpec {}
impl Audited for JoinTokenSpec {}
impl Audited for NodeSpec {}

/// The fields that a change changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Difference {
    /// As they were; nothing of what was made.
    pub(crate) before: Option<Map<String, Value>>,
    /// As they are then; nothing of what was removed.
    pub(crate) after: Option<Map<String, Value>>,
}

impl Difference {
    /// Of something that was made.
    pub(crate) fn made(spec: &impl Audited) -> Self {
        Self { before: None, after: Some(fields(spec)) }
    }

    /// Of something that is being removed.
    pub(crate) fn removed(spec: &impl Audited) -> Self {
        Self { before: Some(fields(spec)), after: None }
    }

    /// Of something that has another spec.
    pub(crate) fn changed<S: Audited>(before: &S, after: &S) -> Self {
        let (before, after) = differing(fields(before), fields(after));
        Self { before: Some(before), after: Some(after) }
    }
}

fn fields(spec: &impl Audited) -> Map<String, Value> {
    match serde_json::to_value(spec) {
        Ok(Value::Object(fields)) => fields,
        // No spec is anything but an object.
        _ => Map::new(),
    }
}

/// The fields of two objects that differ; of fields that are objects in both, likewise only what differs in them.
fn differing(before: Map<String, Value>, mut after: Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut was, mut is) = (Map::new(), Map::new());
    for (name, old) in before {
        match (old, after.remove(&name)) {
            (old, Some(new)) if old == new => {}
            (Value::Object(old), Some(Value::Object(new))) => {
                let (old, new) = differing(old, new);
                was.insert(name.clone(), old.into());
                is.insert(name, new.into());
            }
            (old, new) => {
                was.insert(name.clone(), old);
                new.into_iter().for_each(|new| drop(is.insert(name.clone(), new)));
            }
        }
    }
    is.extend(after);
    (was, is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told_and_nothing_is_null() {
        let object = |value: Value| value.as_object().cloned().expect("an object");
        let before =
            object(json!({"name": "a", "description": "x", "networks": {"n": {}, "m": {"mac": "1"}}, "gone": 1}));
        let after =
            object(json!({"name": "a", "description": "y", "networks": {"m": {"mac": "2"}, "k": {}}, "new": [2]}));
        let (was, is) = differing(before, after);
        assert_eq!(Value::from(was), json!({"description": "x", "networks": {"n": {}, "m": {"mac": "1"}}, "gone": 1}));
        assert_eq!(Value::from(is), json!({"description": "y", "networks": {"m": {"mac": "2"}, "k": {}}, "new": [2]}));
    }
}
