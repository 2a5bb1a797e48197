//! Which sizes are tried on the way to another node, and what follows from those that came back. Pure.
//!
//! In the good case one small packet and one of the greatest size. Else the greatest that passes is looked for between what passed and what did
//! not, several sizes at a time.

/// The smallest size that is tried, in bytes: the least MTU of IPv4 (RFC 791).
pub(crate) const SMALL: u32 = 68;
/// How often nothing is waited for before nobody is there.
const TRIES: u8 = 3;
/// How often the greatest size is tried before it does not pass: a packet may be lost by chance.
const TRIES_OF_GREATEST: u8 = 2;
/// Sizes tried at a time between two.
const AT_A_TIME: u32 = 8;

/// What is tried of one way, and what is known so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sounding {
    /// The greatest size: what this node's own link takes.
    top: u32,
    /// What passed the last time, where that was less.
    known: Option<u32>,
    /// The greatest that passed.
    low: Option<u32>,
    /// The smallest that did not.
    high: u32,
    /// What was waited for in vain at first.
    tries: u8,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    First,
    Between,
    Done,
}

impl Sounding {
    /// Begins. `known` passed the last time; with `deep` more is looked for, too.
    pub(crate) fn new(top: u32, known: Option<u32>, deep: bool) -> Self {
        let known = known.filter(|known| !deep && (SMALL..top).contains(known));
        Self { top, known, low: None, high: top.saturating_add(1), tries: 0, stage: Stage::First }
    }

    /// The sizes to try next, none of them twice; none when it is over.
    pub(crate) fn sizes(&self) -> Vec<u32> {
        match self.stage {
            Stage::First => {
                let mut sizes = vec![SMALL.min(self.top), self.top];
                sizes.extend(self.known);
                sizes.sort_unstable();
                sizes.dedup();
                sizes
            }
            Stage::Between => {
                let low = self.low.unwrap_or(SMALL);
                let gap = self.high.saturating_sub(low);
                let parts = AT_A_TIME.min(gap.saturating_sub(1));
                (1..=parts).map(|part| low + gap * part / (parts + 1)).collect()
            }
            Stage::Done => Vec::new(),
        }
    }

    /// Takes which of [`Self::sizes`] came back.
    pub(crate) fn hear(&mut self, tried: &[u32], back: &[u32]) {
        self.low = self.low.max(back.iter().copied().max());
        let Some(low) = self.low else {
            self.tries += 1;
            if self.tries >= TRIES {
                self.stage = Stage::Done;
            }
            return;
        };
        let lost = tried.iter().copied().filter(|size| *size > low).min();
        self.high = lost.map_or(self.high, |lost| lost.min(self.high));
        if low >= self.top || self.high <= low + 1 {
            self.stage = Stage::Done;
            return;
        }
        match self.stage {
            Stage::First => {
                self.tries += 1;
                if self.tries < TRIES_OF_GREATEST {
                    self.high = self.top.saturating_add(1);
                } else {
                    self.stage = if self.known == Some(low) { Stage::Done } else { Stage::Between };
                }
            }
            Stage::Between | Stage::Done => {}
        }
    }

    /// The greatest size that passes; absent where none does.
    pub(crate) fn usable(&self) -> Option<u32> {
        self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sounds a way on which `passes` says what comes back; the answer, and how many times something was waited for.
    fn sound(mut sounding: Sounding, mut passes: impl FnMut(u32) -> bool) -> (Option<u32>, usize) {
        for waves in 0.. {
            let sizes = sounding.sizes();
            if sizes.is_empty() {
                return (sounding.usable(), waves);
            }
            assert!(sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
            assert!(waves < 20, "it does not end: {sounding:?}");
            let back: Vec<u32> = sizes.iter().copied().filter(|size| passes(*size)).collect();
            sounding.hear(&sizes, &back);
        }
        unreachable!("the loop above returns")
    }

    #[test]
    fn the_greatest_size_that_passes_is_found() {
        let cases = [
            // top, known, deep, what the way takes; usable, waves
            (1450, None, false, 1450, Some(1450), 1),
            (1450, None, false, 9000, Some(1450), 1),
            (1450, Some(1350), false, 1450, Some(1450), 1),
            (1450, Some(1350), false, 1350, Some(1350), 2),
            (1450, Some(1350), false, 1349, Some(1349), 6),
            (1450, Some(1350), true, 1420, Some(1420), 6),
            (1450, None, false, 1449, Some(1449), 6),
            (1450, None, false, 68, Some(68), 6),
            (1450, None, false, 67, None, 3),
            (1450, None, false, 0, None, 3),
            (8950, None, false, 1450, Some(1450), 7),
            (69, None, false, 68, Some(68), 1),
            (40, None, false, 100, Some(40), 1),
        ];
        for (top, known, deep, takes, usable, most) in cases {
            let (found, waves) = sound(Sounding::new(top, known, deep), |size| size <= takes);
            assert_eq!(found, usable, "{top} {known:?} {deep} {takes}");
            assert!(waves <= most, "{top} {known:?} {deep} {takes}: {waves}");
        }
    }

    #[test]
    fn a_packet_that_is_lost_by_chance_changes_nothing() {
        let mut sent = 0;
        let mut every_fourth = |_| {
            sent += 1;
            sent % 4 != 2
        };
        assert_eq!(sound(Sounding::new(1450, None, false), &mut every_fourth).0, Some(1450));
        let mut sent = 0;
        let mut late = |_| {
            sent += 1;
            sent > 4
        };
        assert_eq!(sound(Sounding::new(1450, None, false), &mut late).0, Some(1450));
    }
}
