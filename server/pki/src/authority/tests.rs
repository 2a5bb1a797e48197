//! What an authority issues, and what it doesn't.

use super::*;
use crate::certificate::{issued_by, read, validity};
use crate::request::request;

const NOW: Timestamp = Timestamp::from_millis(1_769_860_800_000);
const DAY: i64 = 24 * 3_600_000;

fn swarm() -> SwarmId {
    SwarmId::from_random([1; 16])
}

fn subject() -> Subject {
    Subject { node: NodeId::from_random([2; 16]), role: SwarmRole::Worker, swarm: swarm() }
}

#[test]
fn a_certificate_names_whom_the_authority_says() {
    let authority = Authority::make(swarm(), NOW).unwrap();
    let certificate = authority.issue(&request().unwrap().csr, &subject(), NOW, NOW.plus_millis(90 * DAY)).unwrap();
    let peer = read(&certificate).unwrap();
    assert_eq!((peer.node, peer.role, peer.swarm), (subject().node, SwarmRole::Worker, swarm()));
    assert_eq!(peer.expires_at, NOW.plus_millis(90 * DAY));
    assert_eq!(validity(&certificate), Ok((NOW, NOW.plus_millis(90 * DAY))));
    assert_eq!(peer.fingerprint.len(), 64);
    assert_eq!(issued_by(&certificate, &authority.certificate), Ok(()));
    assert_eq!(validity(&authority.certificate), Ok((NOW.plus_millis(-DAY / 24), NOW.plus_millis(20 * 365 * DAY))));
}

#[test]
fn what_a_request_says_of_names_and_rights_is_ignored() {
    let authority = Authority::make(swarm(), NOW).unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut wanted = CertificateParams::new(["evil.example".to_owned()]).unwrap();
    wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    wanted.distinguished_name.push(DnType::OrganizationalUnitName, "manager");
    let csr = wanted.serialize_request(&key).unwrap().pem().unwrap();
    let certificate = authority.issue(&csr, &subject(), NOW, NOW.plus_millis(DAY)).unwrap();
    assert_eq!(read(&certificate).unwrap().role, SwarmRole::Worker);
    let der = certificate::der(&certificate).unwrap();
    let parsed = certificate::parse(&der).unwrap();
    assert!(!parsed.is_ca());
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    let [x509_parser::extensions::GeneralName::DNSName(name)] = names.value.general_names.as_slice() else {
        panic!("not one name: {names:?}");
    };
    assert_eq!(*name, crate::SERVER_NAME);
    let usage = parsed.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    let extended = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && extended.server_auth && !extended.any);
    assert_eq!(parsed.public_key().subject_public_key.data.as_ref(), key.public_key_raw());
}

#[test]
fn requests_that_are_none_are_refused() {
    let authority = Authority::make(swarm(), NOW).unwrap();
    let issue = |csr: &str| authority.issue(csr, &subject(), NOW, NOW.plus_millis(DAY));
    let good = request().unwrap().csr;
    assert!(issue(&good).is_ok());
    // The last base64 digits are of the signature.
    let forged = {
        let mut bytes = x509_parser::pem::Pem::iter_from_buffer(good.as_bytes()).next().unwrap().unwrap().contents;
        *bytes.last_mut().unwrap() ^= 1;
        format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
            data_encoding::BASE64.encode(&bytes)
        )
    };
    assert_eq!(issue(&forged), Err(Error::Signature("the signing request")));
    let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let other = CertificateParams::default().serialize_request(&other).unwrap().pem().unwrap();
    assert_eq!(issue(&other), Err(Error::KeyKind));
    for text in [
        "",
        "nonsense",
        &authority.certificate,
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    ] {
        assert!(matches!(issue(text), Err(Error::Unreadable { .. })), "{text}");
    }
}

#[test]
fn times_must_be_a_validity() {
    let authority = Authority::make(swarm(), NOW).unwrap();
    let csr = request().unwrap().csr;
    for (from, to) in [
        (NOW, NOW),
        (NOW, NOW.plus_millis(-DAY)),
        (NOW, Timestamp::from_millis(i64::MAX)),
        (Timestamp::from_millis(-40 * 365 * DAY), NOW),
    ] {
        assert_eq!(authority.issue(&csr, &subject(), from, to), Err(Error::Validity(from, to)));
    }
}

#[test]
fn an_authority_is_kept_as_two_texts_that_belong_together() {
    let (one, two) = (Authority::make(swarm(), NOW).unwrap(), Authority::make(swarm(), NOW).unwrap());
    assert_eq!(Authority::from_pem(&one.certificate, &one.key), Ok(one.clone()));
    assert_eq!(Authority::from_pem(&one.certificate, &two.key), Err(Error::KeyMismatch));
    assert!(Authority::from_pem(&one.key, &one.key).is_err());
    assert!(Authority::from_pem(&one.certificate, "").is_err());
    assert!(!format!("{one:?}").contains("PRIVATE"));
}

#[test]
fn one_key_twice_has_two_serial_numbers() {
    assert_ne!(serial(b"key", NOW), serial(b"key", NOW.plus_millis(1)));
    assert_ne!(serial(b"key", NOW), serial(b"yek", NOW));
}
