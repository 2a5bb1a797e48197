//! The ways an address is used, as pages show them: by colour, by letter and in words, the same in bars, maps and tables.
//! What must not live here: which addresses are used how.

use netloom_model::lease::{LeaseKind, LeaseState};

use super::legend::{Legend, Meaning};

/// Class of the stylesheet, letter and words of every use, in the order of bars and legends.
const USES: [Meaning; 14] = [
    ("dynamic", "D", "dynamic"),
    ("requested", "R", "requested"),
    ("held", "K", "held"),
    ("reserved", "V", "reserved"),
    ("gateway", "G", "gateway"),
    ("host", "H", "host's own"),
    ("releasing", "L", "releasing"),
    ("quarantined", "Q", "quarantined"),
    ("orphaned", "O", "orphaned"),
    ("away", "A", "on another node"),
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

/// What colours and letters mean, with the numbers of these classes.
pub fn legend(counts: impl IntoIterator<Item = (&'static str, String)>) -> Legend {
    Legend::new('m', counts.into_iter().map(|(class, count)| ((class, letter(class), words(class)), count)))
}

/// The same of the cells of a map, by their classes.
pub fn legend_of<'c>(cells: impl Iterator<Item = &'c str> + Clone) -> Legend {
    Legend::of_cells('m', &USES, cells)
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
