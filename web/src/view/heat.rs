//! A large block as a heat map: each cell is a block in it, and says by colour and by number how much of it is taken.

use std::collections::BTreeMap;

use askama::Template;
use ipnet::IpNet;
use netloom_model::map::MapCell;

use super::format;
use super::grid::{self, Row};
use super::legend::{Legend, Meaning};

/// What the colours mean, from the lowest share: class, first and last number, words.
const SHARES: [Meaning; 6] = [
    ("none", "0", "nothing taken"),
    ("some", "1–24", "less than 25 %"),
    ("quarter", "25–49", "25 % and more"),
    ("half", "50–74", "50 % and more"),
    ("most", "75–99", "75 % and more"),
    ("full", "F", "full"),
];

/// How much of a block is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub(crate) class: &'static str,
    /// At most two characters: how many percent, `<1` for less than one, `F` for all.
    pub(crate) sign: String,
}

impl Share {
    /// Never rounded to a lie: only what has nothing is 0, and only what has all is full.
    pub fn new(taken: u64, size: f64) -> Self {
        let exact = if size > 0.0 { taken as f64 / size * 100.0 } else { 1.0 };
        let percent = exact.round().clamp(1.0, 99.0);
        let at = match percent as u32 {
            _ if taken == 0 => 0,
            _ if taken as f64 >= size => 5,
            1..=24 => 1,
            25..=49 => 2,
            50..=74 => 3,
            _ => 4,
        };
        let sign = match at {
            0 => "0".to_owned(),
            5 => "F".to_owned(),
            _ if exact < 1.0 => "<1".to_owned(),
            _ => format!("{percent:.0}"),
        };
        Self { class: SHARES[at].0, sign }
    }

    /// What is said of a block, with what is seen of it first.
    fn label(&self, block: &str, taken: u64, size: f64) -> String {
        let size = format::decimal(&format!("{size:.0}"));
        let share = if self.class == "full" { "full" } else { "%" };
        format!("{} {share}, {block}, {} of {size} taken", self.sign, format::count(taken))
    }
}

/// One block.
#[derive(Debug, Clone)]
pub struct Cell {
    pub(crate) share: Share,
    pub(crate) label: String,
    pub(crate) href: String,
}

/// A block as a heat map.
#[derive(Debug, Clone, Template)]
#[template(path = "component/heat.html")]
pub struct HeatMap {
    block: String,
    prefix_length: u8,
    columns: Vec<String>,
    rows: Vec<Row<Cell>>,
    legend: Legend,
}

impl askama::filters::HtmlSafe for HeatMap {}

impl HeatMap {
    /// Draws a block by all its cells of this prefix length, of which `taken` are those with leases. `href` is the page of a cell.
    pub fn new(block: IpNet, prefix_length: u8, taken: &[MapCell], href: impl Fn(&str) -> String) -> Option<Self> {
        let taken: BTreeMap<&str, u64> = taken.iter().map(|cell| (cell.block.as_str(), cell.leased)).collect();
        let blocks: Vec<IpNet> = block.subnets(prefix_length).ok()?.take(256).collect();
        let size = f64::from(block.max_prefix_len() - prefix_length).exp2();
        let cell = |block: &IpNet| {
            let text = block.to_string();
            let leased = taken.get(text.as_str()).copied().unwrap_or_default();
            let share = Share::new(leased, size);
            let label = share.label(&text, leased, size);
            Cell { share, label, href: href(&text) }
        };
        let cells: Vec<Cell> = blocks.iter().map(cell).collect();
        let label = |at: usize| blocks.get(at).map(|block| row_label(*block)).unwrap_or_default();
        Some(Self {
            block: block.to_string(),
            prefix_length,
            columns: grid::columns(cells.len()),
            rows: grid::rows(&cells, label),
            legend: Legend::of_cells('h', &SHARES, cells.iter().map(|cell| cell.share.class)),
        })
    }
}

/// The byte in which blocks cut at a whole byte differ.
fn row_label(block: IpNet) -> String {
    let at = usize::from(block.prefix_len() / 8).saturating_sub(1);
    match block {
        IpNet::V4(block) => format!(".{}", block.network().octets().get(at).copied().unwrap_or_default()),
        IpNet::V6(block) => format!(":{:02x}", block.network().octets().get(at).copied().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_honest() {
        let shown = |taken, size| {
            let share = Share::new(taken, size);
            (share.class, share.sign)
        };
        assert_eq!(shown(0, 256.0), ("none", "0".to_owned()));
        assert_eq!(shown(1, 65_536.0), ("some", "<1".to_owned()));
        assert_eq!(shown(1, 100.0), ("some", "1".to_owned()));
        assert_eq!(shown(63, 256.0), ("quarter", "25".to_owned()));
        assert_eq!(shown(128, 256.0), ("half", "50".to_owned()));
        assert_eq!(shown(255, 256.0), ("most", "99".to_owned()));
        assert_eq!(shown(256, 256.0), ("full", "F".to_owned()));
    }

    #[test]
    fn a_16_is_256_cells_that_each_lead_on() {
        let taken = [MapCell { block: "10.7.3.0/24".into(), size: "256".into(), leased: 12 }];
        let block: IpNet = "10.7.0.0/16".parse().expect("a block");
        let map = HeatMap::new(block, 24, &taken, |block| format!("?block={block}")).expect("cells");
        assert_eq!((map.rows.len(), map.columns.len(), map.rows[1].label.as_str()), (16, 16, ".16"));
        let cell = &map.rows[0].cells[3];
        assert_eq!((cell.share.sign.as_str(), cell.href.as_str()), ("5", "?block=10.7.3.0/24"));
        assert_eq!(cell.label, "5 %, 10.7.3.0/24, 12 of 256 taken");
        assert_eq!(map.legend.sentence(), "255 nothing taken, 1 less than 25 %");
    }
}
