//! Points in time: milliseconds since the Unix epoch inside, RFC 3339 in UTC outside.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// A point in time, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time such as 2026-01-31T12:00:00Z")]
pub struct ParseTimestampError(pub String);

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z; may be negative.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This time moved by a number of milliseconds, which may be negative; stops at the ends of the range.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// From when on something is asked for: a point in time, or so long before the question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// From this time on.
    At(Timestamp),
    /// So many milliseconds back.
    Ago(i64),
}

/// A text is neither of both.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an RFC 3339 time such as 2026-01-31T12:00:00Z nor a time back such as 10m, 1h, 24h or 7d")]
pub struct ParseSinceError(pub String);

impl Since {
    /// The time that is meant when it is `now`.
    pub const fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(millis) => now.plus_millis(-millis),
        }
    }
}

/// How long a letter behind a number is, in milliseconds.
const LETTERS: [(char, i64); 4] = [('s', 1000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];

impl FromStr for Since {
    type Err = ParseSinceError;
    fn from_str(text: &str) -> Result<Self, ParseSinceError> {
        let back = LETTERS.iter().find_map(|(letter, millis)| Some((text.strip_suffix(*letter)?, *millis)));
        let number = back.filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
        // A number of five digits is 273 years in days.
        let back = number
            .filter(|(number, _)| number.len() <= 5)
            .and_then(|(n, millis)| Some(n.parse::<i64>().ok()? * millis));
        match back {
            Some(millis) => Ok(Self::Ago(millis)),
            None => text.parse().map(Self::At).map_err(|_| ParseSinceError(text.to_owned())),
        }
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => time.fmt(f),
            Self::Ago(millis) => match LETTERS.iter().rev().find(|(_, long)| millis % long == 0) {
                Some((letter, long)) => write!(f, "{}{letter}", millis / long),
                None => write!(f, "{}s", millis / 1000),
            },
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|time| time.format(&form).ok());
        // Outside the years that the calendar type covers there is no RFC 3339 form; the bare number is still true.
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| ParseTimestampError(text.to_owned()))?;
        i64::try_from(time.unix_timestamp_nanos() / 1_000_000)
            .map(Self)
            .map_err(|_| ParseTimestampError(text.to_owned()))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .max_length(Some(40))
            .examples(["2026-01-31T12:00:00.000Z"])
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree() {
        let time: Timestamp = "2026-01-31T12:00:00.250Z".parse().expect("a good time");
        assert_eq!(time.millis(), 1_769_860_800_250);
        assert_eq!(time.to_string(), "2026-01-31T12:00:00.250Z");
        let east: Timestamp = "2026-01-31T14:00:00.250+02:00".parse().expect("a good time");
        assert_eq!(east, time);
    }

    #[test]
    fn a_time_back_is_told_from_a_time() {
        for (text, millis) in
            [("90s", 90_000), ("10m", 600_000), ("1h", 3_600_000), ("24h", 86_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(text.parse(), Ok(Since::Ago(millis)), "{text}");
        }
        assert_eq!(Since::Ago(600_000).to_string(), "10m");
        let time: Timestamp = "2026-01-31T12:00:00.000Z".parse().expect("a good time");
        assert_eq!("2026-01-31T12:00:00Z".parse(), Ok(Since::At(time)));
        assert_eq!(Since::Ago(60_000).at(time), "2026-01-31T11:59:00Z".parse().expect("a good time"));
        for text in ["", "m", "10", "-1h", "1.5h", "10 m", "123456d", "1w"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "1769860800"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
