//! How much of a text there is room for in a drawing, where nothing wraps. What must not live here: drawings (`graph`).

/// Size of the letters, in pixels.
const SIZE: usize = 13;

/// Cut to so many pixels. How wide letters are is not known here: these are those of a wide font, set bold.
pub(super) fn short(text: &str, pixels: usize) -> String {
    let room = pixels * 1000 / SIZE;
    let width = |letter: char| match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | '\'' | '|' | ' ' => 380,
        'f' | 'r' | 't' | '-' | '(' | ')' | '[' | ']' | '"' => 480,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1100,
        'A'..='Z' => 800,
        letter if letter.is_ascii() => 700,
        _ => 1100,
    };
    if text.chars().map(width).sum::<usize>() <= room {
        return text.to_owned();
    }
    let mut left = room - width('…');
    let fits = |letter: &char| {
        let rest = left.checked_sub(width(*letter));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_by_their_width() {
        assert_eq!(short("macvlan-net1", 196), "macvlan-net1");
        assert_eq!(short("192.168.122.0/24 lilliput", 196), "192.168.122.0/24 lilliput");
        let (wide, narrow) = (short(&"W".repeat(40), 196), short(&"i".repeat(40), 196));
        assert_eq!((wide.chars().count(), narrow.chars().count()), (13, 37), "{wide} {narrow}");
        assert!(wide.ends_with("W…") && narrow.ends_with("i…"));
    }
}
