//! The tables of the dashboard: every one as CSV, leases in every order, search by anything, activity in one place, free subnets and addresses; and that
//! their pages are whole in both themes on a telephone and on a desk. What must not live here: the pages of the swarm, and what every page owes.

use std::time::Duration;

use netloom_tests::client::{Answer, Client};
use netloom_tests::{Host, json, until};

use super::furnished;

/// The same service over TCP with the administrator's token, as a program that reads pages.
fn reader(host: &Host) -> Client {
    host.tcp().header("authorization", &format!("Bearer {}", host.token()))
}

fn page(client: &Client, path: &str) -> String {
    let answer = client.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

fn led_to(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}: {}", answer.request, answer.text);
    answer.header("location").expect("somewhere").to_owned()
}

/// The lines of a CSV file, head first, without their ends.
fn lines(client: &Client, path: &str) -> Vec<String> {
    let answer = client.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/csv; charset=utf-8")), "{path}");
    assert!(answer.header("content-disposition").is_some_and(|how| how.starts_with("attachment; ")), "{path}");
    assert!(answer.text.ends_with("\r\n"), "{path}: {}", answer.text);
    answer.text.trim_end().split("\r\n").map(str::to_owned).collect()
}

#[test]
fn every_table_is_a_file_with_all_rows_of_its_filter() {
    let host = furnished();
    let client = host.client();
    // More than are read at once.
    let pool = json!({"v4": {"subnet": "10.60.0.0/20", "reserved": {"racks": "10.60.4.0-10.60.8.255"}}});
    let many =
        json!({"name": "many", "driver": "macvlan", "pools": pool, "macvlan": {"parent": "parent0", "probe": false}});
    client.post("networks", &many).is(201);
    let odd = json!({"key": "odd", "address": "10.60.0.9", "description": "=HYPERLINK(\"http://evil.test\",\"a, b\")"});
    let lease = client.post("networks/many/leases", &odd).is(201)["id"].as_str().expect("an ID").to_owned();
    let reader = reader(&host);

    let all = lines(&reader, "/ui/leases.csv?network=many&kind=reserved");
    assert!(all[0].starts_with("address,prefix_length,mac,network,pool,kind,state,owner_kind,owner,"), "{}", all[0]);
    let first = |line: &String| line.split(',').next().unwrap_or_default().to_owned();
    let told: std::collections::BTreeSet<String> = all.iter().map(first).collect();
    assert_eq!(told.len(), all.len(), "each once: {all:#?}");
    let by_api = client.all("leases?network=many&kind=reserved&limit=1000").len();
    assert!(by_api > 1000, "more than are read at once");
    assert_eq!(all.len(), 1 + by_api, "the head, and all that the API has");
    assert!(all[1..].iter().all(|line| line.contains(",many,v4,reserved,bound,")));
    let guarded = all.iter().find(|line| line.starts_with("10.60.0.9,")).expect("the reservation");
    assert!(guarded.contains(r#","'=HYPERLINK(""http://evil.test"",""a, b"")","#), "{guarded}");
    assert_eq!(lines(&reader, "/ui/networks/many/leases.csv").len(), all.len() + 1, "and the gateway");
    assert_eq!(lines(&reader, "/ui/leases.csv?network=many&sort=-address")[1].split(',').next(), Some("10.60.8.255"));

    let history = lines(&reader, &format!("/ui/leases/{lease}/history.csv"));
    assert!(history[1].contains(",lease.reserved,"), "{history:#?}");
    for (path, fact) in [
        ("/ui/networks.csv?q=macvlan", "macvlan-net1,ready,macvlan,local,192.168.122.0/24"),
        ("/ui/networks/macvlan-net1/endpoints.csv", "macvlan2,macvlan-net1,attached,eth0,"),
        ("/ui/sandboxes.csv?state=stopped", "macvlan3,stopped,macvlan-net1,held"),
        ("/ui/ipam.csv?network=macvlan-net1", "192.168.122.0/24,macvlan-net1,v4,4,192.168.122.1,"),
        ("/ui/ipam/macvlan-net1/v4.csv", "v4,192.168.122.5,192.168.122.8,"),
        ("/ui/addresses/192.168.122.2.csv", "192.168.122.2,sandbox,macvlan1,"),
        ("/ui/activity.csv?show=events&kind=sandbox.created&object=macvlan1", ",sandbox.created,sandbox,macvlan1,"),
        ("/ui/activity.csv?show=events&from=1h&kind=network", ",network.created,network,macvlan-net1,"),
        ("/ui/activity.csv?show=audit&kind=network", ",network.create,network,macvlan-net1,"),
        ("/ui/networks/macvlan-net1/history.csv", ",network.created,"),
        ("/ui/networks/macvlan-net1/map.csv", "192.168.122.2,24,02:42:c0:a8:7a:02,macvlan-net1,v4,dynamic,bound"),
        ("/ui/networks/many/map.csv", "10.60.5.0/24,256,256"),
        ("/ui/networks/macvlan-net1/config.csv", "settings,driver,macvlan,macvlan,as wanted"),
        ("/ui/sandboxes/macvlan1/endpoints.csv", "macvlan1,macvlan-net1,attached,eth0,"),
        ("/ui/sandboxes/macvlan1/history.csv", ",sandbox.created,"),
        ("/ui/ipam/free.csv?free=/24", ",4,254,"),
        ("/ui/topology.csv?network=macvlan-net1", ",macvlan-net1,192.168.122.2"),
        ("/ui/tokens.csv", "admin,admin,active"),
    ] {
        let told = lines(&reader, path);
        assert!(told[1..].iter().any(|line| line.contains(fact)), "{path}: {told:#?}");
    }
    let forwarded = reader.header("forwarded", "host=evil.test;proto=http").header("x-forwarded-host", "evil.test");
    let network = page(&forwarded, "/ui/networks/macvlan-net1");
    assert!(network.contains("http://127.0.0.1:8080/api/v1/") && !network.contains("evil.test"), "{network}");
    let around = page(&reader, "/ui/topology?of=macvlan1");
    assert!(around.contains("drawn, and not listed") && around.contains("as=graph"), "{around}");
    let one = lines(&reader, "/ui/activity.csv?show=events&kind=sandbox.created&object=macvlan1");
    assert_eq!(one.len(), 2, "the filter is kept: {one:#?}");
    assert_eq!(lines(&reader, "/ui/drift.csv")[0].split(',').next(), Some("difference"));
    assert_eq!(reader.get("/ui/nodes.csv").status, 404, "in no swarm there are none");
    assert_eq!(reader.get("/ui/leases.csv?kind=vip").status, 422);
}

#[test]
fn leases_come_in_every_order_and_each_filter_is_in_the_address() {
    let host = furnished();
    let reader = reader(&host);
    let at = |html: &str, address: &str| html.find(&format!("/ui/addresses/{address}\"")).unwrap_or(usize::MAX);
    let up = page(&reader, "/ui/leases?network=macvlan-net1");
    assert!(at(&up, "192.168.122.2") < at(&up, "192.168.122.3"));
    let down = page(&reader, "/ui/leases?network=macvlan-net1&sort=-address");
    assert!(at(&down, "192.168.122.3") < at(&down, "192.168.122.2"));
    assert!(
        down.contains("aria-sort=\"descending\"")
            && down.contains("/ui/leases.csv?network=macvlan-net1&amp;sort=-address")
            || down.contains("/ui/leases.csv?network=macvlan-net1&#38;sort=-address"),
        "{down}"
    );
    for query in
        ["mac=0242.c0a8.7a03", "mac=02-42-C0-A8-7A-03", "owner=macvlan2", "within=192.168.122.3/32", "q=0242c0a87a03"]
    {
        let found = page(&reader, &format!("/ui/leases?{query}"));
        assert!(at(&found, "192.168.122.3") < usize::MAX && at(&found, "192.168.122.2") == usize::MAX, "{query}");
    }
    assert_eq!(reader.get("/ui/leases?sort=mac").status, 422);
}

#[test]
fn what_is_named_exactly_is_gone_to_and_the_rest_is_listed() {
    let host = furnished();
    let reader = reader(&host);
    let search = |query: &str| reader.get(&format!("/ui/search?q={query}"));
    for (query, wanted) in [
        ("0242.c0a8.7a02", "/ui/addresses/192.168.122.2"),
        ("02-42-C0-A8-7A-02", "/ui/addresses/192.168.122.2"),
        ("0242c0a87a02", "/ui/addresses/192.168.122.2"),
        ("192.168.122.77", "/ui/addresses/192.168.122.77"),
        ("FD00::0:1", "/ui/addresses/fd00::1"),
        ("macvlan-net1", "/ui/networks/macvlan-net1"),
        ("net:macvlan-net1", "/ui/networks/macvlan-net1"),
        ("macvlan1", "/ui/sandboxes/macvlan1"),
    ] {
        assert_eq!(led_to(&search(query), 303), wanted, "{query}");
    }
    for (pasted, wanted) in [
        ("http://127.0.0.1:8080/ui/networks/macvlan-net1/leases", "/ui/networks/macvlan-net1"),
        ("/api/v1/sandboxes/macvlan1", "/ui/sandboxes/macvlan1"),
        ("(192.168.122.77:80),", "/ui/addresses/192.168.122.77"),
    ] {
        assert_eq!(led_to(&search(pasted), 303), wanted, "{pasted}");
    }
    let zeros = page(&reader, "/ui/search?q=192.168.122.010");
    assert!(zeros.contains("RFC 6943") && zeros.contains("/ui/search?q=192.168.122.10\""), "{zeros}");
    let entry = host.client().get("audit?limit=1").is(200)["items"][0].clone();
    let id = entry["request_id"].as_str().unwrap();
    let of_request = led_to(&search(id), 303);
    assert_eq!(of_request, format!("/ui/activity?show=audit&request_id={id}"));
    let told = page(&reader, &of_request);
    assert!(told.contains(entry["action"].as_str().unwrap()) && told.contains(id), "{told}");
    let stays = page(&reader, "/ui/search?q=macvlan1&stay=1");
    assert!(stays.contains(">exact<") && stays.contains("/ui/sandboxes/macvlan1"), "{stays}");
    let like = search("macvlan");
    assert_eq!(like.status, 200);
    assert!(like.text.contains("id=\"s-networks\"") && like.text.contains("id=\"s-sandboxes\""), "{}", like.text);
    let free = page(&reader, "/ui/addresses/192.168.122.7");
    assert!(
        free.contains("macvlan-net1") && free.contains("id=\"neighbours\"") && free.contains(">History<"),
        "{free}"
    );
}

#[test]
fn what_happened_and_who_asked_stand_in_one_place() {
    let host = furnished();
    let reader = reader(&host);
    let former = led_to(&reader.get("/ui/events?object=macvlan1&kind=sandbox"), 308);
    assert_eq!(former, "/ui/activity?show=events&object=macvlan1&kind=sandbox");
    let former = led_to(&reader.get("/ui/audit?action=network&decision=allowed"), 308);
    assert_eq!(former, "/ui/activity?show=audit&kind=network&decision=allowed");
    let audit = page(&reader, &former);
    assert!(audit.contains("network.create") && audit.contains("What changed") && audit.contains("<ins>"), "{audit}");
    let none = page(&reader, "/ui/activity?until=2020-01-31T12:00");
    assert!(none.contains("Nothing like that has happened"), "{none}");
    let made = host.client().post("tokens", &json!({"name": "v", "role": "viewer"})).is(201);
    let viewer = host.tcp().header("authorization", &format!("Bearer {}", made["secret"].as_str().unwrap()));
    assert!(!page(&viewer, "/ui/activity").contains("show=audit"), "what may not be seen is not offered");
    assert_eq!(viewer.get("/ui/activity?show=audit").status, 403);
    assert_eq!(viewer.get("/ui/activity.csv?show=audit").status, 403);
}

#[test]
fn a_free_subnet_is_found_with_the_command_that_takes_it() {
    let host = furnished();
    let reader = reader(&host);
    let found = page(&reader, "/ui/ipam?free=/24&family=4");
    let api = host.client().get("ipam/free-subnets?family=4&prefix_length=24").is(200);
    let first = api["items"][0]["subnet"].as_str().expect("a subnet").to_owned();
    assert!(found.contains(&first) && found.contains("/api/v1/networks"), "{first}: {found}");
    let body = json!({"name": "auto", "driver": "bridge", "pools": {"v4": {"prefix_length": 24}}});
    assert_eq!(host.client().post("networks", &body).is(201)["status"]["pools"]["v4"]["subnet"], first.as_str());
    assert_eq!(reader.get("/ui/ipam?free=huge").status, 422);
    let free = page(&reader, "/ui/ipam/macvlan-net1/v4?at_least=100");
    assert!(free.contains("192.168.122.184") && !free.contains("192.168.122.186"), "{free}");
    assert_eq!(reader.get("/ui/ipam/macvlan-net1/v9").status, 404);
    assert_eq!(reader.get("/ui/ipam/nothing/v4").status, 404);
}

#[test]
fn traffic_is_told_as_rates_from_the_second_look_on() {
    let host = furnished();
    let client = host.client();
    let first = client.get("sandboxes/macvlan1/traffic").is(200);
    let eth0 = first["items"].as_array().unwrap().iter().find(|one| one["interface"] == "eth0").expect("eth0");
    assert_eq!(eth0["samples"].as_array().map(Vec::len), Some(1));
    until("a look some seconds later is another sample", Duration::from_secs(20), || {
        let told = client.get("sandboxes/macvlan1/traffic").is(200);
        let eth0 = told["items"].as_array().unwrap().iter().find(|one| one["interface"] == "eth0")?.clone();
        (eth0["samples"].as_array().map(Vec::len) == Some(2)).then_some(())
    });
    assert!(page(&reader(&host), "/ui/sandboxes/macvlan1").contains("<polyline points="));
}

/// What stands in a page between a beginning and the next quotation mark.
fn linked(html: &str, begin: &str) -> String {
    let (_, rest) = html.split_once(begin).unwrap_or_else(|| panic!("{begin} is on it: {html}"));
    rest.split('"').next().unwrap_or_default().replace("&#38;", "&").replace("&amp;", "&")
}

#[test]
fn the_json_beside_a_further_page_is_of_that_page() {
    let host = furnished();
    let client = host.client();
    client.post("networks", &json!({"name": "many", "driver": "bridge"})).is(201);
    for number in 0..101 {
        let body = json!({"name": format!("s{number:03}"), "desired_state": "stopped", "networks": {"many": {}}});
        client.post("sandboxes", &body).is(201);
    }
    let reader = reader(&host);
    for path in
        ["/ui/networks/many/leases", "/ui/networks/many/endpoints", "/ui/sandboxes", "/ui/leases", "/ui/activity"]
    {
        let first = page(&reader, path);
        let (before, _) = first.split_once("rel=\"next\"").expect("there are more than on a page");
        let further = linked(&before[before.rfind("<a ").expect("a link")..], "href=\"");
        let html = page(&reader, &further);
        let data = linked(&html, "rel=\"alternate\" type=\"application/json\" href=\"");
        let items = reader.get(&data).is(200)["items"].as_array().map(Vec::len);
        assert!(data.contains("page_token=") && items == Some(html.matches("scope=\"row").count()), "{path}: {data}");
    }
}

#[test]
fn the_json_beside_a_page_has_what_is_on_the_page() {
    let host = furnished();
    let client = host.client();
    client.post("networks", &json!({"name": "web", "driver": "bridge", "labels": {"team": "web"}})).is(201);
    host.sandbox("w0", "web");
    client.post("tokens", &json!({"name": "v", "role": "viewer"})).is(201);
    let reader = reader(&host);
    for path in [
        "/ui/networks",
        "/ui/networks?driver=bridge",
        "/ui/networks?label=team%3Dweb",
        "/ui/networks?q=mac",
        "/ui/networks/macvlan-net1/leases",
        "/ui/networks/macvlan-net1/endpoints",
        "/ui/networks/web/history",
        "/ui/sandboxes?state=running",
        "/ui/sandboxes?state=stopped",
        "/ui/sandboxes?network=web",
        "/ui/ipam",
        "/ui/ipam?network=web",
        "/ui/leases",
        "/ui/leases?state=held",
        "/ui/leases?q=0242.c0a8.7a02",
        "/ui/leases?q=macvlan1",
        "/ui/activity?kind=sandbox",
        "/ui/activity?show=audit&kind=network",
        "/ui/tokens",
    ] {
        let html = page(&reader, path);
        let data = linked(&html, "rel=\"alternate\" type=\"application/json\" href=\"");
        let items = reader.get(&data).is(200)["items"].as_array().map(Vec::len);
        // A row, or what belongs together of several, has a head of its own.
        let rows = html.matches("scope=\"row").count();
        assert!(rows > 0, "{path}: something is on it");
        assert_eq!(Some(rows), items, "{path}: {data}");
    }
    let topology = page(&reader, "/ui/topology");
    assert!(topology.contains("href=\"/api/v1/topology?limit=50\""), "as many as on a page: {topology}");
}
