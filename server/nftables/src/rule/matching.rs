//! Matches: a rule goes on only while they hold.
//!
//! A match on an address says the version of IP first, once a rule, as `nft` does in tables of family inet. In a table of
//! iptables it should not stand: `iptables` could not read that table any more.

use ipnet::IpNet;

use super::Rule;
use crate::expression::{Compare, Ct, Expressions, Header, Meta, Nfproto, Register, ct_state, ct_status};
use crate::value::Value;

/// RTN_LOCAL of rtnetlink.h: an address of this host.
const ADDRESS_TYPE_LOCAL: u32 = 2;

/// Where the number of the virtual network is, counted from the UDP header: behind that, flags, and three reserved bytes.
const VNI_OFFSET: u32 = 8 + 1 + 3;

/// What of a packet to look up in a set or map; several make a concatenation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Source address.
    Saddr(Nfproto),
    /// Destination address.
    Daddr(Nfproto),
    /// Protocol over IP.
    L4proto,
    /// Source port of TCP, UDP or another protocol that has it there.
    Sport,
    /// Destination port.
    Dport,
    /// Name of the link that the packet came in on.
    Iifname,
    /// Name of the link that it leaves by.
    Oifname,
    /// Mark.
    Mark,
    /// The number of the virtual network in a VXLAN packet (RFC 7348, section 5); after a match for UDP.
    Vni,
}

impl Field {
    fn load(self, expressions: Expressions, into: Register) -> Expressions {
        match self {
            Self::Saddr(version) => load_address(expressions, version, saddr_offset(version), into),
            Self::Daddr(version) => load_address(expressions, version, daddr_offset(version), into),
            Self::L4proto => expressions.meta(Meta::L4proto, into),
            Self::Sport => expressions.payload(Header::Transport, 0, 2, into),
            Self::Dport => expressions.payload(Header::Transport, 2, 2, into),
            Self::Iifname => expressions.meta(Meta::Iifname, into),
            Self::Oifname => expressions.meta(Meta::Oifname, into),
            Self::Mark => expressions.meta(Meta::Mark, into),
            // With the reserved byte before it, which is not looked at.
            Self::Vni => expressions.payload(Header::Transport, VNI_OFFSET - 1, 4, into).bitwise(
                into,
                &[0, 0xff, 0xff, 0xff],
                &[0; 4],
            ),
        }
    }

    /// Words of four bytes that it takes in registers.
    fn words(self) -> u32 {
        match self {
            Self::Saddr(Nfproto::Ipv6) | Self::Daddr(Nfproto::Ipv6) | Self::Iifname | Self::Oifname => 4,
            _ => 1,
        }
    }

    fn version(self) -> Option<Nfproto> {
        match self {
            Self::Saddr(version) | Self::Daddr(version) => Some(version),
            _ => None,
        }
    }
}

fn saddr_offset(version: Nfproto) -> u32 {
    if version == Nfproto::Ipv4 { 12 } else { 8 }
}

fn daddr_offset(version: Nfproto) -> u32 {
    if version == Nfproto::Ipv4 { 16 } else { 24 }
}

fn load_address(expressions: Expressions, version: Nfproto, offset: u32, into: Register) -> Expressions {
    expressions.payload(Header::Network, offset, if version == Nfproto::Ipv4 { 4 } else { 16 }, into)
}

fn version_of(net: IpNet) -> Nfproto {
    if net.addr().is_ipv4() { Nfproto::Ipv4 } else { Nfproto::Ipv6 }
}

impl Rule {
    /// `meta nfproto`: the version of IP. Matches on addresses say it by themselves.
    #[must_use]
    pub fn nfproto(self, version: Nfproto) -> Self {
        let matching = Expressions::new().meta(Meta::Nfproto, Register::FIRST);
        let matching = matching.cmp(Register::FIRST, Compare::Eq, &[version as u8]);
        if self.expressions.contains(&matching) {
            return self;
        }
        self.with(|e| e.then(&matching))
    }

    /// `iifname NAME`: came in on this link.
    #[must_use]
    pub fn iifname(self, name: &str) -> Self {
        self.ifname(Meta::Iifname, Compare::Eq, name)
    }

    /// `iifname != NAME`.
    #[must_use]
    pub fn iifname_not(self, name: &str) -> Self {
        self.ifname(Meta::Iifname, Compare::Neq, name)
    }

    /// `oifname NAME`: leaves by this link.
    #[must_use]
    pub fn oifname(self, name: &str) -> Self {
        self.ifname(Meta::Oifname, Compare::Eq, name)
    }

    /// `oifname != NAME`.
    #[must_use]
    pub fn oifname_not(self, name: &str) -> Self {
        self.ifname(Meta::Oifname, Compare::Neq, name)
    }

    fn ifname(self, key: Meta, how: Compare, name: &str) -> Self {
        self.with(|e| e.meta(key, Register::FIRST).cmp(Register::FIRST, how, Value::ifname(name).as_bytes()))
    }

    /// `iifname @SET`.
    #[must_use]
    pub fn iifname_in(self, set: &str) -> Self {
        self.within(&[Field::Iifname], set)
    }

    /// `iifname != @SET`.
    #[must_use]
    pub fn iifname_not_in(self, set: &str) -> Self {
        self.not_within(&[Field::Iifname], set)
    }

    /// `oifname @SET`.
    #[must_use]
    pub fn oifname_in(self, set: &str) -> Self {
        self.within(&[Field::Oifname], set)
    }

    /// `oifname != @SET`.
    #[must_use]
    pub fn oifname_not_in(self, set: &str) -> Self {
        self.not_within(&[Field::Oifname], set)
    }

    /// `FIELD . FIELD @SET`: the set holds them.
    #[must_use]
    pub fn within(self, fields: &[Field], set: &str) -> Self {
        self.load(fields).with(|e| e.lookup(set, Register::FIRST, false))
    }

    /// `FIELD . FIELD != @SET`: the set does not hold them.
    #[must_use]
    pub fn not_within(self, fields: &[Field], set: &str) -> Self {
        self.load(fields).with(|e| e.lookup(set, Register::FIRST, true))
    }

    /// Loads fields into registers, one behind the other from the first.
    pub(super) fn load(self, fields: &[Field]) -> Self {
        let versions = fields.iter().filter_map(|field| field.version());
        let mut rule = versions.fold(self, Rule::nfproto);
        let mut word = 0;
        for field in fields {
            rule = rule.with(|e| field.load(e, Register::at_word(word)));
            word += field.words();
        }
        rule
    }

    /// `ip saddr NET` or `ip6 saddr NET`; of the network, the bits beyond its prefix count for nothing.
    #[must_use]
    pub fn saddr(self, net: IpNet) -> Self {
        self.address(net, saddr_offset(version_of(net)), Compare::Eq)
    }

    /// `ip saddr != NET`: of the same version, and not in it.
    #[must_use]
    pub fn saddr_not(self, net: IpNet) -> Self {
        self.address(net, saddr_offset(version_of(net)), Compare::Neq)
    }

    /// `ip daddr NET` or `ip6 daddr NET`.
    #[must_use]
    pub fn daddr(self, net: IpNet) -> Self {
        self.address(net, daddr_offset(version_of(net)), Compare::Eq)
    }

    /// `ip daddr != NET`: of the same version, and not in it.
    #[must_use]
    pub fn daddr_not(self, net: IpNet) -> Self {
        self.address(net, daddr_offset(version_of(net)), Compare::Neq)
    }

    fn address(self, net: IpNet, offset: u32, how: Compare) -> Self {
        let version = version_of(net);
        let rule = self.nfproto(version);
        let network = Value::address(net.network());
        let prefix = usize::from(net.prefix_len());
        if prefix.is_multiple_of(8) && prefix > 0 {
            // As nft does: whole bytes are compared without a mask.
            let length = prefix / 8;
            let bytes = &network.as_bytes()[..length];
            let load = |e: Expressions| e.payload(Header::Network, offset, length as u32, Register::FIRST);
            return rule.with(|e| load(e).cmp(Register::FIRST, how, bytes));
        }
        let mask = Value::address(net.netmask());
        let zeros = vec![0; mask.as_bytes().len()];
        rule.with(|e| {
            load_address(e, version, offset, Register::FIRST).bitwise(Register::FIRST, mask.as_bytes(), &zeros).cmp(
                Register::FIRST,
                how,
                network.as_bytes(),
            )
        })
    }

    /// `meta l4proto`: the protocol over IP, such as 6 for TCP.
    #[must_use]
    pub fn l4proto(self, protocol: u8) -> Self {
        self.with(|e| e.meta(Meta::L4proto, Register::FIRST).cmp(Register::FIRST, Compare::Eq, &[protocol]))
    }

    /// `th sport`: the source port; after [`Rule::l4proto`], because other protocols have other things there.
    #[must_use]
    pub fn sport(self, port: u16) -> Self {
        self.load(&[Field::Sport]).with(|e| e.cmp(Register::FIRST, Compare::Eq, &port.to_be_bytes()))
    }

    /// `th dport`: the destination port; after [`Rule::l4proto`].
    #[must_use]
    pub fn dport(self, port: u16) -> Self {
        self.load(&[Field::Dport]).with(|e| e.cmp(Register::FIRST, Compare::Eq, &port.to_be_bytes()))
    }

    /// `ct state`: any of these [`ct_state`] bits.
    #[must_use]
    pub fn ct_state(self, bits: u32) -> Self {
        self.ct_bits(Ct::State, bits)
    }

    /// `ct state established,related`.
    #[must_use]
    pub fn ct_state_established(self) -> Self {
        self.ct_state(ct_state::ESTABLISHED | ct_state::RELATED)
    }

    /// `ct status`: any of these [`ct_status`] bits.
    #[must_use]
    pub fn ct_status(self, bits: u32) -> Self {
        self.ct_bits(Ct::Status, bits)
    }

    /// `ct status dnat`: of a connection of which the destination is translated.
    #[must_use]
    pub fn ct_status_dnat(self) -> Self {
        self.ct_status(ct_status::DNAT)
    }

    fn ct_bits(self, key: Ct, bits: u32) -> Self {
        self.with(|e| {
            e.ct(key, Register::FIRST).bitwise(Register::FIRST, &bits.to_ne_bytes(), &[0; 4]).cmp(
                Register::FIRST,
                Compare::Neq,
                &[0; 4],
            )
        })
    }

    /// `ct direction original`: from the side that began the connection.
    #[must_use]
    pub fn ct_direction_original(self) -> Self {
        self.with(|e| e.ct(Ct::Direction, Register::FIRST).cmp(Register::FIRST, Compare::Eq, &[0]))
    }

    /// `fib daddr type local`: to an address of this host, whichever those are at the time.
    #[must_use]
    pub fn fib_daddr_local(self) -> Self {
        let local = ADDRESS_TYPE_LOCAL.to_ne_bytes();
        self.with(|e| e.fib_daddr_type(Register::FIRST).cmp(Register::FIRST, Compare::Eq, &local))
    }

    /// `meta mark and MASK == VALUE`.
    #[must_use]
    pub fn mark(self, value: u32, mask: u32) -> Self {
        self.with(|e| {
            e.meta(Meta::Mark, Register::FIRST).bitwise(Register::FIRST, &mask.to_ne_bytes(), &[0; 4]).cmp(
                Register::FIRST,
                Compare::Eq,
                &value.to_ne_bytes(),
            )
        })
    }
}
