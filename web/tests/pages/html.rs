//! Just enough HTML to check pages with: tags in order with their attributes, and the text between them.

/// One piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Open { name: String, attributes: Vec<(String, Option<String>)>, closed: bool },
    Close(String),
    Text(String),
}

impl Piece {
    pub(crate) fn attribute(&self, wanted: &str) -> Option<&str> {
        let Self::Open { attributes, .. } = self else { return None };
        attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_deref().unwrap_or(""))
    }

    pub(crate) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Open { name, .. } if name == wanted)
    }
}

/// Takes a page apart.
///
/// # Panics
/// When the page isn't HTML of the plain kind that our templates write.
pub(crate) fn pieces(page: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = page;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            found.push(Piece::Text(rest.to_owned()));
            break;
        };
        if at > 0 {
            found.push(Piece::Text(rest[..at].to_owned()));
        }
        rest = &rest[at..];
        let end = tag_end(rest);
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        match tag.strip_prefix('/') {
            Some(name) => found.push(Piece::Close(name.trim().to_owned())),
            None => found.push(open(tag)),
        }
    }
    found
}

fn tag_end(text: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return at,
            _ => {}
        }
    }
    panic!("a tag without end: {}", text.chars().take(80).collect::<String>());
}

fn open(tag: &str) -> Piece {
    let closed = tag.ends_with('/');
    let tag = tag.trim_end_matches('/').trim_end();
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let key = rest[..end].to_owned();
        rest = &rest[end..];
        match rest.strip_prefix("=\"") {
            Some(after) => {
                let end = after.find('"').expect("a quoted value ends");
                attributes.push((key, Some(after[..end].to_owned())));
                rest = &after[end + 1..];
            }
            None => {
                assert!(!rest.starts_with('='), "an attribute without quotes: {tag}");
                attributes.push((key, None));
            }
        }
    }
    Piece::Open { name: name.to_owned(), attributes, closed }
}
