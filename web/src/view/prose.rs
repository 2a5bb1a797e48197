//! A sentence of control's or the agent's: what stands between backticks is a name or a value, and is shown as one.

use std::net::IpAddr;

use askama::Template;
use netloom_model::Timestamp;

use super::format;

/// One piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub(crate) text: String,
    pub(crate) code: bool,
    pub(crate) href: Option<String>,
}

/// A sentence on a page.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "component/prose.html")]
pub struct Prose {
    pieces: Vec<Piece>,
}

impl askama::filters::HtmlSafe for Prose {}

impl Prose {
    /// A sentence with its code spans. A backtick without a partner stays what it is.
    pub fn new(sentence: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = sentence;
        while let Some((before, code, after)) = next_span(rest) {
            push(&mut pieces, before, false);
            push(&mut pieces, code, true);
            rest = after;
        }
        push(&mut pieces, rest, false);
        Self { pieces }
    }

    /// The sentence with the names linked that stand behind one of these words: `network` in `on network \`web\``.
    #[must_use]
    pub fn linked(mut self, words: &[(&str, Option<String>)]) -> Self {
        for (word, href) in words.iter().filter(|(_, href)| href.is_some()) {
            let behind = |text: &str| text.strip_suffix(' ').is_some_and(|text| text.ends_with(word));
            let places = self
                .pieces
                .windows(2)
                .position(|two| !two[0].code && behind(&two[0].text) && two[1].code && two[1].href.is_none());
            if let Some(piece) = places.and_then(|at| self.pieces.get_mut(at + 1)) {
                piece.href.clone_from(href);
            }
        }
        self
    }

    /// The sentence with the first mention of `name` linked, where there is a page to lead to; and whether it names it at all.
    /// An address may be named without backticks.
    pub fn about(sentence: &str, name: &str, href: Option<String>) -> (Self, bool) {
        let mut prose = Self::new(sentence);
        if let Some(piece) = prose.pieces.iter_mut().find(|piece| piece.code && piece.text == name) {
            piece.href = href;
            return (prose, true);
        }
        let bare = name.parse::<IpAddr>().is_ok();
        let found = prose.pieces.iter().enumerate().filter(|(_, piece)| bare && !piece.code);
        let Some((at, start)) = found.filter_map(|(at, piece)| Some((at, whole_word(&piece.text, name)?))).next()
        else {
            return (prose, false);
        };
        let text = prose.pieces.remove(at).text;
        let mut parts = Vec::new();
        push(&mut parts, &text[..start], false);
        parts.push(Piece { text: name.to_owned(), code: true, href });
        push(&mut parts, &text[start + name.len()..], false);
        prose.pieces.splice(at..at, parts);
        (prose, true)
    }
}

fn push(pieces: &mut Vec<Piece>, text: &str, code: bool) {
    if !text.is_empty() {
        let text = if code { text.to_owned() } else { with_stamps(text) };
        pieces.push(Piece { text, code, href: None });
    }
}

/// A text with the times in it as they stand elsewhere on pages: `2026-01-31 12:00:00 UTC` in the place of RFC 3339.
fn with_stamps(text: &str) -> String {
    let stamped = |word: &str| {
        let time = word.trim_end_matches([',', ';', '.', ')', ':']);
        match time.len() >= EXACT && time.parse::<Timestamp>().is_ok() {
            true => format!("{}{}", format::stamp(time), &word[time.len()..]),
            false => word.to_owned(),
        }
    };
    text.split(' ').map(stamped).collect::<Vec<_>>().join(" ")
}

/// Length of `2026-01-31T12:00:00Z`, the shortest time that is written out.
const EXACT: usize = 20;

/// What stands before the first code span, in it and after it.
fn next_span(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (code, after) = rest.split_once('`')?;
    (!code.is_empty()).then_some((before, code, after))
}

/// Where a word stands that is no part of a longer one.
fn whole_word(text: &str, word: &str) -> Option<usize> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '-');
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let mut after = text[at + word.len()..].chars();
        let next = after.next();
        let dotted = next == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit());
        !text[..*at].ends_with(|c| inner(c) || c == '.') && !next.is_some_and(inner) && !dotted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(prose: &Prose) -> String {
        prose.render().expect("plain values")
    }

    #[test]
    fn names_between_backticks_are_code() {
        assert_eq!(shown(&Prose::new("sandbox `w0` created")), "sandbox <code>w0</code> created");
        assert_eq!(shown(&Prose::new("`a` and `<b>`")), "<code>a</code> and <code>&#60;b&#62;</code>");
        for plain in ["nothing here", "one ` alone", "an empty `` pair", ""] {
            assert_eq!(shown(&Prose::new(plain)), plain);
        }
    }

    #[test]
    fn the_object_is_linked_where_it_is_named() {
        let (prose, named) = Prose::about("sandbox `w0` created", "w0", Some("/ui/sandboxes/sbx_1".into()));
        assert!(named);
        assert_eq!(shown(&prose), "sandbox <a href=\"/ui/sandboxes/sbx_1\">w0</a> created");
        let (prose, named) = Prose::about("sandbox `w0` deleted", "w0", None);
        assert_eq!((shown(&prose).as_str(), named), ("sandbox <code>w0</code> deleted", true));
        let (prose, named) = Prose::about("a thing of w0's", "w0", None);
        assert_eq!((shown(&prose).as_str(), named), ("a thing of w0&#39;s", false));
    }

    #[test]
    fn times_stand_as_they_do_elsewhere() {
        let prose = Prose::new("it has not reported since 2026-01-31T12:00:00.123Z, `2026-01-31T12:00:00Z` aside");
        assert_eq!(
            shown(&prose),
            "it has not reported since 2026-01-31 12:00:00 UTC, <code>2026-01-31T12:00:00Z</code> aside"
        );
    }

    #[test]
    fn names_are_linked_behind_the_word_for_their_kind() {
        let (prose, _) = Prose::about("sandbox `a` of node `h` attached to network `a`", "a", None);
        let linked = prose.linked(&[("network", Some("/n".into())), ("node", None), ("sandbox", Some("/s".into()))]);
        let wanted = "sandbox <a href=\"/s\">a</a> of node <code>h</code> attached to network <a href=\"/n\">a</a>";
        assert_eq!(shown(&linked), wanted);
    }

    #[test]
    fn an_address_is_found_without_backticks() {
        let (prose, named) = Prose::about("10.0.0.10 and 10.0.0.1 are not", "10.0.0.1", Some("/x".into()));
        assert_eq!((shown(&prose).as_str(), named), ("10.0.0.10 and <a href=\"/x\">10.0.0.1</a> are not", true));
    }
}
