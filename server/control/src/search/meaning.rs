//! What a text that is searched for may mean, told by its form alone. What must not live here: whether there is such a thing.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use netloom_model::MacAddr;
use netloom_model::id::looks_like_id;
use netloom_model::net::{self, Ambiguous};
use netloom_model::search::HitKind;

use super::pasted;

/// What a text may mean. Several at once: twelve hexadecimal digits are an Ethernet address, and may be a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Only things of this kind, where a word before the text says so.
    pub(crate) only: Option<HitKind>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) subnet: Option<IpNet>,
    pub(crate) mac: Option<MacAddr>,
    /// An ID, of which kind its prefix says.
    pub(crate) id: Option<String>,
    /// A label with its value; any value where the text ends with the sign.
    pub(crate) label: Option<(String, Option<String>)>,
    /// The beginning of an Ethernet address, as it is written.
    pub(crate) mac_begin: Option<String>,
    /// A port.
    pub(crate) port: Option<u16>,
    /// The number of an overlay network in VXLAN packets.
    pub(crate) vni: Option<u32>,
    /// An address that is not read, since programs disagree on it, with what stands behind it: its length of a prefix, or a port.
    pub(crate) ambiguous: Option<(Ambiguous, String)>,
    /// A name, a key, an owner, or a part of one.
    pub(crate) text: Option<String>,
}

/// The words that say what is searched for, each with the kind.
const WORDS: [(&str, HitKind); 7] = [
    ("net", HitKind::Network),
    ("network", HitKind::Network),
    ("sandbox", HitKind::Sandbox),
    ("lease", HitKind::Lease),
    ("pool", HitKind::Pool),
    ("node", HitKind::Node),
    ("token", HitKind::Token),
];

/// Numbers that a network can have in VXLAN packets: 24 bits, and 0 is none (RFC 7348).
const VNIS: std::ops::RangeInclusive<u32> = 1..=0xff_ffff;

impl Meaning {
    /// Tells by the form of a text what it may mean.
    pub(crate) fn of(text: &str) -> Self {
        let text = pasted::meant(text);
        if let Some(vni) = vni(&text) {
            return Self { only: Some(HitKind::Network), vni: Some(vni), ..Self::default() };
        }
        let (only, text) = prefixed(text.trim());
        let meaning = Self { only, ..Self::default() };
        if text.is_empty() {
            return meaning;
        }
        if let Some(ambiguous) = ambiguous(text) {
            return Self { ambiguous: Some(ambiguous), ..meaning };
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Self { address: Some(address.to_canonical()), ..meaning };
        }
        // As services are written: the port says nothing of whose the address is.
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Self { address: Some(socket.ip().to_canonical()), ..meaning };
        }
        if let Ok(subnet) = bare.parse::<IpNet>() {
            // With bits behind the prefix it is an interface's address, with the subnet that it is in.
            let address = (subnet.addr() != subnet.network()).then(|| subnet.addr());
            return Self { subnet: Some(subnet.trunc()), address, ..meaning };
        }
        if looks_like_id(text) {
            return Self { id: Some(text.to_owned()), ..meaning };
        }
        if let Some((key, value)) = text.split_once('=') {
            let value = (!value.is_empty()).then(|| value.to_owned());
            return Self { label: Some((key.to_owned(), value)), ..meaning };
        }
        Self {
            mac: text.parse().ok().or_else(|| short_mac(text)),
            mac_begin: mac_begin(text),
            subnet: beginning(text),
            port: text.parse().ok().filter(|port| *port > 0),
            vni: text.parse().ok().filter(|vni| VNIS.contains(vni)),
            text: Some(text.to_owned()),
            ..meaning
        }
    }

    /// Whether things of this kind are searched for.
    pub(crate) fn wants(&self, kind: HitKind) -> bool {
        self.only.is_none_or(|only| only == kind)
    }
}

/// A number in VXLAN packets, where a word says that it is one: `vni:4097`, `VNI 4097`, `0x1001` as `tcpdump` prints it.
fn vni(text: &str) -> Option<u32> {
    let (word, rest) = text.split_at_checked(3).filter(|(word, _)| word.eq_ignore_ascii_case("vni"))?;
    let number = rest.strip_prefix([':', ' ', '=']).filter(|_| !word.is_empty())?.trim();
    let hexadecimal = number.strip_prefix("0x").map(|digits| u32::from_str_radix(digits, 16).ok());
    hexadecimal.unwrap_or_else(|| number.parse().ok()).filter(|vni| VNIS.contains(vni))
}

/// An address that is not read, and what stands behind it.
fn ambiguous(text: &str) -> Option<(Ambiguous, String)> {
    let at = text.find(['/', ':']).unwrap_or(text.len());
    let (address, behind) = text.split_at(at);
    net::ambiguous(address).map(|read| (read, behind.to_owned()))
}

/// The block of all addresses that begin with these bytes: `10.0.` or `10.0.0`, `2001:db8:`. A number alone begins nothing.
fn beginning(text: &str) -> Option<IpNet> {
    if let Some(groups) = text.strip_suffix(':').filter(|groups| !groups.ends_with(':')) {
        let count = groups.split(':').count();
        let net = format!("{groups}{}/{}", if count < 8 { "::" } else { "" }, 16 * count);
        return net.parse().ok().filter(|_| count < 8);
    }
    let bytes: Vec<&str> = text.strip_suffix('.').unwrap_or(text).split('.').collect();
    let count = bytes.len();
    if !(1..=3).contains(&count) || (count == 1 && !text.ends_with('.')) {
        return None;
    }
    format!("{}{}/{}", bytes.join("."), ".0".repeat(4 - count), 8 * count).parse().ok()
}

/// An Ethernet address as some systems print it, without the zeros that bytes begin with: for searching, where what is meant counts; specs have them whole.
fn short_mac(text: &str) -> Option<MacAddr> {
    let bytes: Vec<&str> = text.split([':', '-']).collect();
    let fits = |byte: &&str| (1..=2).contains(&byte.len());
    let whole: Vec<String> = bytes.iter().filter(|byte| fits(byte)).map(|byte| format!("{byte:0>2}")).collect();
    if bytes.len() == 6 && whole.len() == 6 { whole.join(":").parse().ok() } else { None }
}

/// The beginning of an Ethernet address as it is kept: two to five whole bytes, with colons or hyphens between them.
fn mac_begin(text: &str) -> Option<String> {
    let text = text.strip_suffix([':', '-']).unwrap_or(text);
    let bytes: Vec<&str> = text.split([':', '-']).collect();
    let whole = bytes.iter().all(|byte| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit()));
    ((2..=5).contains(&bytes.len()) && whole).then(|| format!("{}:", bytes.join(":").to_ascii_lowercase()))
}

/// The kind that a word before the text names, and the rest. An IPv6 address has colons of its own, none of which follows such a word.
fn prefixed(text: &str) -> (Option<HitKind>, &str) {
    let named = text.split_once(':').and_then(|(word, rest)| {
        let (_, kind) = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word.trim()))?;
        Some((Some(*kind), rest.trim()))
    });
    named.unwrap_or((None, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_networks_are_known_with_the_word_and_without() {
        for (text, wanted) in [
            ("4097", Some(4097)),
            ("vni:4097", Some(4097)),
            ("VNI 4097", Some(4097)),
            ("vni=0x1001", Some(4097)),
            ("vni:0", None),
            ("vni:16777216", None),
            ("vnix", None),
        ] {
            assert_eq!(Meaning::of(text).vni, wanted, "{text}");
        }
        assert_eq!((Meaning::of("vni:7").only, Meaning::of("7").only), (Some(HitKind::Network), None));
    }

    #[test]
    fn an_address_with_zeros_before_its_numbers_is_not_guessed() {
        for (text, behind) in
            [("010.0.0.5", ""), ("010.0.0.0/8", "/8"), ("010.0.0.5:80", ":80"), ("lease:010.0.0.5,", "")]
        {
            let meaning = Meaning::of(text);
            assert_eq!((meaning.address, meaning.text), (None, None), "{text}");
            assert_eq!(meaning.ambiguous.map(|(_, behind)| behind).as_deref(), Some(behind), "{text}");
        }
        let both = Meaning::of("10.0.0.5/24");
        assert_eq!(both.subnet.map(|subnet| subnet.to_string()).as_deref(), Some("10.0.0.0/24"));
        assert_eq!(both.address.map(|address| address.to_string()).as_deref(), Some("10.0.0.5"));
    }

    #[test]
    fn addresses_and_subnets_are_known_in_any_form() {
        for (text, wanted) in [
            (" 192.168.122.3 ", "192.168.122.3"),
            ("FD00::0:1", "fd00::1"),
            ("fd00:0000:0000:0000:0000:0000:0000:0001", "fd00::1"),
            ("[fd00::1]", "fd00::1"),
            ("::ffff:10.0.0.9", "10.0.0.9"),
        ] {
            assert_eq!(Meaning::of(text).address.map(|a| a.to_string()).as_deref(), Some(wanted), "{text}");
            assert_eq!(Meaning::of(text).text, None, "{text}");
        }
        for (text, wanted) in
            [("192.168.122.7/24", "192.168.122.0/24"), ("10.0.0.0/8", "10.0.0.0/8"), ("FD00::1/64", "fd00::/64")]
        {
            assert_eq!(Meaning::of(text).subnet.map(|s| s.to_string()).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn ethernet_addresses_are_known_in_any_spelling() {
        for text in [
            "02:42:c0:a8:7a:02",
            "02-42-C0-A8-7A-02",
            "0242.c0a8.7a02",
            "0242:c0a8:7a02",
            "0242c0a87a02",
            "02.42.c0.a8.7a.02",
        ] {
            let meaning = Meaning::of(text);
            assert_eq!(meaning.mac.map(|m| m.to_string()).as_deref(), Some("02:42:c0:a8:7a:02"), "{text}");
            assert_eq!(meaning.text.as_deref(), Some(text), "it may be a name as well");
        }
        assert_eq!(Meaning::of("0242c0a87a0").mac, None);
    }

    #[test]
    fn beginnings_of_addresses_are_known() {
        for (text, wanted) in [
            ("10.", Some("10.0.0.0/8")),
            ("192.168", Some("192.168.0.0/16")),
            ("192.168.122.", Some("192.168.122.0/24")),
            ("2001:db8:", Some("2001:db8::/32")),
            ("10", None),
            ("300.1", None),
            ("web.", None),
            ("a:b:c:d:e:f:1:2:3:", None),
        ] {
            assert_eq!(Meaning::of(text).subnet.map(|s| s.to_string()).as_deref(), wanted, "{text}");
        }
        for (text, wanted) in
            [("02:42:C0", Some("02:42:c0:")), ("02-42-c0-", Some("02:42:c0:")), ("02", None), ("02:4", None)]
        {
            assert_eq!(Meaning::of(text).mac_begin.as_deref(), wanted, "{text}");
        }
        let mac = Meaning::of("AA:BB:CC:0:11:22").mac;
        assert_eq!(mac.map(|m| m.to_string()).as_deref(), Some("aa:bb:cc:00:11:22"));
        let address = |text| Meaning::of(text).address.map(|a| a.to_string());
        assert_eq!(address("10.0.0.2:80").as_deref(), Some("10.0.0.2"));
        assert_eq!(address("[fd00::2]:443").as_deref(), Some("fd00::2"));
        assert_eq!(
            (Meaning::of("8080").port, Meaning::of("0").port, Meaning::of("web").port),
            (Some(8080), None, None)
        );
    }

    #[test]
    fn words_before_the_text_say_of_what_kind() {
        for (text, kind, rest) in [
            ("net:web", Some(HitKind::Network), "web"),
            ("Network: web", Some(HitKind::Network), "web"),
            ("node:machine2", Some(HitKind::Node), "machine2"),
            ("sandbox:w0", Some(HitKind::Sandbox), "w0"),
            ("lease:printer", Some(HitKind::Lease), "printer"),
            ("token:ci", Some(HitKind::Token), "ci"),
            ("other:web", None, "other:web"),
            ("web", None, "web"),
        ] {
            let meaning = Meaning::of(text);
            assert_eq!((meaning.only, meaning.text.as_deref()), (kind, Some(rest)), "{text}");
        }
        let lease = Meaning::of("lease:10.0.0.9");
        assert_eq!((lease.only, lease.address.is_some()), (Some(HitKind::Lease), true));
        assert!(lease.wants(HitKind::Lease) && !lease.wants(HitKind::Network));
        assert_eq!(Meaning::of("net:"), Meaning { only: Some(HitKind::Network), ..Meaning::default() });
    }

    #[test]
    fn labels_and_ids_are_told_from_names() {
        let label = |text| Meaning::of(text).label;
        assert_eq!(label("rack=7"), Some(("rack".into(), Some("7".into()))));
        assert_eq!(label("rack="), Some(("rack".into(), None)));
        assert_eq!(label("node:rack=7"), Some(("rack".into(), Some("7".into()))));
        assert_eq!(label("rack"), None);
        let id = "net_aebagbafaydqqcikbmga2dqpca";
        assert_eq!(Meaning::of(id).id.as_deref(), Some(id));
        assert_eq!(Meaning::of("net_x").text.as_deref(), Some("net_x"));
        assert_eq!(Meaning::of("  "), Meaning::default());
    }
}
