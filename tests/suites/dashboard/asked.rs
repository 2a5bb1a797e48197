//! What somebody asks of a page and gets wrong: the same page says so, at its field; and what is asked for and was removed.

use fantoccini::Locator;
use netloom_tests::browser::{Page, browse};
use netloom_tests::json;

use super::{aside, furnished, link, log_in};

async fn text(page: &Page, selector: &str) -> String {
    page.window.find(Locator::Css(selector)).await.expect("it is there").text().await.expect("it has text")
}

async fn open(page: &Page, path: &str) {
    page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
}

#[test]
fn a_wrong_field_is_marked_on_the_page_that_it_is_of() {
    let host = furnished();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        for (path, field, title, value, said) in [
            ("/ui/ipam?free=999", "free", "IPAM", "999", "not the length of a prefix"),
            ("/ui/ipam?free=/40", "free", "IPAM", "/40", "bits"),
            ("/ui/activity?kind=foo", "kind", "Activity", "foo", "no event is of this kind"),
            ("/ui/topology?as=graph&of=nothing", "of", "Topology", "nothing", "not the ID"),
            ("/ui/topology?as=graph&of=network:nothing", "of", "Topology", "network:nothing", "there is no network"),
            ("/ui/leases?network=nothing", "network", "Leases", "nothing", "there is no network"),
            ("/ui/leases?state=odd&mac=zz", "mac", "Leases", "zz", "not an Ethernet address"),
        ] {
            open(&page, path).await;
            assert_eq!(text(&page, "h1").await, title, "{path}");
            let marked = page.window.find(Locator::Css(&format!("[name={field}][aria-invalid=true]"))).await;
            let marked = marked.unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(marked.prop("value").await.unwrap().as_deref(), Some(value), "{path}: what was typed stays");
            let told = marked.attr("aria-describedby").await.unwrap().expect("what is wrong is told");
            let told = text(&page, &format!("#{told}")).await;
            assert!(told.contains(said), "{path}: {told}");
            assert!(text(&page, "main [role=alert]").await.contains(field), "{path}");
            assert!(page.window.find(Locator::Css("[data-live]")).await.is_err(), "{path}: it stays as it is");
        }
        // Where no field has it, and where it is the box at the top.
        for (path, title, said) in [
            ("/ui/leases?page_token=zz", "Leases", "shown from the beginning"),
            ("/ui/networks/macvlan-net1/history?page_token=zz", "macvlan-net1", "shown from the beginning"),
            ("/ui/networks/macvlan-net1/map?block=10.9.0.0/24", "macvlan-net1", "no pool with an address of"),
            ("/ui/ipam/macvlan-net1/v4?at_least=many", "Free in 192.168.122.0/24", "not a whole number"),
            ("/ui/topology?columns=zz", "Topology", "not the number of a part"),
            ("/ui/search?q=a&q=b", "Search", "given twice"),
            ("/ui/events?kind=a&kind=b", "Activity", "given twice"),
        ] {
            open(&page, path).await;
            assert_eq!(text(&page, "h1").await, title, "{path}");
            let told = text(&page, "main [role=alert]").await;
            assert!(told.contains(said), "{path}: {told}");
        }
        let long = "x".repeat(300);
        open(&page, &format!("/ui/search?q={long}")).await;
        let found = page.window.find(Locator::Css("#find[aria-invalid=true]")).await.expect("the box is marked");
        assert_eq!(found.prop("value").await.unwrap(), Some(long), "what was typed stays");
        // A network whose packets go in no tunnel has no health; that is no failure.
        open(&page, "/ui/networks/macvlan-net1/health").await;
        assert!(text(&page, "main").await.contains("This is a network of driver macvlan"));
        page.press(Locator::LinkText("The network macvlan-net1")).await;
        assert_eq!(page.window.current_url().await.unwrap().path(), "/ui/networks/macvlan-net1");
        // What the page does not know is named, and the page is there.
        open(&page, "/ui/networks?drver=macvlan").await;
        assert!(text(&page, "main .note").await.contains("drver"));
        assert!(text(&page, "main").await.contains("macvlan-net1"));
        open(&page, "/ui/activity?show=foo").await;
        assert!(text(&page, "main [role=alert]").await.contains("events or audit"));
        for path in ["/ui/networks/macvlan-net1/map?as=odd", "/ui/topology?as=odd"] {
            open(&page, path).await;
            let alert = text(&page, "main [role=alert]").await;
            assert!(alert.contains("as given odd: not one of the known words"), "{path}: {alert}");
        }
        // What was chosen for a page that was never asked for is not shown as if it had been.
        open(&page, "/ui/networks").await;
        page.window.execute("document.getElementById('driver').value = 'macvlan'", Vec::new()).await.unwrap();
        open(&page, "/ui/leases").await;
        page.window.back().await.unwrap();
        let driver = page.window.execute("return document.getElementById('driver').value", Vec::new()).await.unwrap();
        assert_eq!(driver, json!(""));
    });
}

#[test]
fn a_bare_name_is_enough_for_a_graph_where_one_thing_has_it() {
    let host = furnished();
    let client = host.client();
    client.post("networks", &json!({"name": "both", "driver": "bridge"})).is(201);
    client.post("sandboxes", &json!({"name": "both", "networks": {"both": {}}})).is(201);
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/topology?as=graph&of=macvlan-net1").await;
        assert!(page.window.find(Locator::Css("svg.graph")).await.is_ok());
        open(&page, "/ui/topology?as=graph&of=both").await;
        let alert = text(&page, "main [role=alert]").await;
        assert!(alert.contains("network:both") && alert.contains("sandbox:both"), "{alert}");
        page.press(Locator::LinkText("sandbox:both")).await;
        assert!(page.window.find(Locator::Css("svg.graph")).await.is_ok());
    });
}

#[test]
fn what_was_removed_is_told_of_by_its_page_and_found() {
    let host = furnished();
    let client = host.client();
    client.post("networks", &json!({"name": "brief", "driver": "bridge"})).is(201);
    let former = client.get("networks/brief").is(200)["id"].as_str().unwrap().to_owned();
    client.delete("networks/brief").is(204);
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/networks/brief").await;
        let main = text(&page, "main").await;
        assert!(main.contains("was removed by") && main.contains("All networks"), "{main}");
        assert!(page.window.find(Locator::Css("main .failure")).await.is_err(), "it is told once");
        page.press(Locator::LinkText("What happened to it")).await;
        assert!(text(&page, "main").await.contains("network.deleted"));
        open(&page, "/ui/networks/never").await;
        assert!(!text(&page, "main").await.contains("was removed by"));
        aside(|| client.get("search?q=brief").is(200));
        open(&page, "/ui/search?q=brief").await;
        assert!(text(&page, "#s-removed").await.contains("Removed"));
        // A graph around it says the same, and where that is told; another of its name is no secret.
        open(&page, "/ui/topology?as=graph&of=network:brief").await;
        let told = text(&page, "main [role=alert]").await;
        assert!(told.contains("was removed by") && !told.contains("of now"), "{told}");
        aside(|| client.post("networks", &json!({"name": "brief", "driver": "bridge"})).is(201));
        open(&page, &format!("/ui/topology?as=graph&of={former}")).await;
        page.press(Locator::LinkText("The network brief of now")).await;
        assert!(page.window.find(Locator::Css("svg.graph")).await.is_ok());
        open(&page, &format!("/ui/networks/{former}")).await;
        let main = text(&page, "main").await;
        assert!(main.contains("was removed by") && main.contains("Another network has its name since"), "{main}");
        page.press(Locator::LinkText("brief")).await;
        assert!(page.window.find(Locator::Css("main .tabs")).await.is_ok(), "that one is there");
    });
}
