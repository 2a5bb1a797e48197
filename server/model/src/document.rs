//! JSON documents in: parsing with the failing field named, and JSON Merge Patch (RFC 7396).

mod meant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::invalid::{Code, Invalid};

/// Escapes a key for use in a JSON Pointer (RFC 6901, section 3).
pub fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Reads a value of type `T`; the refusal names the field by JSON Pointer and offers the nearest known field.
pub fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Invalid> {
    serde_path_to_error::deserialize(&value).map_err(|error| {
        let refused = explain(&error);
        match meant::value(&value, &refused) {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    })
}

/// Most that is told at once of what is wrong in a document.
const WRONG_MAX: usize = 32;

/// As [`parse`], of a document with objects in it, and all that can't be read in it is named. A list is no substitute for an object, though serde would
/// take its items in order.
pub fn parse_document<T: DeserializeOwned + Serialize>(value: &Value) -> Result<T, Vec<Invalid>> {
    let (mut known, mut wrong) = (value.clone(), Vec::new());
    // Reading ends at the first that is wrong: without it the next shows.
    let parsed: T = loop {
        match parse(known.clone()) {
            Ok(parsed) => break parsed,
            Err(refused) => {
                // What is needed and was left out just now is not missing: it was told what is wrong with it.
                let left_out = |one: &Invalid| one.pointer == refused.pointer;
                if refused.code == Code::Required && wrong.iter().any(left_out) {
                    return Err(wrong);
                }
                let goes_on = refused.code != Code::Required && remove(&mut known, &refused.pointer);
                wrong.push(refused);
                if !goes_on || wrong.len() == WRONG_MAX {
                    return Err(wrong);
                }
            }
        }
    };
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let echoed = serde_json::to_value(&parsed).unwrap_or_default();
    match list_for_object(value, &echoed, String::new()) {
        Some(pointer) => Err(vec![no_list(pointer)]),
        None => Ok(parsed),
    }
}

/// Removes the member at a JSON Pointer; whether it was there.
fn remove(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    let key = key.replace("~1", "/").replace("~0", "~");
    value.pointer_mut(parent).and_then(Value::as_object_mut).is_some_and(|members| members.remove(&key).is_some())
}

/// Members of an answered object that nobody writes.
const DECIDED: [&str; 7] = ["created_at", "created_by", "id", "revision", "spec_revision", "status", "updated_at"];

fn no_list(pointer: String) -> Invalid {
    let message = "an object is needed, not a list".to_owned();
    Invalid { pointer, code: Code::WrongType, value: None, message, hint: None }
}

/// Where the input has a list and the meaning is an object.
fn list_for_object(given: &Value, meant: &Value, pointer: String) -> Option<String> {
    match (given, meant) {
        (Value::Array(_), Value::Object(_)) => Some(pointer),
        (Value::Object(given), Value::Object(meant)) => {
            given.iter().filter_map(|(key, value)| Some((key, value, meant.get(key)?))).find_map(
                |(key, value, meant)| list_for_object(value, meant, format!("{pointer}/{}", escape_pointer(key))),
            )
        }
        _ => None,
    }
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
        if pointer.matches('/').count() == 1 && DECIDED.contains(&field) {
            refused.message = format!("`{field}` is not written, only answered");
            refused = refused.hint(format!("of what was read leave out {}", DECIDED.join(", ")));
        } else if let Some(meant) = meant::field(&known, field) {
            refused = refused.hint(format!("{meant}. Known fields: {}", known.join(", ")));
        } else if let Some(near) = nearest(&known, field) {
            refused = refused.hint(format!("did you mean `{near}`? Known fields: {}", known.join(", ")));
        } else if !known.is_empty() {
            refused = refused.hint(format!("known fields: {}", known.join(", ")));
        }
        return refused;
    }
    if let Some(field) = quoted(&message, "missing field `") {
        return Invalid::required(&format!("{pointer}/{}", escape_pointer(field)), format!("`{field}` is needed"));
    }
    if let Some(given) = quoted(&message, "unknown variant `") {
        let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        let refused = Invalid::new(&pointer, Code::Format, given, one_of(&known));
        return match meant::word(&known, given) {
            Some(hint) => refused.hint(hint),
            None => refused,
        };
    }
    in_our_words(pointer, message)
}

/// "one of `a`, `b` is needed".
pub fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [only] => format!("{only} is needed"),
        all => format!("one of {} is needed", all.join(", ")),
    }
}

/// A refusal by serde for its own reasons ("invalid type: string \"7\", expected u16"), said without the names of types.
fn in_our_words(pointer: String, message: String) -> Invalid {
    if message.starts_with("invalid length ") && message.contains(", expected struct ") {
        return no_list(pointer);
    }
    let refused = |code, message| Invalid { pointer: pointer.clone(), code, value: None, message, hint: None };
    let split = |kind: &str| message.strip_prefix(kind)?.rsplit_once(", expected ");
    if let Some((given, expected)) = split("invalid value: ")
        && let Some((least, most)) = bounds(expected)
    {
        let rule = format!("a whole number from {least} to {most} is needed");
        return Invalid { value: literal(given), ..refused(Code::OutOfRange, rule) };
    }
    match split("invalid type: ").or_else(|| split("invalid value: ")) {
        Some((given, expected)) => {
            let rule = format!("{} is needed, not {}", needed(expected), kind_of(given));
            Invalid { value: literal(given), ..refused(Code::WrongType, rule) }
        }
        None => refused(Code::WrongType, message.clone()),
    }
}

/// The numbers that a Rust type of whole numbers holds.
fn bounds(expected: &str) -> Option<(i128, i128)> {
    Some(match expected {
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" => (i64::MIN.into(), i64::MAX.into()),
        _ => return None,
    })
}

fn needed(expected: &str) -> &str {
    match expected {
        "a string" | "string or map" | "variant identifier" => "text",
        "a boolean" => "true or false",
        "a map" => "an object",
        "a sequence" => "a list",
        _ if expected.starts_with("struct ") => "an object",
        _ if bounds(expected).is_some() => "a whole number",
        _ => expected,
    }
}

/// What was given instead, as serde names it.
fn kind_of(given: &str) -> &'static str {
    match given.split([' ', ',']).next().unwrap_or_default() {
        "string" => "text",
        "integer" | "floating" => "this number",
        "boolean" => "true or false",
        "map" => "an object",
        "sequence" => "a list",
        "null" => "null",
        _ => "this",
    }
}

/// The given value, where serde repeats it: in backticks, or a text in quotes.
fn literal(given: &str) -> Option<String> {
    let quoted = |mark: char| Some(given.split_once(mark)?.1.rsplit_once(mark)?.0.chars().take(200).collect());
    quoted('`').or_else(|| quoted('"'))
}

/// The word that was meant, when one is so near that it was a slip.
pub fn nearest<'k>(known: &[&'k str], given: &str) -> Option<&'k str> {
    let length = given.chars().count();
    let most = if length < 4 { 1 } else { (length / 3).max(2) };
    let near = known.iter().min_by_key(|word| distance(word, given))?;
    (distance(near, given) <= most).then_some(near)
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
    fn all_unknown_fields_are_named_at_once_and_what_is_wrong_beside_them() {
        let given =
            json!({"name":"n","drivr":"host","driver":"bridge","bridge":{"isolatin":true},"status":{},"mtu":"x"});
        let all = parse_document::<NetworkSpec>(&given).expect_err("unknown");
        let told: Vec<_> = all.iter().map(|one| (one.pointer.as_str(), one.code)).collect();
        let unknown = |pointer| (pointer, Code::UnknownField);
        for wanted in [unknown("/drivr"), unknown("/bridge/isolatin"), unknown("/status"), ("/mtu", Code::WrongType)] {
            assert!(told.contains(&wanted), "{wanted:?}: {told:?}");
        }
        assert_eq!(told.len(), 4, "{told:?}");
        let given = json!({"name":1,"driver":"token-ring","zzz":1});
        let refused = parse_document::<NetworkSpec>(&given).expect_err("wrong");
        let told: Vec<_> = refused.iter().map(|one| one.pointer.as_str()).collect();
        assert!(told.contains(&"/driver") && !refused.iter().any(|one| one.code == Code::Required), "{refused:?}");
        let status = all.iter().find(|one| one.pointer == "/status").and_then(|one| one.hint.clone());
        assert!(status.expect("a hint").contains("spec_revision"));
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

    #[test]
    fn a_list_of_names_is_answered_with_the_object() {
        let given = json!({"name": "s", "networks": ["x", "y"]});
        let refused = parse::<crate::sandbox::SandboxSpec>(given).expect_err("a list");
        assert_eq!((refused.pointer.as_str(), refused.code), ("/networks", Code::WrongType));
        assert_eq!(refused.hint.as_deref(), Some(r#"give an object: {"x":{},"y":{}}"#));
    }

    #[test]
    fn only_a_slip_is_corrected() {
        let known = ["mtu", "name", "parent", "driver"];
        for (given, meant) in [("parrent", "parent"), ("naem", "name"), ("mtuu", "mtu"), ("drivers", "driver")] {
            assert_eq!(nearest(&known, given), Some(meant));
        }
        for given in ["foo", "x", "host", "colour", ""] {
            assert_eq!(nearest(&known, given), None, "{given}");
        }
    }

    #[test]
    fn a_list_is_no_object_however_long() {
        // As many items as the block has fields would be taken in their order.
        let fields = json!([null, null, null, null, null, null, null, null, null, null]);
        for (list, pointer) in [
            (json!({"name": "n", "driver": "bridge", "bridge": []}), "/bridge"),
            (json!({"name": "n", "driver": "bridge", "bridge": [1]}), "/bridge/0"),
            (json!({"name": "n", "driver": "bridge", "bridge": fields}), "/bridge"),
            (json!({"name": "n", "driver": "bridge", "pools": {"v4": []}}), "/pools/v4"),
            (json!([]), ""),
        ] {
            let refused = parse_document::<NetworkSpec>(&list).expect_err("refused").remove(0);
            assert_eq!((refused.code, refused.pointer.as_str()), (Code::WrongType, pointer), "{list}: {refused:?}");
            assert!(!refused.message.contains("struct"), "{refused:?}");
        }
    }

    #[test]
    fn refusals_name_no_types_of_ours() {
        let probe = |count: Value, kind: &str| {
            let refused =
                parse::<crate::probe::ProbeSpec>(json!({"from": "s", "kind": kind, "to": "x", "count": count}));
            let refused = refused.expect_err("refused");
            (refused.code, refused.message, refused.value.unwrap_or_default())
        };
        let cases = [
            (json!(10000), Code::OutOfRange, "a whole number from 0 to 255 is needed", "10000"),
            (json!(-1), Code::OutOfRange, "a whole number from 0 to 255 is needed", "-1"),
            (json!("a, expected b"), Code::WrongType, "a whole number is needed, not text", "a, expected b"),
            (json!(1.5), Code::WrongType, "a whole number is needed, not this number", "1.5"),
            (json!({}), Code::WrongType, "a whole number is needed, not an object", ""),
        ];
        for (count, code, message, value) in cases {
            assert_eq!(probe(count, "arp"), (code, message.to_owned(), value.to_owned()));
        }
        let wanted = (Code::Format, "one of `arp`, `icmp`, `tcp` is needed".to_owned(), "weird".to_owned());
        assert_eq!(probe(json!(1), "weird"), wanted);
    }
}
