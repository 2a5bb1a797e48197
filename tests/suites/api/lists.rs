//! Orders and pages of lists, as a client asks for them.

use netloom_tests::{Client, host, json};

/// Walks a list, two at a time, by the links that the pages give.
fn walk(client: &Client, list: &str, value: &str) -> Vec<String> {
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{list}&limit=2{token}")).is(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item.pointer(value).unwrap().to_string()));
        let Some(next) = page["next_page_token"].as_str() else { return seen };
        token = format!("&page_token={next}");
    }
}

#[test]
fn every_list_comes_in_the_orders_that_it_says_both_ways() {
    let host = host!();
    let client = host.start();
    for (number, name) in ["c", "a", "b"].iter().enumerate() {
        host.macvlan(name, &format!("10.16{number}.0.0/29"));
        host.sandbox(&format!("s{name}"), name);
    }
    let cases = [
        ("networks?q=", "/name", "name", vec!["a", "b", "bridge", "c", "host", "none"]),
        ("networks?driver=macvlan", "/name", "created_at", vec!["c", "a", "b"]),
        ("sandboxes?q=", "/name", "name", vec!["sa", "sb", "sc"]),
        ("sandboxes?q=", "/name", "created_at", vec!["sc", "sa", "sb"]),
        ("leases?kind=dynamic", "/status/owner/name", "address", vec!["sc", "sa", "sb"]),
        ("leases?kind=dynamic", "/status/owner/name", "owner", vec!["sa", "sb", "sc"]),
        ("leases?kind=dynamic", "/status/owner/name", "created_at", vec!["sc", "sa", "sb"]),
        ("networks/c/leases?kind=dynamic", "/status/owner/name", "owner", vec!["sc"]),
        ("ipam?family=4", "/network", "subnet", vec!["c", "a", "b"]),
    ];
    for (list, value, order, wanted) in cases {
        let mut wanted: Vec<String> = wanted.into_iter().map(|name| format!("\"{name}\"")).collect();
        assert_eq!(walk(&client, &format!("{list}&sort={order}"), value), wanted, "{list} by {order}");
        wanted.reverse();
        assert_eq!(walk(&client, &format!("{list}&sort=-{order}"), value), wanted, "{list} by -{order}");
    }
}

#[test]
fn an_order_that_is_not_there_is_refused_and_a_token_knows_its_order() {
    let host = host!();
    let client = host.start();
    let refused = client.get("networks?sort=driver").problem(400, "invalid-query");
    assert_eq!(refused["errors"][0]["pointer"], json!("?sort"));
    let said = refused["errors"][0].to_string();
    assert!(["name", "-name", "created_at", "-created_at"].iter().all(|order| said.contains(order)), "{said}");
    let token = client.get("networks?sort=-name&limit=1").is(200)["next_page_token"].as_str().unwrap().to_owned();
    client.get(&format!("networks?sort=-name&limit=1&page_token={token}")).is(200);
    for other in ["", "sort=name&", "sort=created_at&"] {
        let refused = client.get(&format!("networks?{other}page_token={token}")).problem(400, "invalid-page-token");
        assert!(refused["detail"].as_str().unwrap().contains("another order"), "{refused}");
        assert_eq!(refused["errors"][0]["pointer"], json!("?page_token"), "{refused}");
    }
}
