//! Figures: durations gathered, their quantiles, and tables of them. No measuring here.

use std::time::{Duration, Instant};

/// Durations of one operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Measures one run.
    pub(crate) fn time<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let done = run();
        self.0.push(begin.elapsed());
        done
    }

    /// Adds a duration that was measured elsewhere.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Takes another's over.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// A quantile, in milliseconds; 0 without figures.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = ((sorted.len().saturating_sub(1)) as f64 * q).round() as usize;
        sorted.get(at).map_or(0.0, |took| millis(*took))
    }

    /// The median, in milliseconds.
    pub(crate) fn p50(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// A duration in milliseconds.
pub(crate) fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    rows: Vec<[String; 5]>,
}

impl Table {
    /// With a title; the columns are what, p50, p95, against, verdict.
    pub(crate) fn new(title: &str) -> Self {
        let head = ["what", "p50 ms", "p95 ms", "compared", "goal"].map(str::to_owned);
        Self { title: title.to_owned(), rows: vec![head] }
    }

    /// A row of times.
    pub(crate) fn times(&mut self, what: &str, times: &Times, compared: &str, goal: &str) {
        let numbers = [times.p50(), times.quantile(0.95)].map(|n| format!("{n:.3}"));
        let [p50, p95] = numbers;
        self.rows.push([what.to_owned(), p50, p95, compared.to_owned(), goal.to_owned()]);
    }

    /// A row of one figure in words.
    pub(crate) fn figure(&mut self, what: &str, figure: &str, compared: &str, goal: &str) {
        self.rows.push([what.to_owned(), figure.to_owned(), String::new(), compared.to_owned(), goal.to_owned()]);
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..5).map(width).collect();
        println!("## {}\n", self.title);
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                println!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|"));
            }
        }
        println!();
    }
}

/// "met" or "missed", with the goal.
pub(crate) fn verdict(met: bool, goal: &str) -> String {
    format!("{goal}: {}", if met { "met" } else { "MISSED" })
}

/// What this ran on.
pub(crate) fn machine() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("kernel {}, {cores} cores", kernel.trim())
}
