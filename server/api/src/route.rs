//! Paths and methods that nobody serves.
//!
//! Each handler stands alone in the router, so a known path with another method ends here as well; the OpenAPI document,
//! which lists what is served, tells the two apart.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::header::ALLOW;
use serde::Deserialize;

use crate::problem::Problem;

/// A method served, with what it takes beside a body.
struct Served {
    method: String,
    parameters: Vec<Declared>,
}

/// A parameter of the query or a header, as declared.
pub(crate) struct Declared {
    /// Whether it is a header.
    pub(crate) header: bool,
    /// Its name.
    pub(crate) name: String,
    /// Most characters of its text, or of each of its texts.
    pub(crate) longest: Option<usize>,
    /// How often it may stand, where it is a list.
    pub(crate) most: Option<usize>,
}

/// Path templates as segments (`None` for a parameter), with the methods served.
type Table = Vec<(Vec<Option<String>>, Vec<Served>)>;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let document: Document = serde_json::from_str(crate::openapi::CHECKED_IN).expect("a test reads it");
    let served = |(method, operation): (String, Operation)| Served {
        method: method.to_uppercase(),
        parameters: operation.parameters.into_iter().filter(|taken| taken.place != "path").map(declared).collect(),
    };
    let row = |(path, methods): (String, BTreeMap<String, Operation>)| {
        let segments = path.split('/').map(|part| (!part.starts_with('{')).then(|| part.to_owned())).collect();
        (segments, methods.into_iter().map(served).collect())
    };
    document.paths.into_iter().map(row).collect()
});

/// What is read of the document: no more than the table needs.
#[derive(Deserialize)]
struct Document {
    paths: BTreeMap<String, BTreeMap<String, Operation>>,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(default)]
    parameters: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(rename = "in")]
    place: String,
    schema: Schema,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    max_length: Option<usize>,
    max_items: Option<usize>,
    items: Option<Box<Self>>,
}

fn declared(parameter: Parameter) -> Declared {
    let Schema { max_length, max_items, items } = parameter.schema;
    Declared {
        header: parameter.place == "header",
        name: parameter.name,
        longest: max_length.or_else(|| items.and_then(|items| items.max_length)),
        most: max_items,
    }
}

/// A request's path as the router reads it: what is encoded without need is decoded, so that no other spelling is another path.
pub(crate) fn path_of(request: &HttpRequest) -> &str {
    request.match_info().as_str()
}

/// What an operation takes in the query and in headers of its own; nothing where none is served.
pub(crate) fn takes(method: &str, path: &str) -> Option<&'static [Declared]> {
    let method = if method == "HEAD" { "GET" } else { method };
    let served = served_under(path)?.iter().find(|served| served.method == method)?;
    Some(&served.parameters)
}

/// Whether an operation takes a header of its own; nothing where none is served.
pub(crate) fn takes_header(method: &str, path: &str, header: &str) -> Option<bool> {
    Some(takes(method, path)?.iter().any(|taken| taken.header && taken.name == header))
}

/// 405 with `Allow` for a path that is served with other methods, 404 for one that isn't.
pub(crate) async fn unknown(request: HttpRequest) -> Result<&'static str, Problem> {
    let (method, path) = (request.method().as_str(), path_of(&request));
    match methods_of(path) {
        Some(allowed) => {
            let allowed = allowed.join(", ");
            Err(Problem::new(
                "method-not-allowed",
                format!("{method:.20} is not served under {path:.200}; {allowed} is"),
            )
            .header(ALLOW, &allowed))
        }
        None => Err(Problem::new("route-not-found", format!("nothing is served under {path:.200}"))),
    }
}

fn served_under(path: &str) -> Option<&'static [Served]> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &[Option<String>]| {
        template.len() == parts.len()
            && template.iter().zip(&parts).all(|(wanted, part)| wanted.as_ref().map_or(!part.is_empty(), |w| w == part))
    };
    TABLE.iter().find(|(template, _)| fits(template)).map(|(_, served)| served.as_slice())
}

fn methods_of(path: &str) -> Option<Vec<String>> {
    let mut allowed: Vec<String> = served_under(path)?.iter().map(|served| served.method.clone()).collect();
    if allowed.iter().any(|method| method == "GET") {
        allowed.push("HEAD".to_owned());
    }
    Some(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_paths_name_their_methods() {
        assert_eq!(methods_of("/api/v1/networks").expect("known"), ["GET", "POST", "HEAD"]);
        assert_eq!(
            methods_of("/api/v1/networks/n/leases/k").expect("known"),
            ["DELETE", "GET", "PATCH", "PUT", "HEAD"]
        );
        let takes = |method, path, header| takes_header(method, path, header);
        assert_eq!(takes("PATCH", "/api/v1/networks/n", "If-Match"), Some(true));
        assert_eq!(takes("HEAD", "/api/v1/networks/n", "If-None-Match"), Some(true));
        assert_eq!(takes("PATCH", "/api/v1/networks/n", "If-None-Match"), Some(false));
        assert_eq!(takes("GET", "/api/v1/networks", "If-None-Match"), Some(false));
        assert_eq!(takes("PUT", "/api/v1/networks", "If-Match"), None);
        for path in ["/api/v1/networks/", "/api/v1/nothing", "/", "/api/v1"] {
            assert_eq!(methods_of(path), None, "{path}");
        }
    }
}
