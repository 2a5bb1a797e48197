//! Statements: what a rule does to a packet that matched.

use std::net::{IpAddr, SocketAddr};

use super::{Field, Rule};
use crate::expression::{Meta, Nat, Nfproto, Register, Reject};
use crate::value::{Value, Verdict};

/// The register that `nft` loads a fixed port into.
const PORT: Register = Register::at_word(4);

impl Rule {
    /// `counter`: counts from here on.
    #[must_use]
    pub fn counter(self) -> Self {
        self.with(|e| e.counter())
    }

    /// A verdict.
    #[must_use]
    pub fn verdict(self, verdict: &Verdict) -> Self {
        self.with(|e| e.verdict(verdict))
    }

    /// `accept`: of this base chain; a later one may still drop.
    #[must_use]
    pub fn accept(self) -> Self {
        self.verdict(&Verdict::Accept)
    }

    /// `drop`: for good.
    #[must_use]
    pub fn drop(self) -> Self {
        self.verdict(&Verdict::Drop)
    }

    /// `return`: to the chain that jumped here, or to the policy.
    #[must_use]
    pub fn back(self) -> Self {
        self.verdict(&Verdict::Return)
    }

    /// `jump CHAIN`.
    #[must_use]
    pub fn jump(self, chain: &str) -> Self {
        self.verdict(&Verdict::Jump(chain.to_owned()))
    }

    /// `goto CHAIN`.
    #[must_use]
    pub fn goto(self, chain: &str) -> Self {
        self.verdict(&Verdict::Goto(chain.to_owned()))
    }

    /// `FIELD . FIELD vmap @MAP`: the verdict that a map has for these; without one, the next rule.
    #[must_use]
    pub fn vmap(self, fields: &[Field], map: &str) -> Self {
        self.load(fields).with(|e| e.lookup_map(map, Register::FIRST, Register::VERDICT))
    }

    /// `meta mark set meta mark and not MASK or VALUE`: other bits stay.
    #[must_use]
    pub fn set_mark(self, value: u32, mask: u32) -> Self {
        self.with(|e| {
            e.meta(Meta::Mark, Register::FIRST)
                .bitwise(Register::FIRST, &(!mask).to_ne_bytes(), &(value & mask).to_ne_bytes())
                .meta_set(Meta::Mark, Register::FIRST)
        })
    }

    /// `meta mark set FIELD . FIELD map @MAP`; without an entry, the next rule.
    #[must_use]
    pub fn set_mark_from(self, fields: &[Field], map: &str) -> Self {
        let looked_up = self.load(fields).with(|e| e.lookup_map(map, Register::FIRST, Register::FIRST));
        looked_up.with(|e| e.meta_set(Meta::Mark, Register::FIRST))
    }

    /// `masquerade`: the source becomes an address of the link that the packet leaves by. In nat chains at postrouting.
    #[must_use]
    pub fn masquerade(self) -> Self {
        self.with(|e| e.masq())
    }

    /// `snat to ADDRESS`. In nat chains at postrouting.
    #[must_use]
    pub fn snat(self, address: IpAddr) -> Self {
        let version = version_of(address);
        self.nfproto(version).with(|e| {
            e.immediate(Register::FIRST, Value::address(address).as_bytes()).nat(
                Nat::Snat,
                version,
                Register::FIRST,
                None,
            )
        })
    }

    /// `snat ip to FIELD . FIELD map @MAP`: the address that a map has for these; without an entry, the next rule.
    #[must_use]
    pub fn snat_map(self, version: Nfproto, fields: &[Field], map: &str) -> Self {
        let looked_up = self.nfproto(version).load(fields);
        looked_up.with(|e| {
            e.lookup_map(map, Register::FIRST, Register::FIRST).nat(Nat::Snat, version, Register::FIRST, None)
        })
    }

    /// `dnat to ADDRESS:PORT`; after [`Rule::l4proto`]. In nat chains at prerouting or output.
    #[must_use]
    pub fn dnat(self, to: SocketAddr) -> Self {
        let version = version_of(to.ip());
        self.nfproto(version).with(|e| {
            e.immediate(Register::FIRST, Value::address(to.ip()).as_bytes())
                .immediate(PORT, &to.port().to_be_bytes())
                .nat(Nat::Dnat, version, Register::FIRST, Some(PORT))
        })
    }

    /// `dnat ip to FIELD . FIELD map @MAP`: the address and port that a map (of type `address . inet_service`) has for these;
    /// without an entry, the next rule.
    #[must_use]
    pub fn dnat_map(self, version: Nfproto, fields: &[Field], map: &str) -> Self {
        // The value lies in the registers one behind the other.
        let port = Register::at_word(if version == Nfproto::Ipv4 { 1 } else { 4 });
        let looked_up = self.nfproto(version).load(fields);
        looked_up.with(|e| {
            e.lookup_map(map, Register::FIRST, Register::FIRST).nat(Nat::Dnat, version, Register::FIRST, Some(port))
        })
    }

    /// `reject`.
    #[must_use]
    pub fn reject(self, how: Reject) -> Self {
        self.with(|e| e.reject(how))
    }
}

fn version_of(address: IpAddr) -> Nfproto {
    if address.is_ipv4() { Nfproto::Ipv4 } else { Nfproto::Ipv6 }
}
