//! What the colours and signs of a bar, a map or a matrix mean, with numbers. What must not live here: which colours and signs there are.

use askama::Template;

use super::format;

/// A class of the stylesheet without its first letter, the sign that says the same without colour, and the words for it.
pub type Meaning = (&'static str, &'static str, &'static str);

/// One meaning, and how many have it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(crate) class: String,
    pub(crate) sign: &'static str,
    pub(crate) words: &'static str,
    pub(crate) count: String,
}

/// All of them.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "component/legend.html")]
pub struct Legend {
    pub(crate) entries: Vec<Entry>,
}

impl askama::filters::HtmlSafe for Legend {}

impl Legend {
    /// A legend of meanings with their numbers, already formatted; `family` is the first letter of their classes.
    pub fn new(family: char, counts: impl IntoIterator<Item = (Meaning, String)>) -> Self {
        let entry = |((class, sign, words), count)| Entry { class: format!("{family}-{class}"), sign, words, count };
        Self { entries: counts.into_iter().map(entry).collect() }
    }

    /// A legend of cells by their classes: of those meanings that any of them has.
    pub fn of_cells<'c>(family: char, meanings: &[Meaning], cells: impl Iterator<Item = &'c str> + Clone) -> Self {
        let count = |meaning: &Meaning| cells.clone().filter(|class| *class == meaning.0).count() as u64;
        let counted = meanings.iter().map(|meaning| (*meaning, count(meaning))).filter(|(_, count)| *count > 0);
        Self::new(family, counted.map(|(meaning, count)| (meaning, format::count(count))))
    }

    /// The same as a sentence: `2 dynamic, 1 gateway, 251 free`.
    pub fn sentence(&self) -> String {
        self.entries.iter().map(|entry| format!("{} {}", entry.count, entry.words)).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_there_is_any_of_is_told() {
        let meanings = [("yes", "✓", "reached"), ("no", "✗", "not reached"), ("unknown", "?", "unknown")];
        let legend = Legend::of_cells('r', &meanings, ["yes", "no", "yes", "self"].into_iter());
        assert_eq!(legend.sentence(), "2 reached, 1 not reached");
        assert_eq!(legend.entries[1].class, "r-no");
    }
}
