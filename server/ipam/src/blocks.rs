//! Blocks of a subnet, as a map goes through them: how a block is cut into cells, and which blocks it is in.
//!
//! Cells are cut at whole bytes, where people read addresses: a block has at most 256, and a /16 has a cell for each /24.

use std::net::IpAddr;

use ipnet::IpNet;
use netloom_model::map::ADDRESSES_MOST;
use netloom_model::net::{Family, Span, from_number, to_number};

/// Where cells are cut.
const BYTE: u8 = 8;

/// The prefix length of a block's cells: that of single addresses where there are few enough of them.
pub fn cell_prefix_length(block: IpNet) -> u8 {
    let spare = block.max_prefix_len() - block.prefix_len();
    if Span::of(block).len() <= u128::from(ADDRESSES_MOST) || spare == 0 {
        return block.max_prefix_len();
    }
    // A whole byte less than an address, at most: what is larger than 1024 addresses has no cell smaller than 256.
    ((block.prefix_len() / BYTE + 1) * BYTE).min(block.max_prefix_len() - BYTE)
}

/// The cells of this prefix length in a block, by address; at most 256.
pub fn cells(block: IpNet, prefix_length: u8) -> Vec<IpNet> {
    let Some(bits) = prefix_length.checked_sub(block.prefix_len()).filter(|bits| *bits <= BYTE) else {
        return Vec::new();
    };
    let shift = u32::from(block.max_prefix_len() - prefix_length);
    let first = to_number(block.network());
    let cell = |at: u128| IpNet::new(from_number(first + (at << shift)), prefix_length).ok();
    (0..1_u128 << bits).filter_map(cell).collect()
}

/// The smallest block with cells that has two addresses of `block`: where nothing else of it has to be looked at.
pub fn around(block: IpNet, low: IpAddr, high: IpAddr) -> IpNet {
    let bits = u32::from(Family::of(low).bits());
    let differs = u128::BITS - (to_number(low) ^ to_number(high)).leading_zeros();
    let differs = differs.max(ADDRESSES_MOST.ilog2() + 1);
    let prefix_length = u8::try_from(bits.saturating_sub(differs)).unwrap_or_default();
    IpNet::new(low, prefix_length.max(block.prefix_len())).map_or(block, |around| around.trunc())
}

/// The blocks above one, as a map leads through them from the pool's subnet.
pub fn above(subnet: IpNet, block: IpNet) -> Vec<IpNet> {
    let mut above = Vec::new();
    let mut prefix_length = subnet.prefix_len();
    while prefix_length < block.prefix_len() {
        let Ok(one) = IpNet::new(block.network(), prefix_length) else { break };
        above.push(one.trunc());
        // Of IPv6 the levels between are empty but for one cell each, and are leapt over.
        prefix_length = if one.max_prefix_len() == 128 { 128 } else { cell_prefix_length(one.trunc()) };
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a subnet")
    }

    #[test]
    fn cells_are_cut_at_whole_bytes_and_small_blocks_into_addresses() {
        for (block, prefix_length) in [
            ("10.0.0.0/8", 16),
            ("10.0.0.0/12", 16),
            ("10.0.0.0/16", 24),
            ("10.0.0.0/21", 24),
            ("10.0.0.0/22", 32),
            ("10.0.0.7/32", 32),
            ("0.0.0.0/0", 8),
            ("fd00::/64", 72),
            ("fd00::/117", 120),
            ("fd00::/118", 128),
            ("::/0", 8),
        ] {
            assert_eq!(cell_prefix_length(net(block)), prefix_length, "{block}");
        }
    }

    #[test]
    fn a_block_is_its_cells() {
        let texts = |block: &str, length| cells(net(block), length).iter().map(IpNet::to_string).collect::<Vec<_>>();
        let of_16 = texts("10.7.0.0/16", 24);
        assert_eq!((of_16.len(), of_16[0].as_str(), of_16[255].as_str()), (256, "10.7.0.0/24", "10.7.255.0/24"));
        assert_eq!(texts("10.0.8.0/21", 24).len(), 8);
        assert_eq!(texts("fd00::/64", 72)[255], "fd00::ff00:0:0:0/72");
        assert_eq!(texts("0.0.0.0/0", 8)[255], "255.0.0.0/8");
        assert!(texts("10.0.0.0/8", 24).is_empty(), "that is more than a map has");
    }

    #[test]
    fn a_map_leaps_to_where_something_is() {
        let around = |low: &str, high: &str| {
            around(net("fd00::/64"), low.parse().expect("one"), high.parse().expect("one")).to_string()
        };
        assert_eq!(around("fd00::1", "fd00::9"), "fd00::/117", "what is smaller has no cells");
        assert_eq!(around("fd00::5", "fd00::5"), "fd00::/117");
        assert_eq!(around("fd00::1", "fd00::1:0:0:9"), "fd00::/79");
        assert_eq!(around("fd00::1", "fd00:0:0:1::1"), "fd00::/64", "never larger than the block");
        assert_eq!(
            super::around(net("10.0.0.0/8"), [10, 0, 0, 1].into(), [10, 0, 3, 1].into()).to_string(),
            "10.0.0.0/21"
        );
    }

    #[test]
    fn the_way_down_goes_by_the_cells() {
        let above =
            |subnet: &str, block: &str| above(net(subnet), net(block)).iter().map(IpNet::to_string).collect::<Vec<_>>();
        assert_eq!(above("10.0.0.0/8", "10.7.3.0/24"), ["10.0.0.0/8", "10.7.0.0/16"]);
        assert_eq!(above("10.0.0.0/8", "10.7.3.8/29"), ["10.0.0.0/8", "10.7.0.0/16", "10.7.3.0/24"]);
        assert_eq!(above("10.0.0.0/22", "10.0.1.0/24"), ["10.0.0.0/22"]);
        assert_eq!(above("fd00::/64", "fd00::/120"), ["fd00::/64"]);
        assert!(above("10.0.0.0/16", "10.0.0.0/16").is_empty());
    }
}
