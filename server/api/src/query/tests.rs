//! Queries, good and bad.

use super::*;

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Sample {
    #[serde(default, deserialize_with = "one")]
    limit: Option<u32>,
    #[serde(default, deserialize_with = "one")]
    contains_ip: Option<IpAddr>,
    #[serde(default)]
    label: Texts,
}

fn refused(query: &str) -> Invalid {
    let problem = read::<Sample>(query).expect_err(query);
    assert_eq!((problem.body().status, problem.body().code.as_str()), (400, "invalid-query"), "{query}");
    problem.body().errors[0].clone()
}

#[test]
fn parameters_are_typed_and_repeatable_where_that_means_something() {
    let sample: Sample = read("limit=7&contains_ip=fd00%3A%3A1&label=a=b&label=c").expect("good");
    assert_eq!((sample.limit, sample.contains_ip), (Some(7), Some("fd00::1".parse().expect("an address"))));
    let labels = sample.label.into_labels();
    assert_eq!(labels, [("a".to_owned(), Some("b".to_owned())), ("c".to_owned(), None)]);
    assert_eq!(read::<Sample>("").expect("empty").limit, None);
    assert_eq!(Texts(vec!["a,b".to_owned(), "c".to_owned()]).into_words(), ["a", "b", "c"]);
}

#[test]
fn an_unknown_parameter_is_refused_with_the_known_ones() {
    let invalid = refused("limt=7");
    assert_eq!((invalid.pointer.as_str(), invalid.code), ("?limt", Code::UnknownField));
    let hint = invalid.hint.expect("a hint");
    assert!(hint.contains("did you mean `limit`") && hint.contains("contains_ip"), "{hint}");
}

#[test]
fn a_bad_value_is_named() {
    let cases = [
        ("limit=many", "?limit"),
        ("limit=-1", "?limit"),
        ("limit=1&limit=2", "?limit"),
        ("contains_ip=x", "?contains_ip"),
    ];
    for (query, pointer) in cases {
        let invalid = refused(query);
        assert_eq!((invalid.pointer.as_str(), invalid.code), (pointer, Code::Format), "{query}");
        assert!(invalid.value.is_some(), "{query}");
        assert!(invalid.message.contains(" needed") || invalid.message.contains("more than once"), "{invalid}");
    }
}

#[test]
fn a_wait_has_a_unit_and_a_bound() {
    for (text, millis) in [("0s", 0), ("500ms", 500), ("30s", 30_000), ("5m", 300_000)] {
        assert_eq!(text.parse(), Ok(Wait(Duration::from_millis(millis))));
    }
    for text in ["", "30", "s", "301s", "-1s", "1h", "99999999999999999999s", "1.5s"] {
        assert!(text.parse::<Wait>().is_err(), "{text}");
    }
}

#[test]
fn write_options_follow_the_query() {
    let query: WriteQuery = read("dry_run=true&wait=1s&on_failure=keep").expect("good");
    let wanted =
        WriteOptions { dry_run: true, wait: Duration::from_secs(1), keep_on_failure: true, ..WriteOptions::default() };
    assert_eq!(query.options(), wanted);
    assert_eq!(read::<WriteQuery>("").expect("empty").options(), WriteOptions::default());
    assert!(read::<WriteQuery>("on_failure=shrug").is_err());
    assert!(read::<WriteQuery>("dry_run=yes").is_err());
}

#[test]
fn the_patience_of_a_request_is_read_as_its_wait_is() {
    for (query, seconds) in [
        ("", 30),
        ("dry_run=true", 30),
        ("wait=300s&dry_run=false", 300),
        ("wait=%3300s", 300),
        ("wait=x", 30),
        ("wait=0s", 0),
    ] {
        assert_eq!(patience(query), Duration::from_secs(seconds), "{query}");
    }
}
