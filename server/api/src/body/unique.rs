//! JSON with every field once. RFC 8259 leaves open what a repeated one means, and the reader of the library takes the last:
//! what a proxy or a person read may then be another document than the one that is stored.

use std::fmt;

use netloom_model::document::escape_pointer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A field that stands twice in its object: its place, and its name.
pub(super) type Repeated = (String, String);

/// Reads a document, and says which field of it stands twice, the first one if there are several.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, Option<Repeated>), serde_json::Error> {
    let mut repeated = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Reader { pointer: String::new(), repeated: &mut repeated }.deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, repeated))
}

struct Reader<'r> {
    pointer: String,
    repeated: &'r mut Option<Repeated>,
}

impl Reader<'_> {
    fn inside(&mut self, segment: &str) -> Reader<'_> {
        Reader { pointer: format!("{}/{segment}", self.pointer), repeated: self.repeated }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is too large"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inside(&list.len().to_string()))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let segment = escape_pointer(&key);
            if members.contains_key(&key) && self.repeated.is_none() {
                *self.repeated = Some((format!("{}/{segment}", self.pointer), key.clone()));
            }
            let value = entries.next_value_seed(self.inside(&segment))?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}
