//! A headless Chromium inside a host, driven by chromedriver, with its console and its network log at hand.

use std::process::{Child, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fantoccini::{ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::host::{Host, LISTEN};
use crate::tools::tool;

/// Where chromedriver listens, inside the host's network namespace.
const DRIVER: &str = "http://127.0.0.1:9515";

/// What a page complained of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Complaints {
    /// Console messages of level warning and above; a broken content security policy speaks here.
    pub console: Vec<String>,
    /// Requests that failed or were answered with an error status, and requests to another host.
    pub requests: Vec<String>,
}

/// A browser with one window.
#[derive(Debug, Clone)]
pub struct Page {
    /// The window.
    pub window: fantoccini::Client,
    http: reqwest::Client,
    session: String,
}

impl Page {
    /// What the page complained of since this was last asked.
    ///
    /// # Panics
    /// When chromedriver doesn't say.
    pub async fn complaints(&self) -> Complaints {
        let mut complaints = Complaints::default();
        for entry in self.log("browser").await {
            if matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")) {
                complaints.console.push(entry["message"].as_str().unwrap_or_default().to_owned());
            }
        }
        for entry in self.log("performance").await {
            let text = entry["message"].as_str().unwrap_or_default();
            let message = serde_json::from_str::<Value>(text).unwrap_or_default()["message"].take();
            complaints.requests.extend(complaint(&message));
        }
        complaints
    }

    /// Presses a link or a button that leads to a page, and waits until that page is there: a click is over before the next page has come.
    ///
    /// # Panics
    /// When there is none, or no other page has come within 30 seconds.
    pub async fn press(&self, target: Locator<'_>) {
        let former = self.window.find(Locator::Css("html")).await.expect("there is a page");
        let found = self.window.find(target).await.unwrap_or_else(|why| panic!("{target:?} on the page: {why}"));
        found.click().await.unwrap_or_else(|why| panic!("{target:?} can be pressed: {why}"));
        let begin = Instant::now();
        while former.tag_name().await.is_ok() {
            assert!(begin.elapsed() < Duration::from_secs(30), "{target:?} leads to no other page");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.window.wait().for_element(Locator::Css("main")).await.expect("the next page comes");
    }

    /// Signs in by a one-time link, and waits for the overview.
    ///
    /// # Panics
    /// When the link leads nowhere.
    pub async fn log_in(&self, link: &str) {
        self.window.goto(link).await.expect("the login page opens");
        self.press(Locator::Css("form button")).await;
        self.window.wait().for_element(Locator::Css("main h1")).await.expect("the overview opens");
    }

    /// Opens a page of the host's dashboard by its path.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn open(&self, path: &str) {
        let url = format!("http://{LISTEN}{path}");
        self.window.goto(&url).await.unwrap_or_else(|why| panic!("{path} opens: {why}"));
    }

    /// Gives the page a size in CSS pixels, and a theme. Chromium's window is never narrower than 500; what it shows may be.
    ///
    /// # Panics
    /// When chromedriver doesn't do it.
    pub async fn dress(&self, width: u32, height: u32, dark: bool) {
        self.size(width, height).await;
        self.theme(dark).await;
    }

    /// Gives the page a size in CSS pixels, and leaves the theme.
    ///
    /// # Panics
    /// When chromedriver doesn't do it.
    pub async fn size(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Has the system ask for a light or a dark page.
    ///
    /// # Panics
    /// When chromedriver doesn't do it.
    pub async fn theme(&self, dark: bool) {
        let theme = json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        self.devtools("Emulation.setEmulatedMedia", json!({"features": [theme]})).await;
    }

    /// Shows the page as it is on paper, of A4's width.
    ///
    /// # Panics
    /// When chromedriver doesn't do it.
    pub async fn paper(&self) {
        self.size(794, 1123).await;
        self.devtools("Emulation.setEmulatedMedia", json!({"media": "print"})).await;
    }

    /// What axe-core finds that keeps somebody out, by these rules, or by those of WCAG 2.2 A and AA and good practice where none are given: each with its
    /// rule, where it is, and why.
    ///
    /// # Panics
    /// When it can't be asked.
    pub async fn barriers(&self, rules: &[&str]) -> Vec<String> {
        const ASK: &str = "const done = arguments[arguments.length - 1];
            axe.run(document, {runOnly: arguments[0], resultTypes: ['violations']}).then(
                (found) => done(found.violations.flatMap((rule) => rule.nodes.map(
                    (node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`))),
                (cause) => done([`axe: ${cause}`]));";
        let there = self.window.execute("return Boolean(window.axe)", Vec::new()).await.expect("the page answers");
        if there != true {
            let axe = std::fs::read_to_string(tool("axe/node_modules/axe-core/axe.min.js")).expect("axe is text");
            self.window.execute(&axe, Vec::new()).await.expect("axe is loaded");
        }
        let all = &["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        let only = match rules {
            [] => json!({"type": "tag", "values": all}),
            some => json!({"type": "rule", "values": some}),
        };
        let found = self.window.execute_async(ASK, vec![only]).await.expect("axe answers");
        serde_json::from_value(found).expect("a list of texts")
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let url = format!("{DRIVER}/session/{}/goog/cdp/execute", self.session);
        let body = json!({"cmd": command, "params": parameters});
        let answer = self.http.post(url).json(&body).send().await.expect("chromedriver answers");
        assert!(answer.status().is_success(), "{command}: {:?}", answer.text().await);
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let url = format!("{DRIVER}/session/{}/se/log", self.session);
        let answer = self.http.post(url).json(&json!({"type": kind})).send().await.expect("chromedriver answers");
        let mut answer: Value = answer.json().await.expect("chromedriver speaks JSON");
        match answer["value"].take() {
            Value::Array(entries) => entries,
            other => panic!("chromedriver gives no {kind} log: {other}"),
        }
    }
}

fn complaint(message: &Value) -> Option<String> {
    let of = &message["params"];
    match message["method"].as_str()? {
        "Network.responseReceived" => {
            let (url, status) = (of["response"]["url"].as_str()?, of["response"]["status"].as_u64()?);
            (status >= 400).then(|| format!("{status} {url}"))
        }
        // A page that is left cancels its event stream: that is no failure.
        "Network.loadingFailed" if of["canceled"] != true && of["errorText"] != "net::ERR_ABORTED" => {
            Some(format!("failed: {of}"))
        }
        "Network.requestWillBeSent" => {
            let url = of["request"]["url"].as_str()?;
            let ours =
                url.starts_with("http://127.0.0.1:8080/") || url.starts_with("data:") || url.starts_with("chrome");
            (!ours).then(|| format!("to another host: {url}"))
        }
        _ => None,
    }
}

struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many browsers run at once beside one for each processor, since they wait, too: with more all of them together take longer.
const BESIDES: usize = 1;

/// Room for a browser, until it is dropped. Tests that run at once wait for it, and a test has one at a time.
struct Room;

/// How many browsers there is room for; none before the first asks.
static ROOM: (Mutex<Option<usize>>, Condvar) = (Mutex::new(None), Condvar::new());

impl Room {
    fn wait() -> Self {
        let all = std::thread::available_parallelism().map_or(1, usize::from).saturating_add(BESIDES);
        let mut room = ROOM.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match room.get_or_insert(all) {
                0 => room = ROOM.1.wait(room).unwrap_or_else(PoisonError::into_inner),
                left => {
                    *left -= 1;
                    return Self;
                }
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(left) = ROOM.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *left += 1;
        }
        ROOM.1.notify_one();
    }
}

/// Runs something with a browser inside the host, and closes the browser afterwards.
///
/// # Panics
/// When chromedriver or Chromium isn't there or doesn't start.
pub fn browse(host: &Host, scripts: bool, call: impl AsyncFnOnce(Page) + Send) {
    let _room = Room::wait();
    let mut command = host.net.command("chromedriver");
    command.arg("--port=9515").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let driver = Driver(command.spawn().expect("nsenter of util-linux is installed"));
    let profile = TempDir::with_prefix("netloom-browser-").expect("a temporary directory can be made");
    host.net.inside(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let window = open(&profile, scripts).await;
            window.set_window_size(1280, 900).await.expect("the window takes a size");
            let session = window.session_id().await.expect("the driver answers").expect("there is a session");
            let page = Page { window: window.clone(), http: reqwest::Client::new(), session };
            call(page).await;
            let _ = window.close().await;
        });
    });
    drop(driver);
}

async fn open(profile: &TempDir, scripts: bool) -> fantoccini::Client {
    let mut flags = vec![
        "--headless=new".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        format!("--user-data-dir={}", profile.path().display()),
    ];
    let mut preferences = Map::new();
    if !scripts {
        flags.push("--blink-settings=scriptEnabled=false".to_owned());
        preferences.insert("profile.managed_default_content_settings.javascript".to_owned(), json!(2));
    }
    let wanted = json!({
        "goog:chromeOptions": {"args": flags, "prefs": preferences},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    });
    let Value::Object(wanted) = wanted else { unreachable!("written as an object above") };
    let mut last = String::new();
    for _ in 0..100 {
        match ClientBuilder::new(HttpConnector::new()).capabilities(wanted.clone()).connect(DRIVER).await {
            Ok(window) => return window,
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no browser within 10 s; are chromium and chromium-driver installed? {last}");
}
