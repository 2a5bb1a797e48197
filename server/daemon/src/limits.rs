//! Open files: how many this process may have, and how many of them clients may take. Who has no token can open
//! connections all the same; they must not take what the store, the kernel's threads and root at the unix socket need.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Most connections of one listener, however many files may be open: each costs memory too.
const MOST: u64 = 2048;

/// What is assumed when the system does not say: the usual limit of a process.
const USUAL: u64 = 1024;

/// Raises the limit of open files to what this process may set itself, and returns it. Programs get a low one for the
/// sake of select(2), which nothing here uses.
pub(crate) fn raise_open_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return USUAL };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft }
}

/// How many connections each worker of one listener takes, so that the listener as a whole has at most a sixth of the
/// files: TCP one, the unix socket one, what nodes hand on one, and a half is left for everything else.
pub(crate) fn connections_per_worker(open_files: u64, workers: usize) -> usize {
    let share = usize::try_from((open_files / 6).min(MOST)).unwrap_or(usize::MAX);
    (share / workers.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_listeners_together_leave_half_of_the_files() {
        for files in [64, 256, 1024, 4096, 524_288, u64::MAX] {
            let taken = 3 * 2 * connections_per_worker(files, 2) as u64;
            assert!(taken <= files / 2 && taken <= 3 * MOST, "{taken} of {files}");
        }
        assert_eq!(connections_per_worker(1, 2), 1, "nobody is locked out altogether");
    }

    #[test]
    fn the_limit_is_raised_to_what_is_allowed() {
        let raised = raise_open_files();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).expect("readable"), (raised, raised));
    }
}
