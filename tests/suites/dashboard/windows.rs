//! Several windows of one browser: all follow what happens, over one event stream, which goes on in another window when the one that has it is closed or looked away from.
//! What must not live here: what a single page does with what it hears (`live`).

use std::time::Duration;

use fantoccini::wd::WindowHandle;
use netloom_tests::browser::{Page, browse};
use netloom_tests::{Client, json, until};

use super::live::{bridge, open, same_load, says};
use super::{aside, furnished, link, log_in};

/// How many event streams were begun so far.
fn begun(client: &Client) -> u64 {
    let of = "netloom_http_requests_total{method=\"GET\",route=\"/api/v1/events\",status=\"200\"} ";
    let text = client.get("/metrics").text;
    text.lines().find_map(|line| line.strip_prefix(of)).map_or(0, |count| count.trim().parse().unwrap())
}

/// Opens a page that asks again for nothing but an event: for it, no time passes.
async fn open_timeless(page: &Page, path: &str) -> WindowHandle {
    open(page, path).await;
    says(page, "[data-live]", "live").await;
    page.window.execute("const now = Date.now(); Date.now = () => now", Vec::new()).await.unwrap();
    page.window.window().await.unwrap()
}

async fn another_window(page: &Page) {
    let window = page.window.new_window(false).await.unwrap();
    page.window.switch_to_window(window.handle).await.unwrap();
}

/// Waits until so many streams were begun in all.
fn becomes(client: &Client, wanted: u64) {
    until(&format!("{wanted} streams were begun"), Duration::from_secs(20), || (begun(client) == wanted).then_some(()));
}

#[test]
fn windows_share_one_stream_and_pass_it_on() {
    let host = furnished();
    let client = host.client();
    let link = link(&host);
    browse(&host, true, async |page: Page| {
        log_in(&page, &link).await;
        // The overview's, to which the login led.
        let before = 1;
        aside(|| becomes(&client, before));
        let first = open_timeless(&page, "/ui/networks").await;
        aside(|| becomes(&client, before + 1));
        another_window(&page).await;
        let second = open_timeless(&page, "/ui/sandboxes").await;
        another_window(&page).await;
        let third = open_timeless(&page, "/ui/leases?sort=-created_at").await;

        // Whoever does not have it is told of what it hears.
        aside(|| {
            client.post("networks", &bridge("one", "10.91.0.0/24")).is(201);
            host.sandbox("sandbox-one", "one");
        });
        for (window, text) in [(&first, "one"), (&second, "sandbox-one"), (&third, "sandbox-one")] {
            page.window.switch_to_window(window.clone()).await.unwrap();
            says(&page, "main", text).await;
            same_load(&page).await;
        }
        assert_eq!(aside(|| begun(&client)), before + 1, "one stream for all of them");

        // The window that has it is closed.
        page.window.switch_to_window(first).await.unwrap();
        page.window.close_window().await.unwrap();
        page.window.switch_to_window(second.clone()).await.unwrap();
        aside(|| {
            becomes(&client, before + 2);
            client.post("networks", &bridge("two", "10.92.0.0/24")).is(201);
            host.sandbox("sandbox-two", "two");
        });
        for window in [&second, &third] {
            page.window.switch_to_window(window.clone()).await.unwrap();
            says(&page, "main", "sandbox-two").await;
            says(&page, "[data-live]", "live").await;
            same_load(&page).await;
        }
        assert_eq!(aside(|| begun(&client)), before + 2, "one of those left has it, and the other none");

        // The one that has it is paused: the stream is the other's.
        page.window.switch_to_window(second.clone()).await.unwrap();
        let pause = "document.querySelector('[data-live] button').click(); return document.querySelector('[data-age]').dataset.state";
        assert_eq!(page.window.execute(pause, Vec::new()).await.unwrap(), json!("paused"));
        aside(|| {
            becomes(&client, before + 3);
            host.sandbox("sandbox-three", "two");
        });
        page.window.switch_to_window(third).await.unwrap();
        says(&page, "main", "sandbox-three").await;
        same_load(&page).await;
        page.window.switch_to_window(second).await.unwrap();
        let text = page.window.execute("return document.querySelector('main').textContent", Vec::new()).await.unwrap();
        assert!(!text.as_str().unwrap_or_default().contains("sandbox-three"), "a window that is paused stays as it is");
    });
}
