//! How a pool's addresses are used: each counts once, its state before its kind.

use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::network::Capacity;

/// Share of a dynamic range, in percent, from which it counts as nearly full.
pub const NEARLY_FULL_PERCENT: u128 = 90;

/// Adds up leases by kind and state. `total` is what can be given out at all, `free` and `free_in_range` what nobody has.
pub fn capacity(total: u128, free: u128, free_in_range: u128, counts: &[(LeaseKind, LeaseState, u64)]) -> Capacity {
    let mut capacity = Capacity {
        total: total.to_string(),
        free: free.to_string(),
        free_in_range: free_in_range.to_string(),
        ..Capacity::default()
    };
    for (kind, state, count) in counts {
        let field = match (state, kind) {
            (LeaseState::Held, _) => &mut capacity.held,
            (LeaseState::Releasing, _) => &mut capacity.releasing,
            (LeaseState::Quarantined, _) => &mut capacity.quarantined,
            (LeaseState::Orphaned, _) => &mut capacity.orphaned,
            (LeaseState::Bound, LeaseKind::Dynamic) => &mut capacity.dynamic,
            (LeaseState::Bound, LeaseKind::Requested) => &mut capacity.requested,
            (LeaseState::Bound, LeaseKind::Reserved) => &mut capacity.reserved,
            (LeaseState::Bound, LeaseKind::Gateway) => &mut capacity.gateway,
            (LeaseState::Bound, LeaseKind::Host) => &mut capacity.host,
        };
        *field += count;
    }
    capacity
}

/// The counts of a capacity by name, for sentences and problems: those that are not zero.
pub fn used(capacity: &Capacity) -> Vec<(&'static str, u64)> {
    let all = [
        ("dynamic", capacity.dynamic),
        ("requested", capacity.requested),
        ("reserved", capacity.reserved),
        ("gateway", capacity.gateway),
        ("host", capacity.host),
        ("held", capacity.held),
        ("releasing", capacity.releasing),
        ("quarantined", capacity.quarantined),
        ("orphaned", capacity.orphaned),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Whether a dynamic range of this size is nearly full.
pub fn nearly_full(size: u128, free: u128) -> bool {
    size > 0 && free <= size / 100 * (100 - NEARLY_FULL_PERCENT) + size % 100 * (100 - NEARLY_FULL_PERCENT) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_counts_once_and_its_state_goes_first() {
        let counts = [
            (LeaseKind::Dynamic, LeaseState::Bound, 5),
            (LeaseKind::Dynamic, LeaseState::Held, 2),
            (LeaseKind::Requested, LeaseState::Held, 1),
            (LeaseKind::Gateway, LeaseState::Bound, 1),
            (LeaseKind::Dynamic, LeaseState::Quarantined, 1),
        ];
        let capacity = capacity(254, 244, 244, &counts);
        assert_eq!(used(&capacity), [("dynamic", 5), ("gateway", 1), ("held", 3), ("quarantined", 1)]);
        let sum: u64 = used(&capacity).iter().map(|(_, count)| count).sum();
        assert_eq!(sum + 244, 254);
    }

    #[test]
    fn nine_tenths_is_nearly_full() {
        assert!(nearly_full(254, 25));
        assert!(!nearly_full(254, 26));
        assert!(nearly_full(254, 0));
        assert!(nearly_full(1, 0));
        assert!(!nearly_full(1, 1));
        assert!(!nearly_full(u128::MAX, u128::MAX - 5));
    }
}
