//! What a node's refusals and control's own findings look like as conditions.

use netloom_model::condition::{self, Condition};
use netloom_model::plan::Refusal;
use netloom_model::report::LiveObject;

/// The conditions a node has for an object; a standing refusal is one of them.
pub(crate) fn of(live: Option<&LiveObject>) -> Vec<Condition> {
    let Some(live) = live else { return Vec::new() };
    let mut conditions = live.conditions.clone();
    if let Some(refusal) = &live.refusal {
        let refused = of_refusal(refusal);
        if !conditions.iter().any(|condition| condition.kind == refused.kind) {
            conditions.push(refused);
        }
    }
    conditions
}

/// A refusal as a condition.
pub(crate) fn of_refusal(refusal: &Refusal) -> Condition {
    let kind = match refusal.code.as_str() {
        "parent-missing" | "parent-down" => "ParentMissing",
        "namespace-gone" => condition::NAMESPACE_GONE,
        "address-conflict" => "AddressConflict",
        _ => "ApplyFailed",
    };
    let hint = refusal.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
    Condition::new(kind, &camel_case(&refusal.code), format!("{}{hint}", refusal.message))
}

/// `parent-down` as `ParentDown`.
fn camel_case(word: &str) -> String {
    word.split('-')
        .map(|part| {
            let mut letters = part.chars();
            letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_condition_with_its_cause() {
        let refusal = Refusal {
            code: "parent-down".into(),
            object: "network n".into(),
            operation: "check".into(),
            errno: None,
            message: "link `p` is down".into(),
            hint: Some("bring it up".into()),
        };
        let condition = of_refusal(&refusal);
        assert_eq!((condition.kind.as_str(), condition.reason.as_str()), ("ParentMissing", "ParentDown"));
        assert_eq!(condition.message, "link `p` is down (bring it up)");
    }
}
