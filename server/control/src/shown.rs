//! What a request shows to be known, as its headers have it: a token or a session's secret. Read in one way by the API and the dashboard.

use netloom_model::NodeId;

/// What the name of the cookie that holds a dashboard session's secret begins with.
pub const SESSION_COOKIE: &str = "netloom-session";

/// The cookie of this host's sessions. Browsers send a cookie to every port of a machine: were it of one name everywhere, a login at one service there
/// would be a logout at all others.
pub fn session_cookie(node: NodeId) -> String {
    let id = node.to_string();
    format!("{SESSION_COOKIE}-{}", id.rsplit('_').next().unwrap_or_default())
}

/// The token in the value of an `Authorization` header; nothing where that is of another scheme or empty.
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// The session's secret in the values of `Cookie` headers, if there is one under this name.
pub fn session<'a>(values: impl IntoIterator<Item = &'a str>, cookie: &str) -> Option<&'a str> {
    let mut pairs =
        values.into_iter().flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, secret)| *name == cookie && !secret.is_empty()).map(|(_, secret)| secret)
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
        assert_eq!(session(["a=b", "c=d; netloom-session=s3; e=f"], SESSION_COOKIE), Some("s3"));
        assert_eq!(session(["xnetloom-session=s3; netloom-session="], SESSION_COOKIE), None);
    }

    #[test]
    fn two_hosts_behind_one_name_have_a_cookie_each() {
        let (one, other) = (session_cookie(NodeId::from_random([1; 16])), session_cookie(NodeId::from_random([2; 16])));
        assert!(one != other && one.starts_with("netloom-session-"), "{one} {other}");
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "a cookie's name: {one}");
        let sent = format!("{one}=s1; {other}=s2");
        assert_eq!((session([sent.as_str()], &one), session([sent.as_str()], &other)), (Some("s1"), Some("s2")));
    }
}
