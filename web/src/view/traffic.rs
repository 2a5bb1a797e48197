//! The traffic of an interface as two small charts, received and sent: drawn by SVG attributes, with the same in numbers. What must not live here:
//! reading any counter.

use askama::Template;
use netloom_model::traffic::{InterfaceTraffic, TrafficSample};

use super::format;

/// Size of a chart, in its own units.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 36.0;
/// How long a chart is at least, in milliseconds: what was seen for seconds does not fill it.
const SPAN: i64 = 60_000;

/// One direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    pub(crate) label: &'static str,
    pub(crate) class: &'static str,
    /// The line, as points: a piece for each time that was looked at again and again; none while there is no rate.
    pub(crate) lines: Vec<String>,
    /// The rate between the last two looks, where they are close enough to each other for it to be of now.
    pub(crate) now: Option<String>,
    pub(crate) packets: Option<String>,
    /// The highest rate that is drawn.
    pub(crate) most: Option<String>,
}

/// The traffic of an interface.
#[derive(Debug, Clone, Template)]
#[template(path = "component/traffic.html")]
pub struct Traffic {
    charts: [Chart; 2],
    /// How far back the charts go.
    span: Option<String>,
}

impl askama::filters::HtmlSafe for Traffic {}

/// Most time between two looks, in milliseconds, that a rate is told of: a page that is looked at looks every few seconds, and what a mean of minutes
/// says is true of no moment of them.
const GAP: i64 = 40_000;

/// Most time between two looks of one run, in milliseconds. What was seen before a longer time that nobody looked is not drawn: there is nothing to draw
/// between, and what is of now would be at the edge of it.
const RUN: i64 = 60_000;

/// The looks of the present run.
fn run(samples: &[TrafficSample]) -> &[TrafficSample] {
    let is_far = |pair: &[TrafficSample]| pair[1].time.millis() - pair[0].time.millis() > RUN;
    let begin = samples.windows(2).rposition(is_far).map_or(0, |at| at + 1);
    &samples[begin..]
}

/// What happened between two looks, by second.
struct Rate {
    begin: i64,
    end: i64,
    bytes: f64,
    packets: f64,
}

fn rates(samples: &[TrafficSample], bytes: fn(&TrafficSample) -> u64, packets: fn(&TrafficSample) -> u64) -> Vec<Rate> {
    let between = |pair: &[TrafficSample]| {
        let [before, after] = pair else { return None };
        let (begin, end) = (before.time.millis(), after.time.millis());
        let seconds = (end - begin) as f64 / 1000.0;
        let by_second = |of: fn(&TrafficSample) -> u64| of(after).saturating_sub(of(before)) as f64 / seconds;
        let is_told = seconds > 0.0 && end - begin <= GAP;
        is_told.then(|| Rate { begin, end, bytes: by_second(bytes), packets: by_second(packets) })
    };
    samples.windows(2).filter_map(between).collect()
}

impl Traffic {
    /// Of what was seen of an interface.
    pub fn new(seen: &InterfaceTraffic) -> Self {
        let samples = run(&seen.samples);
        let first = samples.first().map_or(0, |sample| sample.time.millis());
        let last = samples.last().map_or(0, |sample| sample.time.millis());
        let charts = [
            Chart::new("Received", "rx", &rates(samples, |s| s.rx_bytes, |s| s.rx_packets), last, last - first),
            Chart::new("Sent", "tx", &rates(samples, |s| s.tx_bytes, |s| s.tx_packets), last, last - first),
        ];
        let minutes = u64::try_from((last - first) / 60_000).unwrap_or(0);
        let span = match (samples.len() > 1, minutes) {
            (false, _) => None,
            (true, 0) => Some("the last minute".to_owned()),
            (true, minutes) => Some(format!("the last {}", format::counted(minutes, "minute", "minutes"))),
        };
        Self { charts, span }
    }
}

impl Chart {
    fn new(label: &'static str, class: &'static str, rates: &[Rate], last: i64, seen: i64) -> Self {
        let most = rates.iter().map(|rate| rate.bytes).fold(0.0, f64::max);
        let span = seen.max(SPAN) as f64;
        let point = |time: i64, rate: &Rate| {
            let x = WIDTH - (last - time) as f64 / span * WIDTH;
            let y = if most > 0.0 { HEIGHT - 1.0 - rate.bytes / most * (HEIGHT - 2.0) } else { HEIGHT - 1.0 };
            format!("{x:.1},{y:.1}")
        };
        let by_second = |bytes: f64| format!("{}/s", format::bytes(bytes.round() as u64));
        let line = |piece: &[Rate]| {
            let first = piece.first().map(|rate| point(rate.begin, rate));
            first.into_iter().chain(piece.iter().map(|rate| point(rate.end, rate))).collect::<Vec<_>>().join(" ")
        };
        let now = rates.last().filter(|rate| rate.end == last);
        Self {
            label,
            class,
            lines: rates.chunk_by(|one, next| one.end == next.begin).map(line).collect(),
            now: now.map(|rate| by_second(rate.bytes)),
            packets: now.map(|rate| format!("{}/s", format::counted(rate.packets.round() as u64, "packet", "packets"))),
            most: (most > 0.0).then(|| by_second(most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use netloom_model::Timestamp;

    use super::*;

    fn seen(samples: &[(i64, u64)]) -> InterfaceTraffic {
        let sample = |(seconds, bytes): &(i64, u64)| TrafficSample {
            time: Timestamp::from_millis(1_000_000 + seconds * 1000),
            rx_packets: bytes / 100,
            rx_bytes: *bytes,
            tx_packets: 0,
            tx_bytes: 0,
        };
        InterfaceTraffic { interface: "eth0".into(), samples: samples.iter().map(sample).collect() }
    }

    #[test]
    fn one_look_is_no_rate() {
        for samples in [&[][..], &[(0, 100)]] {
            let traffic = Traffic::new(&seen(samples));
            assert!(traffic.span.is_none() && traffic.charts.iter().all(|chart| chart.now.is_none()));
        }
    }

    #[test]
    fn rates_are_what_came_between_two_looks_by_second() {
        let traffic = Traffic::new(&seen(&[(0, 0), (10, 10_000), (20, 15_000)]));
        let [received, sent] = &traffic.charts;
        assert_eq!(received.now.as_deref(), Some("500 B/s"));
        assert_eq!(received.packets.as_deref(), Some("5 packets/s"));
        assert_eq!(received.most.as_deref(), Some("1.0 kB/s"));
        assert_eq!(
            received.lines,
            ["160.0,1.0 200.0,1.0 240.0,18.0"],
            "the highest at the top, the latest at the right"
        );
        assert_eq!((sent.now.as_deref(), sent.most.as_deref()), (Some("0 B/s"), None));
        assert_eq!(sent.lines, ["160.0,35.0 200.0,35.0 240.0,35.0"], "nothing is a line at the bottom");
    }

    #[test]
    fn a_time_that_nobody_looked_is_a_gap_and_no_rate_of_now() {
        let traffic = Traffic::new(&seen(&[(0, 0), (2, 2_000), (4, 3_000), (54, 900_000)]));
        let received = &traffic.charts[0];
        assert_eq!((received.now.as_deref(), received.lines.len()), (None, 1));
        assert_eq!(received.most.as_deref(), Some("1.0 kB/s"), "a mean of so long is no rate");
        let traffic = Traffic::new(&seen(&[(0, 0), (2, 2_000), (52, 900_000), (54, 900_500)]));
        let received = &traffic.charts[0];
        assert_eq!((received.now.as_deref(), received.lines.len()), (Some("250 B/s"), 2));
    }

    #[test]
    fn a_chart_begins_with_the_present_run() {
        let before = [(0, 0), (2, 9_000), (400, 900_000), (460, 900_000)];
        let traffic = Traffic::new(&seen(&before[..3]));
        let received = &traffic.charts[0];
        assert_eq!((received.lines.len(), received.most.as_deref(), traffic.span.as_deref()), (0, None, None));
        let traffic = Traffic::new(&seen(&[&before[..], &[(490, 903_000), (520, 906_000)]].concat()));
        let received = &traffic.charts[0];
        assert_eq!(received.most.as_deref(), Some("100 B/s"), "what was before is not drawn");
        assert_eq!(received.lines, ["120.0,1.0 180.0,1.0 240.0,1.0"], "the run is as wide as the chart");
        assert_eq!(traffic.span.as_deref(), Some("the last 2 minutes"));
    }

    #[test]
    fn a_chart_never_leaves_its_frame() {
        let many: Vec<(i64, u64)> = (0..100).map(|n| (n * 15, u64::try_from(n * n).unwrap_or(0) * 1_000_000)).collect();
        let traffic = Traffic::new(&seen(&many));
        for point in traffic.charts[0].lines.iter().flat_map(|line| line.split(' ')) {
            let (x, y) = point.split_once(',').expect("a point");
            let (x, y): (f64, f64) = (x.parse().expect("x"), y.parse().expect("y"));
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{point}");
        }
        assert_eq!(traffic.span.as_deref(), Some("the last 24 minutes"));
    }
}
