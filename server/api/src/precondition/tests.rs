//! What the headers may say, and what each of them comes to.

use actix_web::http::header::HeaderValue;

use super::*;

const HASH: &str = "0123456789abcdef";

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name.clone(), HeaderValue::from_str(value).expect("a value"));
    }
    map
}

#[test]
fn a_tag_is_read_as_it_was_given() {
    let whole = tag(57, "{}");
    assert_eq!(read(&whole).map(|tag| (tag.spec_revision, tag.whole)), Some((57, whole)));
}

#[test]
fn if_match_takes_strong_tags_of_ours_and_nothing_else() {
    let one = format!("\"7.{HASH}\"");
    let two = format!("{one} , \"9.{HASH}\",");
    let table = [
        ("*", Some(Precondition::Exists)),
        (one.as_str(), Some(Precondition::SpecIs(vec![7]))),
        (two.as_str(), Some(Precondition::SpecIs(vec![7, 9]))),
        ("", None),
        (",", None),
        ("7", None),
        ("\"7\"", None),
        ("\"seven.0123456789abcdef\"", None),
        ("\"07.0123456789abcdef\"", None),
        ("\"+7.0123456789abcdef\"", None),
        ("\"7.0123456789ABCDEF\"", None),
        ("\"7.0123456789abcde\"", None),
        ("\"99999999999999999999.0123456789abcdef\"", None),
        ("W/\"7.0123456789abcdef\"", None),
        ("\"7.0123456789abcdef", None),
        ("*, \"7.0123456789abcdef\"", None),
    ];
    for (text, wanted) in table {
        let found = if_match(&headers(&[(IF_MATCH, text)]));
        match wanted {
            Some(wanted) => assert_eq!(found.expect("taken"), wanted, "{text}"),
            None => {
                let problem = found.expect_err("refused");
                assert_eq!(problem.body().code, "invalid-precondition", "{text}");
                assert_eq!(problem.body().errors[0].pointer, "If-Match", "{text}");
                assert!(problem.body().errors[0].hint.is_some(), "{text}");
            }
        }
    }
    let twice = headers(&[(IF_MATCH, &one), (IF_MATCH, &format!("\"8.{HASH}\""))]);
    assert_eq!(if_match(&twice).expect("taken"), Precondition::SpecIs(vec![7, 8]));
}

#[test]
fn a_put_makes_or_changes() {
    let one = format!("\"7.{HASH}\"");
    let table = [
        (vec![], Ok(Precondition::None)),
        (vec![(IF_NONE_MATCH, "*")], Ok(Precondition::Absent)),
        (vec![(IF_MATCH, "*")], Ok(Precondition::Exists)),
        (vec![(IF_NONE_MATCH, one.as_str())], Err("If-None-Match")),
        (vec![(IF_MATCH, one.as_str()), (IF_NONE_MATCH, "*")], Err("If-None-Match")),
        (vec![(IF_MATCH, "x"), (IF_NONE_MATCH, "*")], Err("If-Match")),
    ];
    for (given, wanted) in table {
        let found = of_put(&headers(&given)).map_err(|problem| problem.body().errors[0].pointer.clone());
        assert_eq!(found, wanted.map_err(str::to_owned), "{given:?}");
    }
}

#[test]
fn a_get_goes_by_the_whole_tag() {
    let (one, other) = (format!("\"7.{HASH}\""), "\"7.fedcba9876543210\"");
    let known = |text: &str| IfNoneMatch(named(&headers(&[(IF_NONE_MATCH, text)]), &IF_NONE_MATCH).expect("taken"));
    assert!(known(&one).knows(&one) && known(&format!("{other}, {one}")).knows(&one) && known("*").knows(&one));
    assert!(!known(other).knows(&one) && !IfNoneMatch(None).knows(&one));
}
