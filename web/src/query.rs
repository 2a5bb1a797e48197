//! The query of a page: which parameters the page knows, which it does not, and which are set aside because what they say is wrong, so that the page can
//! be shown without them and say so at its fields. What must not live here: what a parameter means (`pages`).

use std::collections::BTreeSet;

use actix_web::web::Query;
use netloom_control::{Error, ErrorKind};
use netloom_model::Invalid;
use netloom_model::invalid::Code;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor, value};
use serde::forward_to_deserialize_any;

use crate::view::link;
use crate::view::wrong::Wrong;

/// What control calls a parameter that a page has another name for.
const ALIASES: [(&str, &str); 4] =
    [("kinds", "kind"), ("actions", "kind"), ("prefix_length", "free"), ("since", "from")];
/// The place in a list: no field has it, and without it the list is shown from its beginning.
const PLACE: &str = "page_token";
/// Parameters that name an object: what is not found is theirs.
const REFERENCES: [&str; 3] = ["of", "network", "pool"];

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pairs: Vec<(String, String)>,
    /// What the page knows; nothing until it reads its query.
    known: Option<BTreeSet<&'static str>>,
    aside: Vec<Wrong>,
}

impl Asked {
    /// What stands in a query string.
    pub(crate) fn new(query: &str) -> Self {
        let pairs = Query::<Vec<(String, String)>>::from_query(query).map(Query::into_inner).unwrap_or_default();
        Self { pairs, ..Self::default() }
    }

    /// The parameters as a type of a page's own, without those that are set aside.
    pub(crate) fn read<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let known = fields::<T>();
        self.known.get_or_insert_default().extend(known);
        let is_aside = |name: &str| self.aside.iter().any(|wrong| wrong.name == name);
        let pairs: Vec<&(String, String)> = self.pairs.iter().filter(|(name, _)| !is_aside(name)).collect();
        for (at, (name, value)) in pairs.iter().enumerate() {
            if known.contains(&name.as_str()) && pairs.iter().skip(at + 1).any(|(other, _)| other == name) {
                return Err(wrong(name, value, "it is given twice, and the page takes one", None));
            }
            one::<T>(name, value).map_err(|cause| {
                // Serde's words: `unknown variant `x`, expected `a` or `b``.
                let allowed = cause.split_once("expected ").map(|(_, allowed)| allowed.to_owned());
                wrong(name, value, "not one of the values that it takes", allowed)
            })?;
        }
        let all: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        decoded(&all).map_err(|cause| {
            Error::new(ErrorKind::Malformed, "malformed-query", format!("the query can't be read: {cause}"))
        })
    }

    /// Sets aside what a failure says is wrong with parameters. False where it is about something else, or all of it is set aside already.
    pub(crate) fn set_aside(&mut self, failure: &Error) -> bool {
        let before = self.aside.len();
        for invalid in &failure.errors {
            let Some(pointer) = invalid.pointer.strip_prefix('?') else { return false };
            let alias = ALIASES.iter().find(|(known, _)| *known == pointer).map(|(_, name)| *name);
            let Some(name) = [Some(pointer), alias].into_iter().flatten().find(|name| self.has(name)) else {
                return false;
            };
            let hint = if name == PLACE { Some("shown from the beginning") } else { invalid.hint.as_deref() };
            // What was given, rather than what it was read as.
            self.put_aside(Wrong::new(name, self.value(name), &invalid.message, hint));
        }
        if failure.kind == ErrorKind::NotFound && failure.errors.is_empty() {
            let name = REFERENCES.into_iter().find(|name| self.has(name));
            let wrong = name.map(|name| Wrong::new(name, self.value(name), &failure.detail, failure.hint.as_deref()));
            wrong.into_iter().for_each(|wrong| self.put_aside(wrong));
        }
        self.aside.len() > before
    }

    /// Sets one aside.
    pub(crate) fn put_aside(&mut self, wrong: Wrong) {
        if !self.aside.iter().any(|known| known.name == wrong.name) {
            self.aside.push(wrong);
        }
    }

    /// How many are set aside.
    pub(crate) fn told(&self) -> usize {
        self.aside.len()
    }

    /// What is set aside.
    pub(crate) fn wrong(&self) -> Vec<Wrong> {
        self.aside.clone()
    }

    /// Parameters that the page does not know.
    pub(crate) fn ignored(&self) -> Vec<String> {
        let known = |name: &str| self.known.as_ref().is_some_and(|known| known.contains(name));
        let names: BTreeSet<&str> =
            self.pairs.iter().map(|(name, _)| name.as_str()).filter(|name| !known(name)).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    fn has(&self, name: &str) -> bool {
        let is_aside = self.aside.iter().any(|wrong| wrong.name == name);
        !is_aside && self.pairs.iter().any(|(known, value)| known == name && !value.is_empty())
    }

    fn value(&self, name: &str) -> String {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

fn wrong(name: &str, value: &str, message: &str, allowed: Option<String>) -> Error {
    let invalid = Invalid::new(&format!("?{name}"), Code::Format, value, message);
    match allowed {
        Some(allowed) => invalid.hint(allowed).into(),
        None => invalid.into(),
    }
}

fn one<T: DeserializeOwned>(name: &str, value: &str) -> Result<(), String> {
    decoded::<T>(&[(name, value)]).map(drop)
}

fn decoded<T: DeserializeOwned>(pairs: &[(&str, &str)]) -> Result<T, String> {
    let query = link::query(pairs);
    Query::<T>::from_query(query.trim_start_matches('?')).map(Query::into_inner).map_err(|cause| cause.to_string())
}

/// The names of a structure's fields, as it asks for them when it is read.
fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Names<'n>(&'n mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(value::Error::custom("only names are asked for"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(value::Error::custom("only names are asked for"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    let _ = T::deserialize(Names(&mut names));
    names
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Show {
        #[default]
        Events,
        Audit,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Filter {
        show: Show,
        r#as: String,
        kind: String,
    }

    #[test]
    fn what_a_page_does_not_know_is_named() {
        let mut asked = Asked::new("as=table&drver=macvlan&x=1&x=2");
        let filter: Filter = asked.read().expect("readable");
        assert_eq!(filter, Filter { r#as: "table".into(), ..Filter::default() });
        assert_eq!(asked.ignored(), ["drver", "x"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right_and_set_aside() {
        let mut asked = Asked::new("show=foo&as=table");
        let refused = asked.read::<Filter>().expect_err("no such value");
        let invalid = &refused.errors[0];
        assert_eq!((invalid.pointer.as_str(), invalid.hint.as_deref()), ("?show", Some("`events` or `audit`")));
        assert!(asked.set_aside(&refused) && !asked.set_aside(&refused));
        assert_eq!(asked.read::<Filter>().expect("without it").r#as, "table");
        assert_eq!((asked.wrong()[0].name.as_str(), asked.wrong()[0].value.as_str()), ("show", "foo"));
        let twice = Asked::new("kind=a&kind=b").read::<Filter>().expect_err("twice");
        assert!(twice.errors[0].message.contains("twice"), "{twice:?}");
    }

    #[test]
    fn a_failure_is_a_parameters_own_where_it_names_it_or_what_it_refers_to() {
        let invalid = |pointer: &str| Error::from(Invalid::new(pointer, Code::NotFound, "foo", "none"));
        let mut asked = Asked::new("kind=foo&network=web&page=");
        assert!(asked.set_aside(&invalid("?kinds")));
        let mut place = Asked::new("page_token=zz");
        assert!(place.set_aside(&invalid("?page_token")));
        assert!(place.wrong()[0].hint.is_some(), "what the page does without it");
        assert!(!asked.set_aside(&invalid("?page")) && !asked.set_aside(&invalid("/name")));
        assert!(asked.set_aside(&Error::not_found("network", "web")));
        assert!(!asked.set_aside(&Error::not_found("network", "web")), "then it is about something else");
        assert!(!asked.set_aside(&Error::new(ErrorKind::Forbidden, "forbidden", "no")));
    }
}
