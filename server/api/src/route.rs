//! Paths and methods that nobody serves.
//!
//! Each handler stands alone in the router, so a known path with another method ends here as well; the OpenAPI document,
//! which lists what is served, tells the two apart.

use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::header::ALLOW;

use crate::problem::Problem;

/// Path templates as segments (`None` for a parameter), with the methods served.
type Table = Vec<(Vec<Option<String>>, Vec<String>)>;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let paths = crate::openapi::PARSED["paths"].as_object().into_iter().flatten();
    paths
        .map(|(path, item)| {
            let segments = path.split('/').map(|part| (!part.starts_with('{')).then(|| part.to_owned())).collect();
            let methods = item.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase()).collect();
            (segments, methods)
        })
        .collect()
});

/// 405 with `Allow` for a path that is served with other methods, 404 for one that isn't.
pub(crate) async fn unknown(request: HttpRequest) -> Result<&'static str, Problem> {
    let (method, path) = (request.method().as_str(), request.path());
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

fn methods_of(path: &str) -> Option<Vec<String>> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &[Option<String>]| {
        template.len() == parts.len()
            && template.iter().zip(&parts).all(|(wanted, part)| wanted.as_ref().map_or(!part.is_empty(), |w| w == part))
    };
    let (_, methods) = TABLE.iter().find(|(template, _)| fits(template))?;
    let mut allowed = methods.clone();
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
        assert_eq!(methods_of("/api/v1/networks/n/leases/k").expect("known"), ["DELETE", "GET", "HEAD"]);
        for path in ["/api/v1/networks/", "/api/v1/nothing", "/", "/api/v1"] {
            assert_eq!(methods_of(path), None, "{path}");
        }
    }
}
