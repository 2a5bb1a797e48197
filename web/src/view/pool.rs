//! A pool's use: a bar drawn by SVG attributes, with a letter on each piece that has room, the same in numbers and in words.

use askama::Template;
use netloom_model::network::{Capacity, PoolStatus};

use super::format;
use super::legend::Legend;
use super::uses;

/// One piece of the bar, in percent of its width.
#[derive(Debug, Clone)]
pub struct Segment {
    pub(crate) class: &'static str,
    pub(crate) at: String,
    pub(crate) width: String,
    /// Its letter and where the middle of it is, where there is room.
    pub(crate) letter: Option<(String, &'static str)>,
}

/// A pool's use as a bar with its numbers.
#[derive(Debug, Clone, Template)]
#[template(path = "component/usage.html")]
pub struct Usage {
    pub(crate) segments: Vec<Segment>,
    /// Every use that there is, with what is free.
    pub(crate) legend: Legend,
    /// The same as a sentence.
    pub(crate) uses: String,
    /// The part of the subnet that is taken, or that nothing of the range is left.
    pub(crate) percent: String,
    pub(crate) taken: String,
    pub(crate) total: String,
    /// What is free; only the manager knows it of a network of the swarm.
    pub(crate) free: Option<String>,
    /// What is free of the range that addresses are chosen from, where that is less.
    pub(crate) free_in_range: Option<String>,
    pub(crate) tight: bool,
    /// Whether so much is free that the number says nothing more.
    pub(crate) vast: bool,
}

impl askama::filters::HtmlSafe for Usage {}

/// From this share on a pool is called nearly full.
const TIGHT: f64 = 0.9;
/// The least width that can be told from its neighbours, in percent.
const LEAST: f64 = 2.4;
/// What is left open between two pieces.
const GAP: f64 = 0.3;
/// From this width on there is room for a letter.
const ROOM: f64 = 6.0;

impl Usage {
    /// The use of a pool.
    pub fn new(capacity: &Capacity) -> Self {
        let uses = uses(capacity);
        let total: f64 = capacity.total.parse().unwrap_or(0.0);
        let taken: u64 = uses.iter().map(|(_, count)| count).sum();
        let segments = segments(&uses, total);
        let used = uses.iter().filter(|(_, count)| *count > 0).map(|(class, count)| (*class, format::count(*count)));
        let free = capacity.free.as_deref().map(format::decimal);
        let free_in_range = capacity.free_in_range.as_ref().filter(|free| Some(*free) != capacity.free.as_ref());
        let is_range_full = free_in_range.is_some_and(|free| free == "0");
        let legend = uses::legend(used.chain(free.clone().map(|free| ("free", free))));
        Self {
            segments,
            uses: legend.sentence(),
            legend,
            percent: match is_range_full {
                true => "range full".to_owned(),
                false => format::percent(taken as f64, total),
            },
            taken: format::count(taken),
            total: format::decimal(&capacity.total),
            free,
            vast: capacity.total.len() > 15,
            free_in_range: free_in_range.map(|free| format::decimal(free)),
            tight: is_range_full || (total > 0.0 && taken as f64 / total >= TIGHT),
        }
    }
}

/// Pieces side by side, each wide enough to be seen, together never wider than the bar.
fn segments(uses: &[(&'static str, u64)], total: f64) -> Vec<Segment> {
    let wanted: Vec<(&'static str, f64)> = uses
        .iter()
        .filter(|(_, count)| *count > 0 && total > 0.0)
        .map(|(word, count)| (*word, (*count as f64 / total * 100.0).max(LEAST)))
        .collect();
    let sum: f64 = wanted.iter().map(|(_, width)| width).sum();
    let scale = if sum > 100.0 { 100.0 / sum } else { 1.0 };
    let mut at = 0.0;
    let piece = |(class, width): (&'static str, f64)| {
        let (from, width) = (at, width * scale);
        at += width;
        let letter = (width >= ROOM).then(|| (format!("{:.2}", from + (width - GAP) / 2.0), uses::letter(class)));
        Segment { class, at: format!("{from:.2}"), width: format!("{:.2}", width - GAP), letter }
    };
    wanted.into_iter().map(piece).collect()
}

/// Each way an address is used, with its number. The words are those of the leases and the stylesheet's classes.
fn uses(capacity: &Capacity) -> [(&'static str, u64); 9] {
    [
        ("dynamic", capacity.dynamic),
        ("requested", capacity.requested),
        ("held", capacity.held),
        ("reserved", capacity.reserved),
        ("gateway", capacity.gateway),
        ("host", capacity.host),
        ("releasing", capacity.releasing),
        ("quarantined", capacity.quarantined),
        ("orphaned", capacity.orphaned),
    ]
}

/// A pool with its use.
#[derive(Debug, Clone)]
pub struct PoolView {
    pub(crate) key: String,
    pub(crate) family: u8,
    pub(crate) subnet: String,
    pub(crate) range: String,
    pub(crate) gateway: Option<String>,
    pub(crate) automatic: bool,
    pub(crate) free_in_range: Option<String>,
    pub(crate) usage: Usage,
}

impl PoolView {
    /// A pool of a network, by its key.
    pub fn new(key: &str, pool: &PoolStatus) -> Self {
        Self {
            key: key.to_owned(),
            family: pool.family,
            subnet: pool.subnet.clone(),
            range: pool.range.replace('-', " – "),
            gateway: pool.gateway.clone(),
            automatic: pool.automatic,
            free_in_range: pool.capacity.free_in_range.as_deref().map(format::decimal),
            usage: Usage::new(&pool.capacity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_never_leaves_its_frame() {
        let full = Capacity {
            total: "254".into(),
            free: Some("0".into()),
            dynamic: 250,
            gateway: 1,
            host: 3,
            ..Capacity::default()
        };
        let usage = Usage::new(&full);
        let end: f64 = usage
            .segments
            .iter()
            .map(|s| s.at.parse::<f64>().unwrap_or(0.0) + s.width.parse::<f64>().unwrap_or(0.0))
            .fold(0.0, f64::max);
        assert!(end <= 100.0, "{end}");
        let letters: Vec<&str> = usage.segments.iter().filter_map(|s| Some(s.letter.as_ref()?.1)).collect();
        assert_eq!(letters, ["D"], "the others are too narrow");
        assert_eq!((usage.percent.as_str(), usage.taken.as_str(), usage.tight), ("100 %", "254", true));
    }

    #[test]
    fn a_range_that_is_full_is_tight_whatever_is_free_beside_it() {
        let of = |in_range: &str| {
            let (free, free_in_range) = (Some("252".into()), Some(in_range.into()));
            Usage::new(&Capacity { total: "254".into(), free, free_in_range, dynamic: 2, ..Capacity::default() })
        };
        let (full, roomy, whole) = (of("0"), of("3"), of("252"));
        assert_eq!((full.free_in_range.as_deref(), full.percent.as_str(), full.tight), (Some("0"), "range full", true));
        assert_eq!((roomy.free_in_range.as_deref(), roomy.tight), (Some("3"), false));
        assert_eq!((whole.free_in_range, whole.tight), (None, false), "said once where both are the same");
        let drawn = full.render().expect("plain values");
        assert!(drawn.contains("252 free, 0 of them in its range"), "{drawn}");
    }

    #[test]
    fn a_worker_says_what_it_has_itself_and_calls_nothing_free() {
        let usage = Usage::new(&Capacity { total: "254".into(), dynamic: 2, ..Capacity::default() });
        assert_eq!((usage.free, usage.uses.as_str()), (None, "2 dynamic"));
    }

    #[test]
    fn one_address_of_an_ipv6_pool_is_seen() {
        let wide = Capacity {
            total: "18446744073709551615".into(),
            free: Some("18446744073709551614".into()),
            dynamic: 1,
            ..Capacity::default()
        };
        let usage = Usage::new(&wide);
        assert_eq!(usage.segments.len(), 1);
        assert_eq!(usage.percent, "< 1 %");
        assert_eq!(usage.uses, "1 dynamic, 1.8 × 10¹⁹ free");
    }
}
