//! The document of version 3.0 has nothing that 3.0 does not know, and the same operations. What each word becomes is tested where that
//! is decided; that the whole is valid, by a validator in the suite `clients`.

use serde_json::Value;

use super::{document, operations, walk};

#[test]
fn it_has_the_words_of_3_0_alone() {
    let newer = document();
    let older: Value = serde_json::from_str(&netloom_api::openapi::document_3_0()).unwrap();
    assert_eq!(older["openapi"], "3.0.3");
    let ids = |document: &Value| -> Vec<Value> {
        operations(document).into_iter().map(|(_, _, operation)| operation["operationId"].clone()).collect()
    };
    assert_eq!(ids(&older), ids(&newer));
    let mut nullable = 0;
    walk(&older, "#", &mut |value, place| {
        if place.contains("/example") || place.ends_with("/properties") || !value.is_object() {
            return;
        }
        for word in ["const", "propertyNames", "prefixItems", "patternProperties", "contentMediaType", "$defs", "if"] {
            assert!(value.get(word).is_none(), "{place} has {word}");
        }
        assert!(!value["type"].is_array() && value["type"] != "null", "{place} has types of 3.1");
        assert!(!value["examples"].is_array(), "{place} has several examples");
        assert!(!value["exclusiveMinimum"].is_number() && !value["exclusiveMaximum"].is_number(), "{place}");
        if let Some(reference) = value["$ref"].as_str() {
            assert_eq!(value.as_object().unwrap().len(), 1, "{place}: what stands beside a reference is passed over");
            assert!(older.pointer(reference.trim_start_matches('#')).is_some(), "{place} leads nowhere: {reference}");
        }
        nullable += usize::from(value["nullable"] == true);
    });
    assert!(nullable > 10, "null removes in patches of 3.0, too");
}
