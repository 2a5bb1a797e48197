//! Certificates that are none of ours, and texts that are none.

use netloom_model::{NodeId, SwarmId};
use rcgen::{CertificateParams, DnType, KeyPair};

use super::*;
use crate::{Authority, Subject, digest, request};

const NOW: Timestamp = Timestamp::from_millis(1_769_860_800_000);

fn authority() -> Authority {
    Authority::make(SwarmId::from_random([1; 16]), NOW).unwrap()
}

fn issued(authority: &Authority) -> String {
    let subject =
        Subject { node: NodeId::from_random([2; 16]), role: SwarmRole::Manager, swarm: SwarmId::from_random([1; 16]) };
    authority.issue(&request().unwrap().csr, &subject, NOW, NOW.plus_millis(3_600_000)).unwrap()
}

#[test]
fn an_authority_of_the_same_name_is_not_the_same() {
    let (ours, theirs) = (authority(), authority());
    let certificate = issued(&ours);
    assert_eq!(issued_by(&certificate, &ours.certificate), Ok(()));
    assert_eq!(issued_by(&certificate, &theirs.certificate), Err(Error::Issuer));
    assert_eq!(issued_by(&ours.certificate, &ours.certificate), Err(Error::Issuer), "the authority is no node");
    assert_eq!(issued_by(&certificate, &certificate), Err(Error::Issuer));
    assert_ne!(digest(&ours.certificate), digest(&theirs.certificate));
}

#[test]
fn a_digest_is_of_the_certificate_not_of_its_text() {
    let ca = authority().certificate;
    let digest_of = digest(&ca).unwrap();
    assert_eq!(digest_of.len(), 50);
    assert_eq!(digest(&ca.replace("\r\n", "\n")).as_ref(), Ok(&digest_of));
    assert_eq!(digest(&format!("\n\n{ca}\n")).as_ref(), Ok(&digest_of));
}

#[test]
fn subjects_must_name_a_node() {
    let named = |values: &[(DnType, &str)]| {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in values {
            params.distinguished_name.push(kind.clone(), *value);
        }
        read(&params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem())
    };
    let (node, swarm) = (NodeId::from_random([2; 16]).to_string(), SwarmId::from_random([1; 16]).to_string());
    let (cn, ou, o) = (DnType::CommonName, DnType::OrganizationalUnitName, DnType::OrganizationName);
    assert!(named(&[(cn.clone(), &node), (ou.clone(), "worker"), (o.clone(), &swarm)]).is_ok());
    for (values, word) in [
        (&[][..], "common name"),
        (&[(cn.clone(), "machine2"), (ou.clone(), "worker"), (o.clone(), &swarm)], "machine2"),
        (&[(cn.clone(), &node), (o.clone(), &swarm)], "organisational unit"),
        (&[(cn.clone(), &node), (ou.clone(), "boss"), (o.clone(), &swarm)], "boss"),
        (&[(cn, &node), (ou, "worker"), (o, &node)], "swm_"),
    ] {
        let error = named(values).unwrap_err();
        assert!(matches!(&error, Error::Subject(text) if text.contains(word)), "{error} / {word}");
    }
}

#[test]
fn texts_that_are_no_certificate_are_errors_not_panics() {
    let certificate = issued(&authority());
    let two = certificate.repeat(2);
    let half = &certificate[..certificate.len() / 2];
    for text in ["", "x", &two, half, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(read(text), Err(Error::Unreadable { .. })), "{text}");
        assert!(validity(text).is_err() && issued_by(text, &certificate).is_err());
    }
    let bytes = der(&certificate).unwrap();
    for end in 0..bytes.len() {
        assert!(read_der(&bytes[..end]).is_err());
    }
    assert!(read_der(&[&bytes[..], b"x"].concat()).is_err(), "nothing may follow");
}
