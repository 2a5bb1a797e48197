//! The short form of an authority's certificate: SHA-256, as 50 digits of base 36 (Docker's).

use sha2::{Digest as _, Sha256};

use crate::certificate;
use crate::error::Error;

/// Digits of a digest.
pub const DIGEST_DIGITS: usize = 50;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The digest of a certificate, PEM: of its bytes, not of its text, which can be wrapped in more than one way.
///
/// # Errors
/// When there is no certificate in it.
pub fn digest(pem: &str) -> Result<String, Error> {
    Ok(digest_der(&certificate::der(pem)?))
}

/// The digest of a certificate, DER.
pub fn digest_der(der: &[u8]) -> String {
    base36(&Sha256::digest(der), DIGEST_DIGITS)
}

/// A big-endian number in base 36, with leading zeros. `digits` are enough for it.
pub(crate) fn base36(number: &[u8], digits: usize) -> String {
    let mut rest = number.to_vec();
    let mut text = vec![b'0'; digits];
    for place in text.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut rest {
            let value = remainder << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 36).unwrap_or(u8::MAX);
            remainder = value % 36;
        }
        *place = DIGITS[remainder as usize];
    }
    debug_assert!(rest.iter().all(|byte| *byte == 0), "too few digits");
    text.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_elsewhere() {
        for (number, digits, text) in [
            (&[0][..], 3, "000"),
            (&[35], 2, "0z"),
            (&[36], 2, "10"),
            (&[1, 0], 3, "074"),
            // Python: numpy.base_repr(2**128 - 1, 36).lower()
            (&[0xff; 16], 25, "f5lxx1zz5pnorynqglhzmsp33"),
            // 2**256 - 1
            (&[0xff; 32], 50, "6dp5qcb22im238nr3wvp0ic7q99w035jmy2iw7i6n43d37jtof"),
        ] {
            assert_eq!(base36(number, digits), text);
        }
    }
}
