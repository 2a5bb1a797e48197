//! What the service tells the person who started it: where it is, and how to get in.

use std::net::SocketAddr;

use crate::cli::{Directories, quoted};

/// The address as a browser reaches it: an unspecified address is reached by the loopback's.
pub(crate) fn base_url(address: SocketAddr) -> String {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    format!("http://{ip}:{}", address.port())
}

/// A link that logs a browser in.
pub(crate) fn login_url(base: &str, secret: &str) -> String {
    format!("{base}/ui/login?link={secret}")
}

/// The lines printed when the service is ready. `link` is there at the first start, when nobody can be logged in.
pub(crate) fn lines(address: SocketAddr, directories: &Directories, link: Option<&str>) -> String {
    let base = base_url(address);
    let version = env!("CARGO_PKG_VERSION");
    let token = directories.token();
    let another = format!("netloom login-link{}", directories.run_flag());
    let login = match link {
        Some(secret) => {
            format!(
                "Log in      {}\n            (works once, for one hour; another: {another})",
                login_url(&base, secret)
            )
        }
        None => format!("Log in      {another} prints a link"),
    };
    format!(
        "Netloom {version} is ready.\n\
         API         {base}/api/v1    described at {base}/openapi.json\n\
         Dashboard   {base}/ui\n\
         {login}\n\
         Token       {}\n\
         Try         curl -H \"Authorization: Bearer $(cat {})\" {base}/api/v1/networks",
        token.display(),
        quoted(&token),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_becomes_one_that_a_browser_can_open() {
        assert_eq!(base_url("0.0.0.0:8080".parse().expect("an address")), "http://127.0.0.1:8080");
        assert_eq!(base_url("[::1]:80".parse().expect("an address")), "http://[::1]:80");
    }

    #[test]
    fn another_link_is_asked_of_this_service() {
        let said = |listen: &str, run: &str| {
            let directories = Directories { data_dir: "/var/lib/netloom".into(), run_dir: run.into() };
            lines(listen.parse().expect("an address"), &directories, None)
        };
        assert!(said("127.0.0.1:8080", "/run/netloom").contains("Log in      netloom login-link prints a link"));
        let elsewhere = said("127.0.0.1:9000", "/tmp/run");
        assert!(elsewhere.contains("netloom login-link --run-dir /tmp/run prints"), "{elsewhere}");
    }
}
