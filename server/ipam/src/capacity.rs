//! How a pool's addresses are used: each counts once, its state before its kind.

use netloom_model::lease::{LeaseKind, LeaseState};
use netloom_model::network::Capacity;

/// Share of a dynamic range, in percent, from which it counts as nearly full.
pub const NEARLY_FULL_PERCENT: u128 = 90;

/// What nobody has of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// In the whole subnet.
    pub total: u128,
    /// In the dynamic range.
    pub in_range: u128,
}

/// Adds up leases by kind and state. `total` is what can be given out at all; what is free is not known where somebody else gives addresses out.
pub fn capacity(total: u128, free: Option<Free>, counts: &[(LeaseKind, LeaseState, u64)]) -> Capacity {
    let mut capacity = Capacity {
        total: total.to_string(),
        free: free.map(|free| free.total.to_string()),
        free_in_range: free.map(|free| free.in_range.to_string()),
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

/// Why a dynamic range counts as nearly full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scarcity {
    /// Nothing is left.
    Full,
    /// At most a tenth is left.
    NinetyPercentUsed,
    /// One address is left of so few that a tenth of them is less than one.
    OneLeft,
}

impl Scarcity {
    /// The reason's word in a condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "Full",
            Self::NinetyPercentUsed => "NinetyPercentUsed",
            Self::OneLeft => "OneLeft",
        }
    }
}

/// Whether a dynamic range of `size` addresses, `free` of which nobody has, is nearly full. A range of one or two is full or is
/// not: beside a gateway it begins with its last address.
pub fn scarcity(size: u128, free: u128) -> Option<Scarcity> {
    let left = 100 - NEARLY_FULL_PERCENT;
    match free {
        _ if size == 0 => None,
        0 => Some(Scarcity::Full),
        _ if free <= size / 100 * left + size % 100 * left / 100 => Some(Scarcity::NinetyPercentUsed),
        1 if size > 2 => Some(Scarcity::OneLeft),
        _ => None,
    }
}

/// Whether a dynamic range of this size is nearly full.
pub fn nearly_full(size: u128, free: u128) -> bool {
    scarcity(size, free).is_some()
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
        let capacity = capacity(254, Some(Free { total: 244, in_range: 244 }), &counts);
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

    #[test]
    fn a_small_range_is_nearly_full_before_it_is_full() {
        use Scarcity::{Full, NinetyPercentUsed, OneLeft};
        let cases = [
            (0, 0, None),
            (1, 1, None),
            (2, 1, None),
            (2, 0, Some(Full)),
            (6, 2, None),
            (6, 1, Some(OneLeft)),
            (6, 0, Some(Full)),
            (9, 1, Some(OneLeft)),
            (10, 1, Some(NinetyPercentUsed)),
            (14, 1, Some(NinetyPercentUsed)),
            (14, 2, None),
            (254, 25, Some(NinetyPercentUsed)),
        ];
        for (size, free, wanted) in cases {
            assert_eq!(scarcity(size, free), wanted, "{free} of {size}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_lease_is_counted_once(counts in proptest::collection::vec((0usize..5, 0usize..5, 0u64..1000), 0..30)) {
            let counts: Vec<_> = counts.into_iter().map(|(k, s, n)| (LeaseKind::ALL[k], LeaseState::ALL[s], n)).collect();
            let wanted: u64 = counts.iter().map(|(.., n)| n).sum();
            let capacity = capacity(u128::MAX, None, &counts);
            let by_use = used(&capacity);
            proptest::prop_assert_eq!(by_use.iter().map(|(_, n)| n).sum::<u64>(), wanted);
            for state in LeaseState::ALL.into_iter().filter(|state| *state != LeaseState::Bound) {
                let of_state: u64 = counts.iter().filter(|(_, of, _)| *of == state).map(|(.., n)| n).sum();
                let shown = by_use.iter().find(|(word, _)| *word == state.as_str()).map_or(0, |(_, n)| *n);
                proptest::prop_assert_eq!(shown, of_state, "{}", state.as_str());
            }
        }

        #[test]
        fn a_pool_that_fills_up_says_so_before_it_is_full_and_until_then_goes_on(size in 3u128..5000) {
            let said: Vec<bool> = (0..=size).map(|free| nearly_full(size, free)).collect();
            proptest::prop_assert!(said[0] && said[1], "before the last address goes");
            proptest::prop_assert!(said.windows(2).all(|pair| pair[0] >= pair[1]), "and it never stops while it fills");
            proptest::prop_assert!(!said[usize::try_from(size).unwrap_or(0)], "an empty pool is not full");
        }
    }
}
