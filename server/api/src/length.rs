//! The lengths that the OpenAPI document declares of query parameters and headers, enforced for every operation alike.
//!
//! Forms that have a parser of their own (addresses, times, tags) are refused there anyway, and with better words; this is what keeps the
//! declared bound of a free text true.

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Query;
use netloom_model::invalid::{Code, Invalid};

use crate::problem::Problem;
use crate::query;
use crate::route::{self, Declared};

/// Middleware that refuses a text longer than declared.
pub(crate) async fn require(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    match too_long(request.request()) {
        Some(problem) => Ok(request.error_response(problem)),
        None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
    }
}

fn too_long(request: &HttpRequest) -> Option<Problem> {
    let declared = route::takes(request.method().as_str(), route::path_of(request))?;
    // A query that can't be read is refused by whoever reads it.
    let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string()).ok().map(Query::into_inner);
    for parameter in declared {
        let texts = pairs.iter().flatten().filter(|(name, _)| *name == parameter.name).map(|(_, text)| text.as_str());
        let texts: Vec<&str> = match query::BY_COMMAS.contains(&parameter.name.as_str()) {
            true => texts.flat_map(|text| text.split(',')).collect(),
            false => texts.collect(),
        };
        let given = texts.len();
        if let Some(most) = parameter.most.filter(|most| given > *most) {
            let message = format!("it may be given at most {most} times, not {given}");
            let invalid = Invalid::new(&format!("?{}", parameter.name), Code::TooLong, "", message);
            return Some(Problem::new("invalid-query", invalid.to_string()).error(invalid));
        }
        let Some(longest) = parameter.longest else { continue };
        let wrong = if parameter.header {
            let mut values = request.headers().get_all(&parameter.name).filter_map(|value| value.to_str().ok());
            values.find(|text| text.chars().count() > longest).map(str::to_owned)
        } else {
            texts.into_iter().find(|text| text.chars().count() > longest).map(str::to_owned)
        };
        if let Some(text) = wrong {
            return Some(refuse(parameter, longest, &text));
        }
    }
    None
}

fn refuse(parameter: &Declared, longest: usize, text: &str) -> Problem {
    let (code, place) = match parameter.header {
        true => ("malformed-request", parameter.name.clone()),
        false => ("invalid-query", format!("?{}", parameter.name)),
    };
    let message = format!("at most {longest} characters are taken, not {}", text.chars().count());
    let invalid = Invalid::new(&place, Code::TooLong, &text.chars().take(200).collect::<String>(), message);
    Problem::new(code, invalid.to_string()).error(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn refused(uri: &str) -> Option<String> {
        too_long(&TestRequest::with_uri(uri).to_http_request()).map(|problem| problem.body().errors[0].pointer.clone())
    }

    #[test]
    fn a_declared_length_is_kept() {
        let fits = "x".repeat(256);
        assert_eq!(refused(&format!("/api/v1/networks?q={fits}")), None);
        assert_eq!(refused(&format!("/api/v1/networks?q={fits}x")), Some("?q".to_owned()));
        assert_eq!(refused(&format!("/api/v1/networks?label=a&label={fits}x")), Some("?label".to_owned()));
        assert_eq!(refused(&format!("/api/v1/networks?{}", ["label=a"; 16].join("&"))), None);
        assert_eq!(refused(&format!("/api/v1/networks?{}", ["label=a"; 17].join("&"))), Some("?label".to_owned()));
        // Of a list by commas each word is one.
        assert_eq!(refused(&format!("/api/v1/events?kinds={}", ["lease"; 32].join(","))), None);
        assert_eq!(refused(&format!("/api/v1/events?kinds={}", ["lease"; 33].join(","))), Some("?kinds".to_owned()));
        assert_eq!(refused(&format!("/api/v1/events?kinds=lease,{}", "x".repeat(257))), Some("?kinds".to_owned()));
        assert_eq!(refused(&format!("/api/v1/net%77orks?q={fits}x")), Some("?q".to_owned()), "however it is spelled");
        // Characters are counted, not bytes.
        assert_eq!(refused(&format!("/api/v1/networks?q={}", "%C3%A9".repeat(256))), None);
        let events = TestRequest::with_uri("/api/v1/events").insert_header(("Last-Event-ID", "1".repeat(65)));
        let problem = too_long(&events.to_http_request()).expect("too long");
        assert_eq!((problem.body().status, problem.body().errors[0].pointer.as_str()), (400, "Last-Event-ID"));
    }
}
