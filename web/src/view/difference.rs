//! What an entry of the audit changed, field by field: by a sign, by the path of the field, and by what it was and is. What must not live here: how
//! an entry's fields are chosen (control).

use std::collections::BTreeMap;

use askama::Template;
use serde_json::{Map, Value};

/// A field that is otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// `+` for what is new, `−` for what is gone, `~` for what is otherwise.
    pub(crate) sign: &'static str,
    /// The same as a word.
    pub(crate) word: &'static str,
    pub(crate) class: &'static str,
    pub(crate) path: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// Fields that are otherwise.
#[derive(Debug, Clone, Template)]
#[template(path = "component/difference.html")]
pub struct FieldDifference {
    fields: Vec<Field>,
}

impl askama::filters::HtmlSafe for FieldDifference {}

impl FieldDifference {
    /// Of what was and what is; nothing where the two are equal.
    pub fn new(before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>) -> Option<Self> {
        let (before, after) = (leaves(before), leaves(after));
        let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
        paths.sort();
        paths.dedup();
        let field = |path: &String| {
            let (was, is) = (before.get(path).cloned(), after.get(path).cloned());
            let (sign, word, class) = match (&was, &is) {
                (None, _) => ("+", "added", "good"),
                (Some(_), None) => ("−", "removed", "bad"),
                (Some(was), Some(is)) if was == is => return None,
                (Some(_), Some(_)) => ("~", "changed", "warn"),
            };
            Some(Field { sign, word, class, path: path.clone(), before: was, after: is })
        };
        let fields: Vec<Field> = paths.into_iter().filter_map(field).collect();
        (!fields.is_empty()).then_some(Self { fields })
    }
}

/// Every value that has no fields of its own, by its path.
fn leaves(fields: Option<&Map<String, Value>>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (key, value) in fields.into_iter().flatten() {
        collect(key.clone(), value, &mut found);
    }
    found
}

fn collect(path: String, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(key, member)| collect(format!("{path}.{key}"), member, found));
        }
        Value::String(text) => drop(found.insert(path, text.clone())),
        other => drop(found.insert(path, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: Value, after: Value) -> Vec<String> {
        let difference = FieldDifference::new(before.as_object(), after.as_object());
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let line =
            |field: &Field| format!("{} {}: {} -> {}", field.sign, field.path, text(&field.before), text(&field.after));
        difference.map(|one| one.fields.iter().map(line).collect()).unwrap_or_default()
    }

    #[test]
    fn each_field_is_told_by_its_path() {
        let before = serde_json::json!({"mtu": 1500, "labels": {"rack": "7", "row": "a"}, "same": [1]});
        let after = serde_json::json!({"mtu": 1400, "labels": {"rack": "7", "floor": "2"}, "same": [1]});
        assert_eq!(told(before, after), ["+ labels.floor:  -> 2", "− labels.row: a -> ", "~ mtu: 1500 -> 1400"]);
    }

    #[test]
    fn what_was_made_has_only_new_fields_and_equal_ones_are_not_told() {
        assert_eq!(
            told(Value::Null, serde_json::json!({"name": "a", "pools": {}})),
            ["+ name:  -> a", "+ pools:  -> {}"]
        );
        assert_eq!(told(serde_json::json!({"name": "a"}), Value::Null), ["− name: a -> "]);
        assert!(told(serde_json::json!({"a": 1}), serde_json::json!({"a": 1})).is_empty());
    }
}
