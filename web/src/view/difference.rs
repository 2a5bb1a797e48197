//! What an entry of the audit changed, field by field: by a sign, by the path of the field, and by what it was and is. What must not live here: how
//! an entry's fields are chosen (control).

use std::collections::BTreeMap;

use askama::Template;
use serde_json::{Map, Value};

use super::format;

/// Most fields of one change.
const SHOWN: usize = 60;
/// Most characters of one value.
const LONGEST: usize = 300;

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
    /// How many are not told.
    more: Option<String>,
}

impl askama::filters::HtmlSafe for FieldDifference {}

impl FieldDifference {
    /// Of what was and what is; nothing where the two are equal.
    pub fn new(before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>) -> Option<Self> {
        let (mut before, mut after) = (leaves(before), leaves(after));
        // A map that is empty on one side only says nothing: the fields of what is in it on the other do.
        let (was, is) = (before.clone(), after.clone());
        before.retain(|path, value| !(value == "{}" && has_under(&is, path)));
        after.retain(|path, value| !(value == "{}" && has_under(&was, path)));
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
        let mut fields: Vec<Field> = paths.into_iter().filter_map(field).collect();
        let more = fields.len().saturating_sub(SHOWN) as u64;
        fields.truncate(SHOWN);
        let more = (more > 0).then(|| format::counted(more, "more field", "more fields"));
        (!fields.is_empty()).then_some(Self { fields, more })
    }
}

fn has_under(fields: &BTreeMap<String, String>, path: &str) -> bool {
    let under = format!("{path}.");
    fields.keys().any(|other| other.starts_with(&under))
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
        Value::String(text) => drop(found.insert(path, short(text))),
        other => drop(found.insert(path, short(&other.to_string()))),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
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
    fn an_empty_map_says_nothing_beside_what_was_in_it_and_no_value_fills_the_page() {
        let (before, after) = (serde_json::json!({"networks": {"n": {}}}), serde_json::json!({"networks": {}}));
        assert_eq!(told(before, after), ["− networks.n: {} -> "]);
        let long = told(Value::Null, serde_json::json!({"description": "ä".repeat(5000)}));
        assert!(long[0].chars().count() < 400 && long[0].ends_with('…'));
        let many: Map<String, Value> = (0..100).map(|at| (format!("f{at}"), Value::from(at))).collect();
        let many = FieldDifference::new(None, Some(&many)).expect("fields");
        assert_eq!((many.fields.len(), many.more.as_deref()), (60, Some("40 more fields")));
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
