//! Runs of numbers of ports: put in order, and what lies between them. What must not live here: who has them.

use netloom_model::port::AUTOMATIC;

/// Runs of ports in order, those that touch as one.
pub(super) fn runs(ports: impl Iterator<Item = (u16, u16)>) -> Vec<(u16, u16)> {
    let mut ports: Vec<(u16, u16)> = ports.collect();
    ports.sort_unstable();
    ports.dedup_by(|next, run| {
        let touch = u32::from(next.0) <= u32::from(run.1) + 1;
        run.1 = if touch { run.1.max(next.1) } else { run.1 };
        touch
    });
    ports
}

/// The first of so many automatic ports in a row that are not taken (runs in order) and may be had: `next` is the first such from a port on.
pub(super) fn first_run(taken: &[(u16, u16)], count: u16, next: impl Fn(u16) -> Option<u16>) -> Option<u16> {
    let (lowest, highest) = AUTOMATIC.into_inner();
    let mut taken = taken.iter().peekable();
    let mut first = next(lowest)?;
    loop {
        let last = first.checked_add(count - 1).filter(|last| *last <= highest)?;
        while taken.next_if(|(_, end)| *end < first).is_some() {}
        let from = match taken.peek() {
            Some((begin, end)) if *begin <= last => end.checked_add(1)?,
            _ => match (first..=last).find(|port| next(*port) != Some(*port)) {
                Some(port) => port,
                None => return Some(first),
            },
        };
        first = next(from)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_touch_or_overlap_are_one() {
        let ports = [(5, 6), (1, 2), (3, 3), (9, 20), (10, 12), (65535, 65535)];
        assert_eq!(runs(ports.into_iter()), [(1, 3), (5, 6), (9, 20), (65535, 65535)]);
    }

    #[test]
    fn the_first_run_that_fits_is_found_between_what_is_taken() {
        let taken = [(49152, 49153), (49152, 49152), (49156, 49156), (49160, 65534)];
        let run = |count: u16| first_run(&taken, count, Some);
        let from = |lowest: u16| move |port: u16| Some(port.max(lowest));
        assert_eq!((run(1), run(2), run(3), run(4)), (Some(49154), Some(49154), Some(49157), None));
        assert_eq!(first_run(&taken, 1, from(49156)), Some(49157), "only what may be had");
        assert_eq!(first_run(&taken, 1, from(49161)), Some(65535), "the last one");
        assert_eq!(first_run(&[(49152, 65535)], 1, Some), None);
    }
}
