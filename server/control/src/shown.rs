//! What a request shows to be known, as its headers have it: a token or a session's secret. Read in one way by the API and the dashboard.

/// Name of the cookie that holds a dashboard session's secret.
pub const SESSION_COOKIE: &str = "netloom-session";

/// The token in the value of an `Authorization` header; nothing where that is of another scheme or empty.
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// The session's secret in the values of `Cookie` headers, if there is one.
pub fn session<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut pairs =
        values.into_iter().flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, secret)| *name == SESSION_COOKIE && !secret.is_empty()).map(|(_, secret)| secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_whatever_the_case_of_its_scheme() {
        for value in ["Bearer nlm_x", "bearer nlm_x", "BEARER  nlm_x "] {
            assert_eq!(bearer(value), Some("nlm_x"), "{value}");
        }
        for value in ["", "nlm_x", "Bearer", "Bearer ", "Basic nlm_x"] {
            assert_eq!(bearer(value), None, "{value}");
        }
    }

    #[test]
    fn the_secret_is_found_among_other_cookies() {
        assert_eq!(session(["a=b", "c=d; netloom-session=s3; e=f"]), Some("s3"));
        assert_eq!(session(["xnetloom-session=s3; netloom-session="]), None);
    }
}
