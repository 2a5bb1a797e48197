//! The palette of both themes: contrast by WCAG 2.2's formula, of the pairs that the stylesheet sets on one another.

use std::collections::BTreeMap;

const SHEET: &str = include_str!("../../static/app.css");

/// Text on what it stands on: 4.5 to 1 (WCAG 2.2, 1.4.3).
const TEXT: &[(&str, &str)] = &[
    ("text", "page"),
    ("text", "surface"),
    ("text", "raised"),
    ("text", "warn-soft"),
    ("text", "bad-soft"),
    ("muted", "page"),
    ("muted", "surface"),
    ("muted", "raised"),
    ("muted", "track"),
    ("accent", "page"),
    ("accent", "surface"),
    ("accent", "raised"),
    ("accent", "accent-soft"),
    ("accent", "warn-soft"),
    ("on-accent", "accent"),
    ("good", "surface"),
    ("good", "good-soft"),
    ("busy", "surface"),
    ("busy", "busy-soft"),
    ("quiet", "surface"),
    ("quiet", "quiet-soft"),
    ("warn", "surface"),
    ("warn", "warn-soft"),
    ("bad", "surface"),
    ("bad", "bad-soft"),
    ("use-ink", "use-dynamic"),
    ("use-ink", "use-requested"),
    ("use-ink", "use-reserved"),
    ("use-ink", "use-gateway"),
    ("use-ink", "use-host"),
    ("use-ink", "use-held"),
    ("use-ink", "use-releasing"),
    ("use-ink", "use-quarantined"),
    ("use-ink", "use-orphaned"),
];

/// What must be seen but isn't text: 3 to 1 (1.4.11).
const SIGNS: &[(&str, &str)] = &[
    ("control", "surface"),
    ("control", "page"),
    ("accent", "page"),
    ("use-dynamic", "surface"),
    ("use-requested", "surface"),
    ("use-held", "surface"),
    ("use-reserved", "surface"),
    ("use-gateway", "surface"),
    ("use-host", "surface"),
    ("use-releasing", "surface"),
    ("use-quarantined", "surface"),
    ("use-orphaned", "surface"),
    ("warn", "page"),
    ("bad", "page"),
];

/// The colours of a theme: 0 is the light one, 1 the dark one, as `light-dark()` has them.
fn colours(theme: usize) -> BTreeMap<String, [f64; 3]> {
    let end = SHEET.find("*, *::before").expect("the rest");
    let declarations = SHEET[..end].split(';').filter_map(|line| line.rsplit('{').next()?.trim().split_once(':'));
    declarations
        .filter_map(|(name, value)| {
            let both = value.trim().strip_prefix("light-dark(")?.strip_suffix(')')?;
            let digits = both.split(", ").nth(theme)?.strip_prefix('#').filter(|digits| digits.len() == 6)?;
            let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok().map(f64::from);
            Some((name.trim().strip_prefix("--")?.to_owned(), [channel(0)?, channel(2)?, channel(4)?]))
        })
        .collect()
}

fn themes() -> [(&'static str, BTreeMap<String, [f64; 3]>); 2] {
    [("light", colours(0)), ("dark", colours(1))]
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: [f64; 3]) -> f64 {
    let linear = colour.map(|channel| {
        let share = channel / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    if one > other { one / other } else { other / one }
}

/// One colour mixed with another, as `color-mix(in srgb, ...)` does.
fn mixed(one: [f64; 3], percent: f64, other: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|at| (one[at] * percent + other[at] * (100.0 - percent)) / 100.0)
}

#[test]
fn numbers_of_heat_maps_can_be_read_on_every_shade() {
    for (theme, colours) in themes() {
        let most = if theme == "light" { (70.0, "text") } else { (82.0, "use-ink") };
        for (percent, ink) in [(14.0, "text"), (30.0, "text"), (48.0, "text"), most] {
            assert!(
                SHEET.contains(&format!("var(--use-dynamic) {percent}%, var(--surface)")),
                "{percent} is in the sheet"
            );
            let shade = mixed(colours["use-dynamic"], percent, colours["surface"]);
            let ratio = contrast(colours[ink], shade);
            assert!(ratio >= 4.5, "{theme}: {ink} on {percent} % has {ratio:.2}");
        }
    }
}

#[test]
fn contrast_is_enough_in_both_themes() {
    let mut weak = Vec::new();
    for (theme, colours) in themes() {
        for (pairs, least) in [(TEXT, 4.5), (SIGNS, 3.0)] {
            for (front, back) in pairs {
                let ratio = contrast(colours[*front], colours[*back]);
                if ratio < least {
                    weak.push(format!("{theme}: {front} on {back} has {ratio:.2}, needs {least}"));
                }
            }
        }
    }
    assert!(weak.is_empty(), "{}", weak.join("\n"));
}

#[test]
fn both_themes_have_the_same_colours() {
    let [(_, light), (_, dark)] = themes();
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>());
}

#[test]
fn the_formula_is_right() {
    assert!((contrast([0.0; 3], [255.0; 3]) - 21.0).abs() < 0.001);
}

#[test]
fn every_class_of_a_use_has_its_colour() {
    for word in ["dynamic", "requested", "held", "reserved", "gateway", "host", "releasing", "quarantined", "orphaned"]
    {
        assert!(SHEET.contains(&format!(".u-{word} {{ fill: var(--use-{word}); }}")), "{word}");
        assert!(SHEET.contains(&format!(".m-{word} {{ --use: var(--use-{word}); }}")), "{word}");
    }
}
