//! A page follows what happens, in place: without a load, without taking the focus or what is open from whoever reads it; and it can be stopped.

use std::time::{Duration, Instant};

use fantoccini::Locator;
use netloom_tests::browser::{Complaints, Page, browse};
use netloom_tests::{Host, host, json};

use super::{aside, furnished, link, log_in};

async fn text(page: &Page, selector: &str) -> String {
    page.window.find(Locator::Css(selector)).await.expect("it is there").text().await.expect("it has text")
}

/// Waits until a part of the page says something.
pub(crate) async fn says(page: &Page, selector: &str, wanted: &str) {
    let begin = Instant::now();
    loop {
        let text = text(page, selector).await;
        if text.contains(wanted) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "`{wanted}` does not come:\n{text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) async fn open(page: &Page, path: &str) {
    page.window.goto(&format!("http://127.0.0.1:8080{path}")).await.unwrap();
    // A load would lose it.
    page.window.execute("window.unloaded = 1", Vec::new()).await.unwrap();
}

pub(crate) async fn same_load(page: &Page) {
    let kept = page.window.execute("return window.unloaded ?? 0", Vec::new()).await.unwrap();
    assert_eq!(kept, json!(1), "the page was loaded anew");
}

pub(crate) fn bridge(name: &str, subnet: &str) -> netloom_tests::Value {
    json!({"name": name, "driver": "bridge", "pools": {"v4": {"subnet": subnet}}})
}

#[test]
fn a_page_follows_in_place_and_can_be_paused() {
    let host: Host = furnished();
    let client = host.client();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        page.complaints().await;
        open(&page, "/ui/networks").await;
        let focus = "const row = [...document.querySelectorAll('main a')].find((a) => a.textContent === 'macvlan-net1'); row.focus();";
        page.window.execute(focus, Vec::new()).await.unwrap();
        aside(|| client.post("networks", &bridge("fresh", "10.80.0.0/24")).is(201));
        says(&page, "main", "fresh").await;
        same_load(&page).await;
        let focused = page.window.execute("return document.activeElement.textContent", Vec::new()).await.unwrap();
        assert_eq!(focused, json!("macvlan-net1"), "the focus stays where it was");
        aside(|| client.delete("networks/fresh").is(204));
        let begin = Instant::now();
        while text(&page, "main").await.contains("fresh") {
            assert!(begin.elapsed() < Duration::from_secs(20), "it is gone");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        page.window.find(Locator::Css("[data-live] button")).await.unwrap().click().await.unwrap();
        says(&page, "[data-live]", "paused").await;
        aside(|| client.post("networks", &bridge("unseen", "10.81.0.0/24")).is(201));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!text(&page, "main").await.contains("unseen"), "a page that is paused stays as it is");
        page.window.find(Locator::Css("[data-live] button")).await.unwrap().click().await.unwrap();
        says(&page, "main", "unseen").await;
        same_load(&page).await;
        assert_eq!(page.complaints().await, Complaints::default());
    });
}

#[test]
fn new_rows_are_offered_to_whom_reads_and_not_pushed_in() {
    let host = furnished();
    let client = host.client();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/activity").await;
        page.window.execute("document.querySelector('main tbody a').focus()", Vec::new()).await.unwrap();
        aside(|| client.post("networks", &bridge("later", "10.83.0.0/24")).is(201));
        says(&page, "[data-new]", "show").await;
        assert!(!text(&page, "main tbody").await.contains("later"), "nothing moves under the reader");
        page.window.find(Locator::Css("[data-new] button")).await.unwrap().click().await.unwrap();
        says(&page, "main tbody", "later").await;
        same_load(&page).await;
    });
}

/// Where a row of the list is on the screen, and how far the page is scrolled.
async fn place_of(page: &Page, name: &str) -> (f64, f64) {
    let ask = format!(
        "const row = [...document.querySelectorAll('main tbody tr')].find((row) => row.textContent.includes('{name}'));
        return [row.getBoundingClientRect().top, window.scrollY]"
    );
    let found = page.window.execute(&ask, Vec::new()).await.unwrap();
    (found[0].as_f64().expect("a number"), found[1].as_f64().expect("a number"))
}

#[test]
fn the_readers_place_stays_when_rows_come_and_go_above_it() {
    let host = host!();
    let client = host.start();
    for number in 10..60 {
        client.post("networks", &bridge(&format!("n{number}"), &format!("10.80.{number}.0/24"))).is(201);
    }
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        page.size(1280, 800).await;
        open(&page, "/ui/networks").await;
        let go = "[...document.querySelectorAll('main tbody tr')].find((row) => row.textContent.includes('n40')).scrollIntoView({ block: 'center' })";
        page.window.execute(go, Vec::new()).await.unwrap();
        let (before, scrolled) = place_of(&page, "n40").await;
        assert!(scrolled > 100.0, "it is further down: {scrolled}");
        aside(|| client.post("networks", &bridge("aaa", "10.81.1.0/24")).is(201));
        says(&page, "main", "aaa").await;
        let (after, further) = place_of(&page, "n40").await;
        assert!((after - before).abs() < 2.0 && further > scrolled, "{before} {after}, {scrolled} {further}");
        aside(|| client.delete("networks/aaa").is(204));
        let begin = Instant::now();
        while text(&page, "main").await.contains("aaa") {
            assert!(begin.elapsed() < Duration::from_secs(20), "it is gone");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (back, _) = place_of(&page, "n40").await;
        assert!((back - before).abs() < 2.0, "{before} {back}");
        same_load(&page).await;
    });
}

#[test]
fn what_is_open_stays_open_and_what_is_typed_stays_typed() {
    let host = furnished();
    let client = host.client();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/networks/macvlan-net1").await;
        page.window.find(Locator::Css(".copy-as summary")).await.unwrap().click().await.unwrap();
        let copies = text(&page, ".copies").await;
        assert!(copies.contains("netloom_network") && copies.contains("-X PUT"), "{copies}");
        aside(|| client.patch("networks/macvlan-net1", &json!({"description": "A word that was not there"})).is(200));
        says(&page, "main", "A word that was not there").await;
        assert!(page.window.find(Locator::Css(".copy-as[open]")).await.is_ok(), "it stays open");
        let buttons = page.window.find_all(Locator::Css(".copies .copy")).await.unwrap().len();
        assert_eq!(buttons, 3, "each text keeps its button");
        page.window.find(Locator::Css(".copy-as summary")).await.unwrap().send_keys("\u{e00c}").await.unwrap();
        assert!(page.window.find(Locator::Css(".copy-as[open]")).await.is_err(), "Escape closes it");
        open(&page, "/ui/leases").await;
        page.window.find(Locator::Css("main input")).await.unwrap().send_keys("half a wor").await.unwrap();
        aside(|| host.sandbox("later", "macvlan-net1"));
        says(&page, "main", "later").await;
        let typed = page.window.execute("return document.querySelector('main input').value", Vec::new()).await.unwrap();
        assert_eq!(typed, json!("half a wor"));
        same_load(&page).await;
    });
}

#[test]
fn a_hundred_events_a_second_end_in_what_is_true() {
    let host = host!();
    let client = host.start();
    client.post("networks", &bridge("busy", "10.82.0.0/20")).is(201);
    let link = link(&host);
    let events = 100 * netloom_tests::loops(5);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/networks/busy").await;
        let begin = Instant::now();
        let mut asked = 0;
        for number in 0..events {
            aside(|| client.patch("networks/busy", &json!({"description": format!("state {number} of it")})).is(200));
            let due = Duration::from_millis(10) * number;
            if let Some(rest) = due.checked_sub(begin.elapsed()) {
                tokio::time::sleep(rest).await;
            }
            asked = number;
        }
        says(&page, "main", &format!("state {asked} of it")).await;
        let loads =
            "return performance.getEntriesByType('resource').filter((one) => one.initiatorType === 'fetch').length";
        let loads = page.window.execute(loads, Vec::new()).await.unwrap().as_u64().unwrap();
        assert!(loads > 0 && loads < u64::from(events) / 4, "{loads} requests for {events} events");
        same_load(&page).await;
    });
}

#[test]
fn keys_lead_around_and_can_be_turned_off() {
    let host = furnished();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        let press = async |keys: &str| {
            page.window.find(Locator::Css("body")).await.unwrap().send_keys(keys).await.unwrap();
        };
        press("gn").await;
        says(&page, "h1", "Networks").await;
        press("j").await;
        let focused = page.window.execute("return document.activeElement.closest('tr') !== null", Vec::new()).await;
        assert_eq!(focused.unwrap(), json!(true), "the first row");
        press("?").await;
        let focused = page.window.execute("return document.activeElement.id", Vec::new()).await.unwrap();
        assert_eq!(focused, json!("keys-title"), "a key pressed by mistake turns nothing off");
        let help = text(&page, "dialog[open]").await;
        assert!(help.contains("search everything") && help.contains("Sandboxes"), "{help}");
        page.window.find(Locator::Css("#keys-off")).await.unwrap().click().await.unwrap();
        page.window.find(Locator::Css("dialog .primary")).await.unwrap().click().await.unwrap();
        press("gs").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(text(&page, "h1").await, "Networks", "keys are off");
        let find = page.window.find(Locator::Css("#find")).await.unwrap();
        find.click().await.unwrap();
        find.send_keys("\u{e00c}").await.unwrap();
        let focused = page.window.execute("return document.activeElement.id", Vec::new()).await.unwrap();
        assert_ne!(focused, json!("find"), "Escape leaves the search");
    });
}

/// Puts a newer page in place that is the present one, but for one text in each fact of the first interface, and says what of them is marked as changed.
const RENEWED: &str = "const done = arguments[arguments.length - 1];
    import(document.querySelector('script[type=module]').src.replace('app.js', 'patch.js')).then(({ patchChildren }) => {
        const main = document.getElementById('main'), now = main.cloneNode(true);
        for (const added of now.querySelectorAll('[data-added]')) added.remove();
        for (const cell of now.querySelectorAll('.map a')) cell.removeAttribute('tabindex');
        for (const fact of now.querySelectorAll('.interface dd')) {
            const text = document.createTreeWalker(fact, NodeFilter.SHOW_TEXT).nextNode();
            if (text) text.data += '0';
        }
        patchChildren(main, now);
        done([...main.querySelectorAll('.interface dd[data-changed]')].map((fact) => fact.previousElementSibling.textContent));
    }, (cause) => done([String(cause)]));";

#[test]
fn a_counter_is_no_news_and_a_map_is_one_stop() {
    let host = furnished();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/sandboxes/macvlan1").await;
        let marked = page.window.execute_async(RENEWED, Vec::new()).await.unwrap().to_string();
        assert!(marked.contains("MTU") && !marked.contains("Received") && !marked.contains("Sent"), "{marked}");
        open(&page, "/ui/networks/macvlan-net1/map").await;
        page.window.execute("document.querySelector('.map tbody a').focus()", Vec::new()).await.unwrap();
        // Right, down, and to the beginning of the row.
        let cell = page.window.active_element().await.unwrap();
        cell.send_keys("\u{e014}\u{e015}\u{e011}").await.unwrap();
        page.window.execute_async(RENEWED, Vec::new()).await.unwrap();
        let stops = "return [...document.querySelectorAll('.map a')].filter((cell) => cell.tabIndex === 0).map((cell) => cell === document.activeElement && cell.pathname)";
        let stops = page.window.execute(stops, Vec::new()).await.unwrap();
        assert_eq!(stops, json!(["/ui/addresses/192.168.122.16"]), "the one that has the focus");
        let frame =
            page.window.execute("return document.querySelector('.map-frame').tabIndex", Vec::new()).await.unwrap();
        assert_eq!(frame, json!(-1), "its frame is no stop besides");
        same_load(&page).await;
    });
}

#[test]
fn a_theme_is_chosen_without_scripts_and_stays() {
    let host = furnished();
    let link = link(&host);
    browse(&host, false, async |page: Page| {
        log_in(&page, &link).await;
        page.window.goto("http://127.0.0.1:8080/ui/networks?driver=macvlan").await.unwrap();
        let theme = async || page.window.find(Locator::Css("html")).await.unwrap().attr("data-theme").await.unwrap();
        assert_eq!(theme().await, None);
        for wanted in [Some("light"), Some("dark"), None] {
            page.press(Locator::Css("button[name=theme]")).await;
            assert_eq!(theme().await.as_deref(), wanted);
            let url = page.window.current_url().await.unwrap();
            assert_eq!((url.path(), url.query()), ("/ui/networks", Some("driver=macvlan")), "it leads back");
        }
        // Nor is anything waited for in vain.
        page.window.goto("http://127.0.0.1:8080/ui/sandboxes/macvlan1").await.unwrap();
        let said = text(&page, "main").await;
        assert!(said.contains("measuring… Load this page again"), "{said}");
    });
}

#[test]
fn the_focus_stays_when_what_stands_before_it_goes() {
    let host = furnished();
    let client = host.client();
    for name in ["aaa", "aab"] {
        host.sandbox(name, "macvlan-net1");
    }
    client.post("networks", &bridge("aaa", "10.84.0.0/24")).is(201);
    client.post("networks", &bridge("aab", "10.85.0.0/24")).is(201);
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        for (path, object) in [("/ui/sandboxes", "sandboxes/aaa"), ("/ui/networks", "networks/aaa")] {
            open(&page, path).await;
            let focus = "const row = [...document.querySelectorAll('main a')].find((a) => a.textContent === 'aab'); row.focus();";
            page.window.execute(focus, Vec::new()).await.unwrap();
            aside(|| client.delete(object).is(204));
            let begin = Instant::now();
            while text(&page, "main").await.contains("aaa") {
                assert!(begin.elapsed() < Duration::from_secs(20), "{path}: it is gone");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let focused = page.window.execute("return document.activeElement.textContent", Vec::new()).await.unwrap();
            assert_eq!(focused, json!("aab"), "{path}: the focus stays where it was");
            same_load(&page).await;
        }
    });
}

#[test]
fn a_page_whose_object_is_removed_says_so_and_asks_no_more() {
    let host = furnished();
    let client = host.client();
    host.sandbox("brief", "macvlan-net1");
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/sandboxes/brief").await;
        says(&page, "main", "running").await;
        aside(|| client.delete("sandboxes/brief").is(204));
        says(&page, "main", "was removed by").await;
        says(&page, "[data-live]", "removed").await;
        same_load(&page).await;
        let said = "return document.querySelector('[data-said]').textContent";
        assert_eq!(page.window.execute(said, Vec::new()).await.unwrap(), json!("What this page showed was removed"));
        let events = page.window.find(Locator::LinkText("What happened to it")).await.unwrap();
        assert!(events.attr("href").await.unwrap().is_some_and(|href| href.contains("/ui/activity?object=sbx_")));
        let asked =
            "return performance.getEntriesByType('resource').filter((one) => one.initiatorType === 'fetch').length";
        let before = page.window.execute(asked, Vec::new()).await.unwrap();
        aside(|| client.post("networks", &bridge("later", "10.86.0.0/24")).is(201));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(page.window.execute(asked, Vec::new()).await.unwrap(), before, "nothing is asked any more");
    });
}

#[test]
fn what_is_heard_of_nothing_is_not_called_live_and_is_renewed_all_the_same() {
    let host = furnished();
    let client = host.client();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        open(&page, "/ui/networks").await;
        says(&page, "[data-live]", "live").await;
        // As when the browser has no connection left: the stream can't be had, pages can.
        let block = "const real = window.EventSource; window.EventSource = class { constructor() { this.readyState = 2; setTimeout(() => this.onerror?.(), 10); } close() {} }; window.EventSource.CLOSED = 2; window.realSource = real;";
        page.window.execute(block, Vec::new()).await.unwrap();
        let button = page.window.find(Locator::Css("[data-live] button")).await.unwrap();
        button.click().await.unwrap();
        button.click().await.unwrap();
        says(&page, "[data-live]", "without events").await;
        let said = "return document.querySelector('[data-said]').textContent";
        let heard = page.window.execute(said, Vec::new()).await.unwrap();
        assert!(heard.as_str().is_some_and(|said| said.contains("No events")), "{heard}");
        aside(|| client.post("networks", &bridge("polled", "10.87.0.0/24")).is(201));
        says(&page, "main", "polled").await;
        says(&page, "[data-live]", "without events").await;
        same_load(&page).await;
    });
}
