//! The ways an address is used, as pages show them: by colour, by letter and in words, the same in bars, maps and tables.
//! What must not live here: which addresses are used how.

use askama::Template;
use netloom_model::lease::{LeaseKind, LeaseState};

/// Class of the stylesheet, letter and words of every use, in the order of bars and legends.
const USES: [(&str, &str, &str); 13] = [
    ("dynamic", "D", "dynamic"),
    ("requested", "R", "requested"),
    ("held", "K", "held"),
    ("reserved", "V", "reserved"),
    ("gateway", "G", "gateway"),
    ("host", "H", "host's own"),
    ("releasing", "L", "releasing"),
    ("quarantined", "Q", "quarantined"),
    ("orphaned", "O", "orphaned"),
    ("free", "", "free"),
    ("unknown", "?", "not known here"),
    ("outside", "·", "free, outside the dynamic range"),
    ("unusable", "–", "unusable"),
];

/// Every class, in order.
pub fn classes() -> impl Iterator<Item = &'static str> {
    USES.iter().map(|(class, ..)| *class)
}

/// The letter of a class.
pub fn letter(class: &str) -> &'static str {
    USES.iter().find(|(known, ..)| *known == class).map_or("?", |(_, letter, _)| letter)
}

/// The words for a class.
pub fn words(class: &'static str) -> &'static str {
    USES.iter().find(|(known, ..)| *known == class).map_or(class, |(.., words)| words)
}

/// How a lease uses its address: its state before its kind, as in the pool's numbers.
pub fn class_of(kind: LeaseKind, state: LeaseState) -> &'static str {
    match state {
        LeaseState::Bound => kind.as_str(),
        LeaseState::Held | LeaseState::Releasing | LeaseState::Quarantined | LeaseState::Orphaned => state.as_str(),
    }
}

/// How many addresses are used in one way.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(crate) class: &'static str,
    pub(crate) letter: &'static str,
    pub(crate) words: &'static str,
    pub(crate) count: String,
}

/// What colours and letters mean, with numbers.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "component/legend.html")]
pub struct Legend {
    entries: Vec<Entry>,
}

impl askama::filters::HtmlSafe for Legend {}

impl Legend {
    /// A legend of classes with their numbers, already formatted.
    pub fn new(counts: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let entry = |(class, count)| Entry { class, letter: letter(class), words: words(class), count };
        Self { entries: counts.into_iter().map(entry).collect() }
    }

    /// The same as a sentence: `2 dynamic, 1 gateway, 251 free`.
    pub fn sentence(&self) -> String {
        self.entries.iter().map(|entry| format!("{} {}", entry.count, entry.words)).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_uses_share_a_letter() {
        let letters: BTreeSet<&str> = classes().map(letter).collect();
        assert_eq!(letters.len(), USES.len());
    }
}
