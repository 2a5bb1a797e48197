//! Parts of lists: limits, and page tokens that hold a place in an order and the filters they belong to.
//!
//! A token is a key, not a snapshot: it never expires. It is opaque to clients.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use netloom_model::Invalid;
use netloom_model::invalid::Code;
use netloom_store::Place;

use crate::command::PageRequest;
use crate::error::{Error, ErrorKind};

/// Items per page unless said.
pub(crate) const LIMIT_DEFAULT: u32 = 100;
/// Most items per page.
const LIMIT_MAX: u32 = 1000;
/// Version of the form of tokens.
const FORM: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Token {
    /// Version of this form.
    v: u8,
    /// Place in the order.
    after: Place,
    /// Digest of the filters.
    filters: String,
}

/// The limit asked for.
///
/// # Errors
/// `?limit` out of range.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, Error> {
    match asked {
        None => Ok(LIMIT_DEFAULT),
        Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(limit) => {
            let message = format!("a page has 1 to {LIMIT_MAX} items");
            Err(Invalid::new("?limit", Code::OutOfRange, &limit.to_string(), message).into())
        }
    }
}

/// Which part of a list with these filters.
pub(crate) struct Part {
    /// How many items.
    pub(crate) limit: u32,
    /// Where the page before ended.
    pub(crate) after: Option<Place>,
    filters: String,
}

impl Part {
    /// Reads a request for a part. `filters` is any text that is the same for the same filters and order.
    ///
    /// # Errors
    /// A bad limit; a token that is none, or belongs to other filters.
    pub(crate) fn new(request: &PageRequest, filters: &str) -> Result<Self, Error> {
        let limit = limit(request.limit)?;
        let digest = Sha256::digest(filters.as_bytes());
        let filters = BASE64URL_NOPAD.encode(digest.get(..9).unwrap_or_default());
        let Some(text) = &request.token else { return Ok(Self { limit, after: None, filters }) };
        let refused = |detail: &str| {
            let hint =
                "start again without a page token, then pass each `next_page_token` with the same filters and `sort`";
            let errors = vec![Invalid::new("?page_token", Code::Format, text, detail).hint(hint)];
            Error { errors, ..Error::new(ErrorKind::Malformed, "invalid-page-token", detail).hint(hint) }
        };
        let token: Token = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|token: &Token| token.v == FORM)
            .ok_or_else(|| refused("the page token is not one that this service gave"))?;
        if token.filters != filters {
            return Err(refused("the page token belongs to a list with other filters, or in another order"));
        }
        Ok(Self { limit, after: Some(token.after), filters })
    }

    /// How many to read: one more than asked for shows whether there is a next page.
    pub(crate) const fn read(&self) -> u32 {
        self.limit + 1
    }

    /// Cuts what was read to the page, and makes the token for the next one.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, place: impl Fn(&T) -> Place) -> Option<String> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if rows.len() <= limit {
            return None;
        }
        rows.truncate(limit);
        let token = Token { v: FORM, after: place(rows.last()?), filters: self.filters.clone() };
        serde_json::to_vec(&token).ok().map(|bytes| BASE64URL_NOPAD.encode(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(limit: Option<u32>, token: Option<String>) -> PageRequest {
        PageRequest { limit, token }
    }

    fn place(name: &str) -> Place {
        serde_json::from_value(serde_json::json!({ "by": { "text": name }, "id": name })).expect("a place")
    }

    #[test]
    fn a_token_goes_on_where_the_page_ended() {
        let part = Part::new(&request(Some(2), None), "driver=macvlan").expect("good");
        let mut rows = vec!["a", "b", "c"];
        let token = part.cut(&mut rows, |row| place(row)).expect("there is more");
        assert_eq!(rows, ["a", "b"]);
        let next = Part::new(&request(Some(2), Some(token.clone())), "driver=macvlan").expect("good");
        assert_eq!(next.after, Some(place("b")));
        let refused = Part::new(&request(Some(2), Some(token)), "driver=host").err().expect("other filters");
        assert_eq!((refused.kind, refused.code), (ErrorKind::Malformed, "invalid-page-token"));
    }

    #[test]
    fn nonsense_and_bad_limits_are_refused() {
        for text in ["", "x", "e30", "%%"] {
            assert!(Part::new(&request(None, Some(text.to_owned())), "").is_err(), "{text}");
        }
        for limit in [0, 1001] {
            let refused = super::limit(Some(limit)).expect_err("out of range");
            assert_eq!(refused.errors[0].pointer, "?limit");
        }
    }
}
