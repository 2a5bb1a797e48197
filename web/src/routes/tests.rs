//! What the routes do before anybody is known: these need neither a store nor a node.

use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode, header};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};

use super::routes;

struct Answer {
    status: StatusCode,
    headers: header::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn ask(request: TestRequest) -> Answer {
    let app = init_service(App::new().configure(routes)).await;
    let answer = call_service(&app, request.to_request()).await;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = to_bytes(answer.into_body()).await.unwrap_or_else(|_| web::Bytes::new());
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

async fn get(path: &str) -> Answer {
    ask(TestRequest::get().uri(path)).await
}

#[actix_web::test]
async fn the_root_leads_to_the_dashboard() {
    for path in ["/", "/ui/"] {
        let answer = get(path).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::PERMANENT_REDIRECT, "/ui"), "{path}");
    }
}

#[actix_web::test]
async fn a_slash_at_the_end_leads_to_the_page() {
    let answer = get("/ui/networks/?driver=bridge").await;
    let wanted = (StatusCode::PERMANENT_REDIRECT, "/ui/networks?driver=bridge");
    assert_eq!((answer.status, answer.header("location")), wanted);
    assert_eq!(get("/ui//example.net/").await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn every_page_asks_for_a_login_and_comes_back() {
    assert_eq!(get("/ui").await.header("location"), "/ui/login");
    for path in [
        "/ui/networks",
        "/ui/networks/macvlan-net1",
        "/ui/networks/macvlan-net1/map",
        "/ui/networks/macvlan-net1/leases",
        "/ui/networks/macvlan-net1/endpoints",
        "/ui/networks/macvlan-net1/health",
        "/ui/networks/macvlan-net1/config",
        "/ui/networks/macvlan-net1/history",
        "/ui/networks/macvlan-net1/json",
        "/ui/sandboxes",
        "/ui/sandboxes/macvlan1",
        "/ui/sandboxes/macvlan1/json",
        "/ui/leases",
        "/ui/addresses/192.168.122.2",
        "/ui/addresses/fd00::2",
        "/ui/swarm",
        "/ui/swarm/join",
        "/ui/swarm/join/jtk_x/rotate",
        "/ui/swarm/join/jtk_x/revoke",
        "/ui/nodes",
        "/ui/nodes/machine2",
        "/ui/nodes/machine2/remove",
        "/ui/topology",
        "/ui/drift",
        "/ui/activity",
        "/ui/events",
        "/ui/audit",
        "/ui/tokens",
        "/ui/search",
        "/ui/sandboxes/macvlan1/history",
        "/ui/leases/lse_x/history",
        "/ui/nodes/machine2/history",
        "/ui/networks.csv",
        "/ui/networks/macvlan-net1/map.csv",
        "/ui/networks/macvlan-net1/health.csv",
        "/ui/networks/macvlan-net1/config.csv",
        "/ui/sandboxes/macvlan1/endpoints.csv",
        "/ui/sandboxes/macvlan1/history.csv",
        "/ui/leases/lse_x/history.csv",
        "/ui/nodes/machine2/history.csv",
        "/ui/ipam/free.csv",
        "/ui/swarm/join.csv",
        "/ui/networks/macvlan-net1/leases.csv",
        "/ui/networks/macvlan-net1/history.csv",
        "/ui/topology.csv",
        "/ui/networks/macvlan-net1/endpoints.csv",
        "/ui/sandboxes.csv",
        "/ui/ipam.csv",
        "/ui/ipam/macvlan-net1/v4",
        "/ui/ipam/macvlan-net1/v4.csv",
        "/ui/leases.csv",
        "/ui/addresses/192.168.122.2.csv",
        "/ui/nodes.csv",
        "/ui/drift.csv",
        "/ui/activity.csv",
        "/ui/tokens.csv",
    ] {
        let answer = get(path).await;
        let wanted = format!("/ui/login?next={path}");
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, wanted.as_str()));
    }
    let answer = get("/ui/leases?state=held&owner=a%20b").await;
    assert_eq!(answer.header("location"), "/ui/login?next=/ui/leases%3Fstate%3Dheld%26owner%3Da%2520b");
}

/// Every address that a form which changes something is sent to.
const CHANGES: [&str; 5] = [
    "/ui/swarm/join",
    "/ui/swarm/join/jtk_x/rotate",
    "/ui/swarm/join/jtk_x/revoke",
    "/ui/nodes/machine2",
    "/ui/nodes/machine2/remove",
];

fn sent(path: &str, header: (&'static str, &'static str)) -> TestRequest {
    let form = ("content-type", "application/x-www-form-urlencoded");
    TestRequest::post().uri(path).insert_header(("host", "127.0.0.1:8080")).insert_header(form).insert_header(header)
}

#[actix_web::test]
async fn forms_of_other_sites_are_refused_before_anything_else() {
    for path in CHANGES {
        for header in
            [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "http://evil.test")]
        {
            let answer = ask(sent(path, header)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {header:?}");
            assert!(answer.body.contains("cross-site-request"), "{path}: {}", answer.body);
        }
    }
}

#[actix_web::test]
async fn a_form_sent_after_the_session_ended_leads_back_to_its_page() {
    for path in CHANGES {
        let answer = ask(sent(path, ("sec-fetch-site", "same-origin"))).await;
        let wanted = format!("/ui/login?next={path}");
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, wanted.as_str()));
    }
}

#[actix_web::test]
async fn every_answer_is_guarded() {
    for path in ["/ui", "/ui/login", "/ui/nowhere", "/ui/static/app.css"] {
        let answer = get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let kept = answer.header("cache-control") != "no-store";
        assert_eq!(kept, path.starts_with("/ui/static/"), "{path}");
    }
}

#[actix_web::test]
async fn what_is_not_there_is_a_page_too() {
    let answer = get("/ui/nowhere/%3Cscript%3E").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("route-not-found") && !answer.body.contains("<script>"));
    assert!(answer.header("content-type").starts_with("text/html"));
    for (method, path) in [
        (Method::POST, "/ui/networks"),
        (Method::PUT, "/ui/nodes/machine2"),
        (Method::DELETE, "/ui/login"),
        (Method::GET, "/ui/logout"),
    ] {
        let answer = ask(TestRequest::default().method(method.clone()).uri(path)).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
    }
}

#[actix_web::test]
async fn assets_are_kept_by_content() {
    let url = crate::assets::url("app.css");
    let first = get(&url).await;
    assert_eq!((first.status, first.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert!(first.header("cache-control").contains("immutable"));
    let tag = first.header("etag").to_owned();
    let again = ask(TestRequest::get().uri(&url).insert_header(("if-none-match", tag))).await;
    assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(get("/ui/static/app.css").await.header("cache-control"), "no-cache", "it may be another tomorrow");
    assert_eq!(get("/ui/static/favicon.svg").await.header("content-type"), "image/svg+xml");
    for path in ["/ui/static/nothing.css", "/ui/static/../Cargo.toml", "/ui/static/%2e%2e/Cargo.toml", "/ui/static/"] {
        assert_eq!(get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[actix_web::test]
async fn a_request_keeps_its_id() {
    let given = ask(TestRequest::get().uri("/ui/nowhere").insert_header(("x-request-id", "req-77"))).await;
    assert!(given.body.contains("req-77"));
    let odd = ask(TestRequest::get().uri("/ui/nowhere").insert_header(("x-request-id", "a b"))).await;
    assert!(odd.body.contains(">req-") && !odd.body.contains("a b<"));
}
