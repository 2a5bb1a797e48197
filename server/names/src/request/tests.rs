//! Which bytes are a question, which are answered with an error, and which with nothing.

use hickory_proto::op::Edns;
use hickory_proto::rr::{DNSClass, Name};
use proptest::prelude::*;

use super::*;

fn question(kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii("web.").unwrap(), kind));
    message
}

fn received(message: &Message) -> Received {
    read(&message.to_vec().unwrap(), Transport::Udp)
}

fn code(received: Received) -> ResponseCode {
    match received {
        Received::Wrong(message) => message.response_code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_question_is_kept_as_it_came() {
    let message = question(RecordType::A);
    let Received::Request(request) = received(&message) else { panic!("refused") };
    assert_eq!(request.wire, message.to_vec().unwrap());
    assert_eq!(request.question.query_type(), RecordType::A);
}

#[test]
fn an_answer_is_never_answered() {
    assert!(matches!(received(&question(RecordType::A).into_response()), Received::Noise));
}

#[test]
fn what_has_no_header_is_not_answered() {
    let wire = question(RecordType::A).to_vec().unwrap();
    for length in 0..12 {
        assert!(matches!(read(&wire[..length], Transport::Udp), Received::Noise), "{length} bytes");
    }
}

#[test]
fn a_broken_question_is_a_format_error_under_its_own_id() {
    let message = question(RecordType::A);
    let wire = message.to_vec().unwrap();
    for length in 12..wire.len() {
        let Received::Wrong(answer) = read(&wire[..length], Transport::Udp) else { panic!("{length} bytes") };
        assert_eq!((answer.id, answer.response_code), (message.id, ResponseCode::FormErr), "{length} bytes");
    }
}

#[test]
fn one_question_is_asked_at_a_time() {
    let mut none = question(RecordType::A);
    none.queries.clear();
    assert_eq!(code(received(&none)), ResponseCode::FormErr);
    let mut two = question(RecordType::A);
    two.add_query(two.queries[0].clone());
    assert_eq!(code(received(&two)), ResponseCode::FormErr);
    // A header that claims 65,535 of them must not make room for as many.
    let mut claims = question(RecordType::A).to_vec().unwrap();
    claims[4..6].fill(0xff);
    assert_eq!(code(read(&claims, Transport::Udp)), ResponseCode::FormErr);
}

#[test]
fn a_name_that_points_at_itself_is_a_format_error() {
    let mut wire = question(RecordType::A).to_vec().unwrap();
    wire.truncate(12);
    wire.extend([0xc0, 12, 0, 1, 0, 1]);
    assert_eq!(code(read(&wire, Transport::Udp)), ResponseCode::FormErr);
}

#[test]
fn other_operations_are_not_implemented_and_transfers_refused() {
    let mut notify = question(RecordType::SOA);
    notify.metadata.op_code = OpCode::Notify;
    assert_eq!(code(received(&notify)), ResponseCode::NotImp);
    assert_eq!(code(received(&question(RecordType::AXFR))), ResponseCode::Refused);
    assert_eq!(code(received(&question(RecordType::IXFR))), ResponseCode::Refused);
}

#[test]
fn an_unknown_version_of_edns_is_said_to_be_one() {
    let mut message = question(RecordType::A);
    message.set_edns(Edns::new());
    message.edns.as_mut().unwrap().set_version(1);
    let Received::Wrong(answer) = received(&message) else { panic!("accepted") };
    assert_eq!(answer.response_code, ResponseCode::BADVERS);
    assert_eq!(answer.version(), 0);
}

#[test]
fn an_answer_may_be_as_long_as_the_client_says() {
    let limit = |payload: Option<u16>, transport| {
        let mut message = question(RecordType::A);
        if let Some(payload) = payload {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            message.set_edns(edns);
        }
        let Received::Request(request) = read(&message.to_vec().unwrap(), transport) else { panic!("refused") };
        request.limit()
    };
    assert_eq!(limit(None, Transport::Udp), 512);
    assert_eq!(limit(Some(100), Transport::Udp), 512);
    assert_eq!(limit(Some(1232), Transport::Udp), 1232);
    assert_eq!(limit(Some(65_535), Transport::Udp), 65_507);
    assert_eq!(limit(None, Transport::Tcp), 65_535);
}

#[test]
fn any_class_is_a_question() {
    let mut message = question(RecordType::TXT);
    message.queries[0].set_query_class(DNSClass::CH);
    assert!(matches!(received(&message), Received::Request(_)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(wire in prop::collection::vec(any::<u8>(), 0..600)) {
        read(&wire, Transport::Udp);
    }

    #[test]
    fn no_damage_to_a_question_makes_it_panic(at in 0..60usize, to in any::<u8>(), cut in 0..60usize) {
        let mut message = question(RecordType::A);
        message.set_edns(Edns::new());
        let mut wire = message.to_vec().unwrap();
        let length = wire.len();
        wire[at % length] = to;
        wire.truncate(length - cut % length);
        if let Received::Wrong(answer) = read(&wire, Transport::Tcp) {
            answer.to_vec().unwrap();
        }
    }
}
