//! The guard around an application of a few routes.

use actix_web::body::to_bytes;
use actix_web::dev::Service;
use actix_web::http::header::{ACCEPT, COOKIE, HOST};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse};
use serde_json::Value;

use super::*;
use crate::body::Document;

/// What came back: status, headers as sent, and the document.
struct Answer {
    status: u16,
    headers: actix_web::http::header::HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The problem's code, after checking that it is a problem with its status and request ID.
    fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], self.status);
        assert_eq!(self.body["request_id"], self.header("x-request-id"));
        self.body["code"].as_str().expect("a code")
    }
}

async fn send(request: TestRequest) -> Answer {
    let settings = web::Data::new(Settings::default());
    let app = App::new()
        .app_data(settings)
        .route("/page", web::get().to(|| async { HttpResponse::Ok().content_type("text/html").body("{}") }))
        .route("/write", web::post().to(|_: Document| async { HttpResponse::NoContent().finish() }))
        .route("/bare", web::to(|| async { HttpResponse::MethodNotAllowed().finish() }))
        .route("/panic", web::get().to(panics))
        .service(web::scope("/api/v1").wrap(from_fn(crate::auth::require)))
        .default_service(web::to(crate::route::unknown))
        .wrap(from_fn(guard));
    let service = init_service(app).await;
    let response = match service.call(request.to_request()).await {
        Ok(answered) => answered.into_parts().1,
        Err(error) => error.error_response(),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.expect("a body");
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
}

async fn panics() -> HttpResponse {
    panic!("the secret of the house")
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header((HOST, "localhost:8080"))
}

fn post(path: &str) -> TestRequest {
    TestRequest::post().uri(path).insert_header((HOST, "localhost:8080"))
}

#[actix_web::test]
async fn an_answer_gets_its_headers_and_keeps_its_own() {
    let answer = send(get("/page").insert_header((headers::REQUEST_ID, "mine-1"))).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (200, "mine-1"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-security-policy"), headers::STRICT_POLICY);
    assert_eq!(answer.header("content-type"), "text/html");
    let answer = send(get("/page").insert_header((headers::REQUEST_ID, "not sane"))).await;
    assert!(answer.header("x-request-id").starts_with("req-"));
}

#[actix_web::test]
async fn foreign_names_and_sites_are_refused_before_anything_else() {
    let answer = send(TestRequest::get().uri("/page").insert_header((HOST, "evil.example"))).await;
    assert_eq!((answer.status, answer.problem()), (421, "host-not-allowed"));
    assert!(answer.body["hint"].as_str().expect("a hint").contains("--allowed-host evil.example"));
    let answer = send(post("/write").insert_header(("sec-fetch-site", "cross-site"))).await;
    assert_eq!((answer.status, answer.problem()), (403, "cross-site-request"));
    let answer = send(post("/write").insert_header(("origin", "http://evil.example"))).await;
    assert_eq!((answer.status, answer.problem()), (403, "cross-site-request"));
    assert_eq!(send(get("/page").insert_header(("sec-fetch-site", "cross-site"))).await.status, 200);
}

#[actix_web::test]
async fn bodies_are_bounded_and_declared() {
    let json = |text: String| post("/write").insert_header((CONTENT_TYPE, "application/json")).set_payload(text);
    assert_eq!(send(json("{}".to_owned())).await.status, 204);
    let answer = send(json(format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_MAX)))).await;
    assert_eq!((answer.status, answer.problem()), (413, "payload-too-large"));
    let answer = send(json("{}".to_owned()).insert_header((CONTENT_LENGTH, "1048577"))).await;
    assert_eq!((answer.status, answer.problem()), (413, "payload-too-large"));
    let answer = send(json("{".to_owned())).await;
    assert_eq!((answer.status, answer.problem()), (400, "malformed-json"));
    assert_eq!(answer.body["facts"]["line"], "1");
    let answer = send(post("/write").insert_header((CONTENT_TYPE, "text/plain")).set_payload("{}")).await;
    assert_eq!((answer.status, answer.problem()), (415, "unsupported-media-type"));
    let patch = send(post("/write").insert_header((CONTENT_TYPE, "application/merge-patch+json"))).await;
    assert_eq!(patch.status, 415, "a merge patch is for PATCH");
}

#[actix_web::test]
async fn what_is_not_served_is_told_apart() {
    let answer = send(get("/nothing")).await;
    assert_eq!((answer.status, answer.problem()), (404, "route-not-found"));
    let answer = send(post("/healthz")).await;
    assert_eq!((answer.status, answer.problem()), (405, "method-not-allowed"));
    assert_eq!(answer.header("allow"), "GET, HEAD");
    let answer = send(post("/bare")).await;
    assert_eq!((answer.status, answer.problem()), (405, "method-not-allowed"), "a bare refusal becomes a problem");
}

#[actix_web::test]
async fn a_head_is_answered_like_a_get() {
    let head = TestRequest::with_uri("/page").method(Method::HEAD).insert_header((HOST, "localhost"));
    assert_eq!(send(head).await.status, 200);
    let stream = TestRequest::with_uri("/page").method(Method::HEAD).insert_header((HOST, "localhost"));
    assert_eq!(send(stream.insert_header((ACCEPT, "text/event-stream"))).await.status, 404);
}

#[actix_web::test]
async fn a_panic_is_a_problem_that_tells_nothing() {
    let answer = send(get("/panic")).await;
    assert_eq!((answer.status, answer.problem()), (500, "internal"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!answer.body.to_string().contains("secret"));
}

#[actix_web::test]
async fn nobody_learns_what_exists_without_a_token() {
    for path in ["/api/v1/networks", "/api/v1/nothing"] {
        let answer = send(get(path)).await;
        assert_eq!((answer.status, answer.problem()), (401, "unauthenticated"));
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
}

#[actix_web::test]
async fn a_session_writes_only_with_proof_of_its_page() {
    let write = || post("/api/v1/networks").insert_header((COOKIE, "netloom-session=s3"));
    for request in [write(), write().insert_header(("sec-fetch-site", "same-site"))] {
        assert_eq!(send(request).await.problem(), "cross-site-request");
    }
    // With the proof it gets as far as the use cases, which this application does not have.
    assert_eq!(send(write().insert_header(("sec-fetch-site", "same-origin"))).await.status, 500);
}

#[test]
fn a_request_id_is_taken_over_only_when_it_is_harmless() {
    for good in ["a", "req-1", "0af7651916cd43dd8448eb211c80319c", "A_b.c"] {
        assert!(sane(good), "{good}");
    }
    for bad in ["", "a b", "a\n", "<x>", &"x".repeat(65), "é"] {
        assert!(!sane(bad), "{bad}");
    }
    assert!(sane(&RequestId::random().0));
}
