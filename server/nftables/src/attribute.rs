//! Netlink attributes: length, type and value, padded to four bytes (`struct nlattr`). Numbers are big-endian, as
//! nf_tables has them.

const HEADER: usize = 4;
/// The two upper bits of a type are flags (nested, byte order).
const TYPE_MASK: u16 = 0x3fff;

/// Appends an attribute.
pub fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    nest(out, kind, |out| out.extend_from_slice(value));
}

/// Appends a 32-bit number.
pub(crate) fn put_u32(out: &mut Vec<u8>, kind: u16, value: u32) {
    put(out, kind, &value.to_be_bytes());
}

/// Appends a 64-bit number.
pub(crate) fn put_u64(out: &mut Vec<u8>, kind: u16, value: u64) {
    put(out, kind, &value.to_be_bytes());
}

/// Appends text with its closing NUL.
pub(crate) fn put_text(out: &mut Vec<u8>, kind: u16, value: &str) {
    nest(out, kind, |out| {
        out.extend_from_slice(value.as_bytes());
        out.push(0);
    });
}

/// Appends an attribute of which the value is written by a function, for example one that holds attributes. The flag
/// NLA_F_NESTED is left out, as the kernel leaves it out when it dumps.
pub fn nest(out: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    value(out);
    // Longer than the field can say: the kernel refuses a length that doesn't fit, which is better than a wrong one.
    let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    out[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    out[start + 2..start + HEADER].copy_from_slice(&kind.to_ne_bytes());
    pad(out);
}

/// Appends zeros up to a multiple of four bytes.
pub(crate) fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

/// The attributes of a message or a nest: type without flags, and value. Ends at the first that is cut off.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        let kind = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]) & TYPE_MASK;
        let value = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of a type.
pub fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// A 32-bit number among attributes.
pub(crate) fn find_u32(bytes: &[u8], wanted: u16) -> Option<u32> {
    Some(u32::from_be_bytes(find(bytes, wanted)?.try_into().ok()?))
}

/// A 64-bit number among attributes.
pub(crate) fn find_u64(bytes: &[u8], wanted: u16) -> Option<u64> {
    Some(u64::from_be_bytes(find(bytes, wanted)?.try_into().ok()?))
}

/// Text among attributes, without its closing NUL.
pub(crate) fn find_text(bytes: &[u8], wanted: u16) -> Option<String> {
    find(bytes, wanted).map(text)
}

/// Text up to the first NUL.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
