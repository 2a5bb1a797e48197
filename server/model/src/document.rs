//! JSON documents in: parsing with the failing field named, and JSON Merge Patch (RFC 7396).

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::invalid::{Code, Invalid};

/// Escapes a key for use in a JSON Pointer (RFC 6901, section 3).
pub fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Reads a value of type `T`; the refusal names the field by JSON Pointer and offers the nearest known field.
pub fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Invalid> {
    serde_path_to_error::deserialize(value).map_err(|error| explain(&error))
}

/// Applies a JSON Merge Patch: objects merge key by key, null removes, everything else replaces.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Removes every null-valued member, at any depth: an absent field and a null one mean the same when a whole document is written.
pub fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> Invalid {
    let mut pointer: String = error
        .path()
        .iter()
        .map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
            serde_path_to_error::Segment::Map { key } => format!("/{}", escape_pointer(key)),
            serde_path_to_error::Segment::Enum { variant } => format!("/{}", escape_pointer(variant)),
            serde_path_to_error::Segment::Unknown => String::new(),
        })
        .collect();
    let message = error.inner().to_string();
    if let Some(field) = quoted(&message, "unknown field `") {
        if !pointer.ends_with(&format!("/{}", escape_pointer(field))) {
            pointer = format!("{pointer}/{}", escape_pointer(field));
        }
        let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        let mut refused =
            Invalid::new(&pointer, Code::UnknownField, field, format!("there is no field `{field}` here"));
        if let Some(near) = known.iter().min_by_key(|k| distance(k, field)).filter(|k| distance(k, field) <= 3) {
            refused = refused.hint(format!("did you mean `{near}`? Known fields: {}", known.join(", ")));
        } else if !known.is_empty() {
            refused = refused.hint(format!("known fields: {}", known.join(", ")));
        }
        return refused;
    }
    if let Some(field) = quoted(&message, "missing field `") {
        return Invalid::required(&format!("{pointer}/{}", escape_pointer(field)), format!("`{field}` is needed"));
    }
    let given = quoted(&message, "unknown variant `").map(str::to_owned);
    let code = if given.is_some() { Code::Format } else { Code::WrongType };
    Invalid { pointer, code, value: given, message, hint: None }
}

fn quoted<'m>(message: &'m str, before: &str) -> Option<&'m str> {
    message.strip_prefix(before)?.split('`').next()
}

/// Levenshtein distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkSpec;
    use serde_json::json;

    #[test]
    fn merge_follows_the_rfc() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (mut target, patch, wanted) in cases {
            merge(&mut target, patch);
            assert_eq!(target, wanted);
        }
    }

    #[test]
    fn an_unknown_field_is_named_with_the_nearest_known_one() {
        let refused = parse::<NetworkSpec>(json!({"name":"n","driver":"macvlan","macvlan":{"parrent":"p"}}))
            .expect_err("unknown");
        assert_eq!((refused.pointer.as_str(), refused.code), ("/macvlan/parrent", Code::UnknownField));
        assert!(refused.hint.expect("a hint").contains("did you mean `parent`"));
    }

    #[test]
    fn a_missing_field_and_a_wrong_type_are_named() {
        let refused = parse::<NetworkSpec>(json!({"driver":"macvlan"})).expect_err("no name");
        assert_eq!((refused.pointer.as_str(), refused.code), ("/name", Code::Required));
        let refused = parse::<NetworkSpec>(json!({"name":1,"driver":"macvlan"})).expect_err("not a text");
        assert_eq!((refused.pointer.as_str(), refused.code), ("/name", Code::WrongType));
        let refused = parse::<NetworkSpec>(json!({"name":"n","driver":"token-ring"})).expect_err("no such driver");
        assert_eq!(refused.pointer, "/driver");
    }
}
