//! An object's JSON, laid out and coloured: every part still goes through the template's escaping.

use askama::Template;
use serde::Serialize;
use serde_json::Value;

/// One piece of JSON text with its class; empty for punctuation and space.
#[derive(Debug, Clone)]
pub struct Token {
    pub(crate) class: &'static str,
    pub(crate) text: String,
}

/// JSON on a page.
#[derive(Debug, Clone, Template)]
#[template(path = "component/json.html")]
pub struct Json {
    tokens: Vec<Token>,
}

impl askama::filters::HtmlSafe for Json {}

impl Json {
    /// Lays out anything that can be written as JSON; what can't be leaves the block empty.
    pub fn of<T: Serialize>(value: &T) -> Self {
        let mut tokens = Vec::new();
        if let Ok(value) = serde_json::to_value(value) {
            lay_out(&mut tokens, &value, 0);
        }
        Self { tokens }
    }
}

fn push(tokens: &mut Vec<Token>, class: &'static str, text: impl Into<String>) {
    match tokens.last_mut() {
        Some(last) if class.is_empty() && last.class.is_empty() => last.text.push_str(&text.into()),
        _ => tokens.push(Token { class, text: text.into() }),
    }
}

fn lay_out(tokens: &mut Vec<Token>, value: &Value, depth: usize) {
    let line = |depth: usize| format!("\n{}", "  ".repeat(depth));
    match value {
        Value::Object(members) if members.is_empty() => push(tokens, "", "{}"),
        Value::Array(items) if items.is_empty() => push(tokens, "", "[]"),
        Value::Object(members) => {
            push(tokens, "", "{");
            for (at, (key, member)) in members.iter().enumerate() {
                push(tokens, "", format!("{}{}", if at > 0 { "," } else { "" }, line(depth + 1)));
                push(tokens, "j-key", Value::from(key.as_str()).to_string());
                push(tokens, "", ": ");
                lay_out(tokens, member, depth + 1);
            }
            push(tokens, "", format!("{}}}", line(depth)));
        }
        Value::Array(items) => {
            push(tokens, "", "[");
            for (at, item) in items.iter().enumerate() {
                push(tokens, "", format!("{}{}", if at > 0 { "," } else { "" }, line(depth + 1)));
                lay_out(tokens, item, depth + 1);
            }
            push(tokens, "", format!("{}]", line(depth)));
        }
        Value::String(_) => push(tokens, "j-text", value.to_string()),
        Value::Number(_) | Value::Bool(_) | Value::Null => push(tokens, "j-value", value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_same_json() {
        let value = serde_json::json!({"a": [1, {"b": "<x> \"y\""}], "c": {}, "d": [], "e": true});
        let text: String = Json::of(&value).tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(text, serde_json::to_string_pretty(&value).expect("plain values"));
    }
}
