//! Names that users choose, and labels: what they may look like.

use std::collections::BTreeMap;

use crate::id::looks_like_id;
use crate::invalid::{Code, Invalid};

/// Longest name, in characters. Docker and DNS labels share this bound.
pub const NAME_MAX: usize = 63;
/// Most labels (or annotations) one object may carry.
pub const LABELS_MAX: usize = 64;
/// Longest label key, in bytes.
pub const LABEL_KEY_MAX: usize = 128;
/// Longest label value, in bytes.
pub const LABEL_VALUE_MAX: usize = 1024;
/// Longest description, in bytes.
pub const DESCRIPTION_MAX: usize = 1024;

/// Labels and annotations: text by key.
pub type Labels = BTreeMap<String, String>;

/// Checks a name: 1 to 63 characters, a letter or digit first, then letters, digits, `_`, `.` and `-`
/// (Docker's rule), and not the shape of an ID, so that one path segment can take either.
pub fn check_name(pointer: &str, name: &str) -> Result<(), Invalid> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if !first || !rest || name.len() > NAME_MAX {
        let message = "a name has 1 to 63 characters: a letter or digit first, then letters, digits, `_`, `.` or `-`";
        return Err(Invalid::new(pointer, Code::Format, name, message).hint("for example `macvlan-net1`"));
    }
    if looks_like_id(name) {
        let message = "a name must not look like an ID (letters, `_`, 26 characters)";
        return Err(Invalid::new(pointer, Code::Format, name, message).hint("choose another name"));
    }
    Ok(())
}

/// Checks labels or annotations: at most 64; keys of 1 to 128 bytes without spaces or control characters or `=`; values up to 1024 bytes.
pub fn check_labels(pointer: &str, labels: &Labels) -> Result<(), Invalid> {
    if labels.len() > LABELS_MAX {
        return Err(Invalid::new(pointer, Code::TooLong, &labels.len().to_string(), "at most 64 labels"));
    }
    for (key, value) in labels {
        let here = format!("{pointer}/{}", crate::document::escape_pointer(key));
        if key.is_empty()
            || key.len() > LABEL_KEY_MAX
            || key.chars().any(|c| c.is_whitespace() || c.is_control() || c == '=')
        {
            return Err(Invalid::new(
                &here,
                Code::Format,
                key,
                "a label key has 1 to 128 bytes, without spaces, control characters or `=`",
            ));
        }
        if value.len() > LABEL_VALUE_MAX || value.chars().any(char::is_control) {
            return Err(Invalid::new(
                &here,
                Code::TooLong,
                value,
                "a label value has at most 1024 bytes, without control characters",
            ));
        }
    }
    Ok(())
}

/// Checks a description: at most 1024 bytes, no control characters but tab and newline.
pub fn check_description(pointer: &str, text: &str) -> Result<(), Invalid> {
    let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.len() > DESCRIPTION_MAX || text.chars().any(bad) {
        return Err(Invalid::new(
            pointer,
            Code::TooLong,
            text,
            "a description has at most 1024 bytes and no control characters",
        ));
    }
    Ok(())
}

/// Longest name of a link, in bytes (IFNAMSIZ - 1).
const LINK_NAME_MAX: usize = 15;

/// Checks a name that a link of Netloom's is to get, in a sandbox or on the host: 1 to 15 characters, a letter or digit first, then letters,
/// digits, `_`, `.` and `-`; none that the kernel keeps for itself. Of what the kernel would take beside that, `*` stands for any rest in nftables,
/// and other signs mean something to shells.
pub fn check_interface_name(pointer: &str, name: &str) -> Result<(), Invalid> {
    // The last is a file of the bonding driver's beside the links (`net/core/dev.c` refuses it).
    let taken = matches!(name, "lo" | "all" | "default" | "bonding_masters");
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if !first || !rest || name.len() > LINK_NAME_MAX || taken {
        let message = "an interface name has 1 to 15 characters: a letter or digit first, then letters, digits, `_`, `.` or `-`; and is not `lo`, `all`, \
                       `default` or `bonding_masters`";
        return Err(Invalid::new(pointer, Code::Format, name, message).hint("for example `eth0`"));
    }
    Ok(())
}

/// Checks the name of a link that the host has already, by the kernel's rule: 1 to 15 bytes, no space, `/` or `:`, not `.` or `..`; no `%`, which
/// stands for a number; and none that names all links, or loopback.
pub fn check_host_link_name(pointer: &str, name: &str) -> Result<(), Invalid> {
    let taken = matches!(name, "." | ".." | "lo" | "all" | "default");
    let bad = |b: u8| !b.is_ascii_graphic() || matches!(b, b'/' | b':' | b'%');
    if name.is_empty() || name.len() > LINK_NAME_MAX || taken || name.bytes().any(bad) {
        let message = "an interface name has 1 to 15 visible ASCII characters without `/`, `:` or `%`, and is not `lo`, `.`, `..`, `all` or `default`";
        return Err(Invalid::new(pointer, Code::Format, name, message).hint("for example `eth0`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "bridge", "macvlan-net1", "0", "A.b_c-d", &"x".repeat(63)] {
            assert!(check_name("/name", good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a b", "a/b", "é", &"x".repeat(64), "net_aebagbafaydqqcikbmga2dqpca"] {
            assert!(check_name("/name", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn interface_names_fit_the_kernel() {
        for good in ["eth0", "wan", "br-web.10", "0_a", &"x".repeat(15)] {
            assert!(check_interface_name("/i", good).is_ok() && check_host_link_name("/i", good).is_ok(), "{good}");
        }
        for bad in ["", "lo", "all", "a b", "a/b", "..", "eth%d", "a:b", &"x".repeat(16)] {
            assert!(check_interface_name("/i", bad).is_err() && check_host_link_name("/i", bad).is_err(), "{bad}");
        }
        // What the host may have, but is not to be given.
        for odd in ["br*", "*", "-x", ".a", "_x", "a$b", "a;b", "a\"b", "a@b", "bonding_masters"] {
            assert!(check_interface_name("/i", odd).is_err() && check_host_link_name("/i", odd).is_ok(), "{odd}");
        }
    }
}
