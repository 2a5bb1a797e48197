//! Numbers and spans of time as people read them.

/// Digits in groups of three: `12,345`.
pub fn count(number: u64) -> String {
    group(&number.to_string())
}

/// Decimal text as a count. From 10^15 on as a power of ten, which is what an IPv6 pool needs: `1.8 × 10¹⁹`.
pub fn decimal(text: &str) -> String {
    if text.len() <= 15 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return group(text);
    }
    let (first, rest) = text.split_at(1);
    format!("{first}.{} × 10{}", &rest[..1], raised(rest.len()))
}

/// A number as an exponent: `¹⁹`.
fn raised(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().chars().filter_map(|digit| DIGITS.get(digit.to_digit(10)? as usize)).collect()
}

fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in decimal units, as network people count: `98.1 kB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut value = number as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// An RFC 3339 time in UTC as people write it, to the second: `2026-01-31 12:00:00 UTC`. Anything else stays as it is.
pub fn stamp(exact: &str) -> String {
    match exact.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((day, time)) => format!("{day} {} UTC", time.split('.').next().unwrap_or(time)),
        None => exact.to_owned(),
    }
}

/// A noun with its number: `1 endpoint`, `2 endpoints`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A share in percent, never rounded to a lie: something is never `0 %`, and not all is never `100 %`.
pub fn percent(part: f64, whole: f64) -> String {
    if whole <= 0.0 || part <= 0.0 {
        return "0 %".to_owned();
    }
    let share = part / whole * 100.0;
    match share {
        s if s < 1.0 => "< 1 %".to_owned(),
        s if s > 99.0 && part < whole => "> 99 %".to_owned(),
        s => format!("{s:.0} %"),
    }
}

/// How long ago, or how far ahead, in the largest fitting unit. Milliseconds.
pub fn relative(now: i64, then: i64) -> String {
    let past = now.saturating_sub(then);
    let seconds = past.unsigned_abs() / 1000;
    let (amount, unit) = match seconds {
        0..=4 => return "just now".to_owned(),
        s if s < 60 => (s, "s"),
        s if s < 3600 => (s / 60, "min"),
        s if s < 48 * 3600 => (s / 3600, "h"),
        s if s < 60 * 86_400 => (s / 86_400, "d"),
        s if s < 730 * 86_400 => (s / (30 * 86_400), "months"),
        s => (s / (365 * 86_400), "years"),
    };
    if past >= 0 { format!("{amount} {unit} ago") } else { format!("in {amount} {unit}") }
}

/// How long something lasts, in the same units. Milliseconds.
pub fn duration(millis: i64) -> String {
    let long = relative(millis.max(5000), 0);
    long.strip_suffix(" ago").unwrap_or(&long).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(decimal("65534"), "65,534");
        assert_eq!(decimal("18446744073709551615"), "1.8 × 10¹⁹");
    }

    #[test]
    fn times_are_written_out_in_utc() {
        assert_eq!(stamp("2026-01-31T12:00:00.250Z"), "2026-01-31 12:00:00 UTC");
        assert_eq!(stamp("99999999999999999ms"), "99999999999999999ms");
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(98_123), "98.1 kB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(bytes(u64::MAX), "18.4 EB");
    }

    #[test]
    fn shares_are_honest() {
        assert_eq!(percent(0.0, 254.0), "0 %");
        assert_eq!(percent(1.0, 254.0), "< 1 %");
        assert_eq!(percent(127.0, 254.0), "50 %");
        assert_eq!(percent(253.9, 254.0), "> 99 %");
        assert_eq!(percent(254.0, 254.0), "100 %");
    }

    #[test]
    fn times_are_told_from_now() {
        let cases = [
            (0, "just now"),
            (59_000, "59 s ago"),
            (180_000, "3 min ago"),
            (7_200_000, "2 h ago"),
            (-600_000, "in 10 min"),
        ];
        for (past, wanted) in cases {
            assert_eq!(relative(1_000_000_000, 1_000_000_000 - past), wanted);
        }
        assert_eq!(relative(200 * 86_400_000, 0), "6 months ago");
    }
}
