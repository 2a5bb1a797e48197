//! A live page in a real browser while a hundred things happen each second: how long after something became true the page shows it, whether that grows, and what
//! the page asks for meanwhile; beside a plain GET of the same page at rest. What must not live here: what a page shows, which the browser tests look at.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use netloom_control::now;
use netloom_tests::browser::{Page, browse};
use netloom_tests::host::macvlan;
use netloom_tests::{Host, Value, json};

use crate::Plan;
use crate::figures::{Table, Times, verdict};
use crate::http::Connection;

/// Events per second, which the load is paced to, and from how many connections.
const RATE: u32 = 100;
const CONNECTIONS: u32 = 4;
/// For how long, and with fewer runs.
const SECONDS: u32 = 30;
const QUICK_SECONDS: u32 = 10;
/// How many reservations stand at a time where as many are released as made: so many fit into a page of the list.
const STANDING: u32 = 60;
/// How long after the last event it is waited for; what is not seen then counts as never seen.
const PATIENCE: Duration = Duration::from_secs(20);
/// The last third may be seen so much later than the first, by the median: more is falling behind.
const GROWTH: f64 = 1.25;

/// Notes when a larger number stands on the page than before, with the frame that it is drawn in.
const WATCH: &str = r"const main = document.getElementById('main'), pattern = new RegExp(arguments[0], 'g');
    window.seen = [];
    let last = -1, due = false;
    const look = () => {
        due = false;
        let most = -1;
        for (const found of main.textContent.matchAll(pattern)) most = Math.max(most, Number(found[1].replaceAll(',', '')));
        if (most > last) window.seen.push([Date.now(), last = most]);
    };
    new MutationObserver(() => {
        if (!due) requestAnimationFrame(look);
        due = true;
    }).observe(main, { subtree: true, childList: true, characterData: true });
    performance.clearResourceTimings();
    performance.setResourceTimingBufferSize(10000);";

/// What was seen, and what the page asked for: how long each request took, and its bytes.
const SEEN: &str = "return { seen: window.seen, asked: performance.getEntriesByType('resource')
    .filter((one) => one.initiatorType === 'fetch').map((one) => [one.duration, one.transferSize]) };";

/// A page, and how it tells which of the numbered events it knows of.
struct Watched {
    path: &'static str,
    /// What stands before or behind the largest number that it shows.
    pattern: &'static str,
    /// Whether the number is that of the reservations there are: then none is released.
    counts: bool,
}

const PAGES: [Watched; 4] = [
    Watched { path: "/ui", pattern: r"\bk(\d{6})\b", counts: false },
    Watched { path: "/ui/networks/busy", pattern: r"reserved\s*([\d,]+)", counts: true },
    Watched { path: "/ui/activity", pattern: r"\bk(\d{6})\b", counts: false },
    Watched { path: "/ui/leases?sort=-created_at", pattern: r"\bk(\d{6})\b", counts: false },
];

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let seconds = if plan.runs < 100 { QUICK_SECONDS } else { SECONDS };
    let mut table = Table::new(&format!(
        "A live page beside {RATE} events a second for {seconds} s, made over {CONNECTIONS} connections: how long after it became true something is seen"
    ));
    for watched in &PAGES {
        let host = Host::started(&plan.netloom.to_string_lossy());
        host.client().post("networks", &macvlan("busy", "10.64.0.0/16")).is(201);
        let measured = measure(&host, watched, seconds).with_context(|| watched.path.to_owned())?;
        let floor = floor(&host, watched.path, plan.runs)?;
        measured.print(&mut table, watched.path, &floor);
    }
    table.print();
    Ok(())
}

/// A plain GET of the page when nothing happens.
fn floor(host: &Host, path: &str, runs: usize) -> anyhow::Result<Times> {
    let mut connection = Connection::open(&host.socket()).known_as(&host.token());
    let mut times = Times::default();
    for _ in 0..runs {
        let (status, _) = times.time(|| connection.send("GET", path, ""));
        ensure!(status == 200, "{path}: {status}");
    }
    Ok(times)
}

/// What one page came to.
#[derive(Default)]
struct Measured {
    /// Of each event in order, how long until it was seen; those never seen are not in it.
    lags: Vec<Duration>,
    unseen: usize,
    /// Events per second that were really made.
    rate: f64,
    /// How long each request of the page took.
    asked: Times,
    /// Bytes of their answers as they came.
    bytes: u64,
    /// Bytes that the service sent the browser in all, with what the event stream told.
    sent: u64,
    seconds: f64,
}

fn measure(host: &Host, watched: &Watched, seconds: u32) -> anyhow::Result<Measured> {
    let link = host.login_link();
    let outcome = Mutex::new(Err(anyhow::anyhow!("the browser did not get there")));
    browse(host, true, async |page: Page| {
        page.log_in(&link).await;
        let measured = watch(host, &page, watched, seconds).await;
        *outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = measured;
    });
    outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn watch(host: &Host, page: &Page, watched: &Watched, seconds: u32) -> anyhow::Result<Measured> {
    let load = Load { host, releases: !watched.counts };
    load.prepare();
    page.open(watched.path).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    page.window.execute(WATCH, vec![json!(watched.pattern)]).await?;
    let before = sent(host)?;
    let begin = Instant::now();
    // The page is not asked meanwhile: what watches it is in it.
    let made = load.make(RATE * seconds);
    let patience = begin.elapsed() + PATIENCE;
    let took = begin.elapsed().as_secs_f64();
    let sent = sent(host)?.saturating_sub(before);
    let found = loop {
        let found = page.window.execute(SEEN, Vec::new()).await?;
        let latest = found["seen"].as_array().and_then(|seen| seen.last()?[1].as_u64());
        if latest >= made.last().map(|(number, _)| u64::from(*number)) || begin.elapsed() > patience {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let seen: Vec<(u64, u32)> = serde_json::from_value(found["seen"].clone()).context("what was seen")?;
    let mut measured = Measured { rate: f64::from(RATE * seconds) / took, sent, seconds: took, ..Measured::default() };
    for (number, at) in &made {
        match seen.iter().find(|(_, most)| most >= number).map(|(when, _)| when.saturating_sub(*at)) {
            Some(lag) => measured.lags.push(Duration::from_millis(lag)),
            None => measured.unseen += 1,
        }
    }
    for one in found["asked"].as_array().context("requests")? {
        measured.asked.add(Duration::from_secs_f64(one[0].as_f64().unwrap_or_default() / 1000.0));
        measured.bytes += one[1].as_u64().unwrap_or_default();
    }
    Ok(measured)
}

/// Bytes that were sent to the browser over connections that are there.
fn sent(host: &Host) -> anyhow::Result<u64> {
    let said = host.net.run("ss -tinHO state established sport = :8080");
    let of = |word: &str| word.strip_prefix("bytes_sent:").and_then(|bytes| bytes.parse::<u64>().ok());
    let bytes: Vec<u64> = said.split_whitespace().filter_map(of).collect();
    ensure!(!bytes.is_empty(), "no connection says what it sent: {said}");
    Ok(bytes.iter().sum())
}

/// Reservations made and released, each one event.
struct Load<'h> {
    host: &'h Host,
    releases: bool,
}

impl Load<'_> {
    /// What stands before the first event: the reservations that are released first.
    fn prepare(&self) {
        if self.releases {
            let mut connection = Connection::open(&self.host.socket());
            (0..STANDING).for_each(|number| reserve(&mut connection, number));
        }
    }

    /// Makes so many events at the pace, and says of each reservation's number when it was there, in milliseconds of the epoch.
    fn make(&self, events: u32) -> Vec<(u32, u64)> {
        let begin = Instant::now();
        let mut made: Vec<(u32, u64)> = std::thread::scope(|scope| {
            let ours = |lane: u32| (lane..events).step_by(CONNECTIONS as usize);
            let clients: Vec<_> =
                (0..CONNECTIONS).map(|lane| scope.spawn(move || self.lane(begin, ours(lane)))).collect();
            clients.into_iter().flat_map(|client| client.join().expect("a client ends well")).collect()
        });
        made.sort_unstable();
        made
    }

    fn lane(&self, begin: Instant, events: impl Iterator<Item = u32>) -> Vec<(u32, u64)> {
        let mut connection = Connection::open(&self.host.socket());
        let mut made = Vec::new();
        for event in events {
            let due = Duration::from_secs(1) / RATE * event;
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            if self.releases && event % 2 == 1 {
                connection.must("DELETE", &format!("networks/busy/leases/k{:06}", event / 2), "", 204);
                continue;
            }
            let number = if self.releases { STANDING + event / 2 } else { event + 1 };
            reserve(&mut connection, number);
            made.push((number, u64::try_from(now().millis()).unwrap_or_default()));
        }
        made
    }
}

fn reserve(connection: &mut Connection, number: u32) {
    let body = json!({"key": format!("k{number:06}")}).to_string();
    let _: Value = connection.must("POST", "networks/busy/leases", &body, 201);
}

impl Measured {
    fn print(self, table: &mut Table, path: &str, floor: &Times) {
        let third = self.lags.len() / 3;
        let part = |lags: &[Duration]| {
            let mut times = Times::default();
            lags.iter().for_each(|lag| times.add(*lag));
            times
        };
        let (all, first) = (part(&self.lags), part(&self.lags[..third]));
        let last = part(&self.lags[self.lags.len() - third..]);
        let keeps_up = self.unseen == 0 && last.p50() <= first.p50() * GROWTH;
        let kept = self.rate >= f64::from(RATE) * 0.98;
        let goal = format!("{RATE} /s, last third at most {GROWTH} of the first");
        table.times(&format!("`{path}` at rest"), floor, "1", "");
        let asked = format!(
            "{:.1} x; {:.1} /s, {:.0} kB/s of {:.0} kB/s sent",
            self.asked.p50() / floor.p50(),
            rate(self.asked.count(), self.seconds),
            rate_of(self.bytes, self.seconds) / 1000.0,
            rate_of(self.sent, self.seconds) / 1000.0,
        );
        table.times("its requests meanwhile", &self.asked, &asked, "");
        let compared = format!(
            "{:.0} x; p99 {:.0}, most {:.0} ms, thirds {:.0} and {:.0} ms, {} unseen of {}, {:.1} /s made",
            all.p50() / floor.p50(),
            all.quantile(0.99),
            all.quantile(1.0),
            first.p50(),
            last.p50(),
            self.unseen,
            self.unseen + self.lags.len(),
            self.rate
        );
        table.times("until seen", &all, &compared, &verdict(keeps_up && kept, &goal));
    }
}

fn rate(count: usize, seconds: f64) -> f64 {
    rate_of(u64::try_from(count).unwrap_or_default(), seconds)
}

#[expect(clippy::cast_precision_loss, reason = "counts of half a minute")]
fn rate_of(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}
