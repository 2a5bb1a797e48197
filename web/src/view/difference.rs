//! What a change changed, field by field: each line has a sign, so that no colour is needed to read it.

use std::collections::BTreeMap;

use askama::Template;
use serde_json::{Map, Value};

use super::format;

/// Most lines of one change.
const SHOWN: usize = 60;
/// Most characters of one value.
const LONGEST: usize = 300;

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `+` for what came, `−` for what went, `~` for what is another now.
    pub(crate) sign: &'static str,
    /// The same in words.
    pub(crate) words: &'static str,
    /// The stylesheet's class.
    pub(crate) class: &'static str,
    /// Where in the object, with dots between.
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// The fields that differ.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "component/difference.html")]
pub struct Differences {
    pub(crate) lines: Vec<Line>,
    more: Option<String>,
}

impl askama::filters::HtmlSafe for Differences {}

impl Differences {
    /// What differs between two objects, of which either may not be there.
    pub fn new(before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>) -> Self {
        let (mut was, mut is) = (leaves(before), leaves(after));
        // A map that is empty on one side only says nothing: the lines of what is in it on the other do.
        let (in_was, in_is) = (was.clone(), is.clone());
        was.retain(|field, value| !(value == "{}" && has_under(&in_is, field)));
        is.retain(|field, value| !(value == "{}" && has_under(&in_was, field)));
        let mut fields: Vec<&String> = was.keys().chain(is.keys()).collect();
        fields.sort_unstable();
        fields.dedup();
        let mut lines: Vec<Line> =
            fields.into_iter().map(|field| Line::new(field, was.get(field).cloned(), is.get(field).cloned())).collect();
        let more = lines.len().saturating_sub(SHOWN) as u64;
        lines.truncate(SHOWN);
        Self { lines, more: (more > 0).then(|| format::counted(more, "more field", "more fields")) }
    }
}

impl Line {
    /// One field, as it was and as it is.
    pub fn new(field: &str, before: Option<String>, after: Option<String>) -> Self {
        let (sign, words, class) = match (&before, &after) {
            (None, _) => ("+", "added", "added"),
            (_, None) => ("−", "removed", "removed"),
            (Some(before), Some(after)) if before == after => ("=", "the same", "same"),
            _ => ("~", "changed", "changed"),
        };
        Self { sign, words, class, field: field.to_owned(), before, after }
    }
}

fn has_under(fields: &BTreeMap<String, String>, field: &str) -> bool {
    let under = format!("{field}.");
    fields.keys().any(|other| other.starts_with(&under))
}

/// Every field that is not an object with fields of its own.
fn leaves(object: Option<&Map<String, Value>>) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    for (name, value) in object.into_iter().flatten() {
        collect(&mut leaves, name.clone(), value);
    }
    leaves
}

fn collect(leaves: &mut BTreeMap<String, String>, field: String, value: &Value) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                collect(leaves, format!("{field}.{name}"), member);
            }
        }
        value => drop(leaves.insert(field, text(value))),
    }
}

fn text(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(before: Value, after: Value) -> Vec<String> {
        let differences = Differences::new(before.as_object(), after.as_object());
        let value = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        let line = |line: Line| format!("{} {} {} {}", line.sign, line.field, value(line.before), value(line.after));
        differences.lines.into_iter().map(line).collect()
    }

    #[test]
    fn fields_are_told_one_by_one_with_a_sign() {
        let made = lines(Value::Null, json!({"name": "a", "pools": {"v4": {"subnet": "10.0.0.0/24"}}, "mtu": 1400}));
        assert_eq!(made, ["+ mtu - 1400", "+ name - a", "+ pools.v4.subnet - 10.0.0.0/24"]);
        let changed = lines(json!({"description": "x", "labels": {"k": "v"}}), json!({"labels": {"k": "w", "l": "1"}}));
        assert_eq!(changed, ["− description x -", "~ labels.k v w", "+ labels.l - 1"]);
        let gone = lines(json!({"networks": {"n": {}}}), json!({"networks": {}}));
        assert_eq!(gone, ["− networks.n {} -"]);
        assert!(lines(json!({}), json!({})).is_empty());
    }

    #[test]
    fn no_value_fills_the_page() {
        let long = lines(json!({}), json!({"description": "ä".repeat(5000)}));
        assert!(long[0].chars().count() < 400 && long[0].ends_with('…'));
        let many: Map<String, Value> = (0..100).map(|at| (format!("f{at}"), Value::from(at))).collect();
        let many = Differences::new(None, Some(&many));
        assert_eq!((many.lines.len(), many.more.as_deref()), (60, Some("40 more fields")));
    }
}
