//! What is due when, who is answered, and which gates stay open.

use netloom_model::{NetworkId, SandboxId};
use tokio::sync::oneshot::error::TryRecvError;

use super::*;

fn network(n: u8) -> Key {
    Key::Network(NetworkId::from_random([n; 16]))
}

fn sandbox(n: u8) -> Key {
    Key::Sandbox(SandboxId::from_random([n; 16]))
}

fn later(now: Instant, ms: u64) -> Instant {
    now + Duration::from_millis(ms)
}

fn wait_for(state: &mut State, key: Key, revision: u64) -> oneshot::Receiver<Outcome> {
    let (outcome, waiting) = oneshot::channel();
    state.tracked.entry(key).or_default().waiters.push(Waiter { revision, outcome });
    waiting
}

#[test]
fn a_key_is_due_at_the_earliest_time_it_was_woken_for() {
    let (mut state, now) = (State::default(), Instant::now());
    state.wake(sandbox(1), later(now, 500), false);
    state.wake(sandbox(1), later(now, 100), true);
    state.wake(sandbox(1), later(now, 300), false);
    assert_eq!(state.step(now), Step::Wait(Some(later(now, 100))));
    // Whoever asked for a fresh try is served by whichever wake comes first.
    assert_eq!(state.step(later(now, 100)), Step::Pass(BTreeMap::from([(sandbox(1), true)])));
    assert_eq!(state.step(later(now, 100)), Step::Wait(None));
}

#[test]
fn a_key_that_a_pass_holds_waits_for_its_end() {
    let (mut state, now) = (State::default(), Instant::now());
    state.wake(sandbox(1), now, false);
    assert!(matches!(state.step(now), Step::Pass(_)));
    state.wake(sandbox(1), now, false);
    state.wake(sandbox(2), now, false);
    assert_eq!(state.step(now), Step::Pass(BTreeMap::from([(sandbox(2), false)])), "another key does not wait");
    assert_eq!(state.step(now), Step::Wait(None));
    state.release(&BTreeSet::from([sandbox(1)]));
    assert_eq!(state.step(now), Step::Pass(BTreeMap::from([(sandbox(1), false)])));
}

#[test]
fn when_enough_passes_run_keys_gather_and_go_in_one() {
    let (mut state, now) = (State::default(), Instant::now());
    for n in 0..u8::try_from(PASSES).expect("few") {
        state.wake(sandbox(n), now, false);
        assert!(matches!(state.step(now), Step::Pass(keys) if keys.len() == 1));
    }
    let many = (0..u16::try_from(BATCH).expect("some") + 1).map(|n| {
        let mut bytes = [255; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        Key::Sandbox(SandboxId::from_random(bytes))
    });
    let waiting: BTreeSet<Key> = many.collect();
    assert_eq!(waiting.len(), BATCH + 1);
    waiting.iter().for_each(|key| state.wake(*key, now, false));
    assert_eq!(state.step(now), Step::Wait(None));
    state.release(&BTreeSet::from([sandbox(0)]));
    assert!(
        matches!(state.step(now), Step::Pass(keys) if keys.len() == BATCH && keys.keys().all(|k| waiting.contains(k)))
    );
}

#[test]
fn a_full_pass_runs_alone_and_serves_what_is_due() {
    let (mut state, now) = (State::default(), Instant::now());
    state.wake(sandbox(1), now, false);
    assert!(matches!(state.step(now), Step::Pass(_)));
    state.wake_full(now);
    state.wake(sandbox(2), now, true);
    state.wake(sandbox(3), now, false);
    state.wake(sandbox(4), later(now, 50), true);
    assert_eq!(state.step(now), Step::Wait(None), "not before the running pass has ended");
    state.release(&BTreeSet::from([sandbox(1)]));
    assert_eq!(state.step(now), Step::Full(BTreeSet::from([sandbox(2)])));
    assert_eq!(state.step(later(now, 60)), Step::Wait(None), "and no other beside it");
    state.full_running = false;
    assert_eq!(state.step(later(now, 60)), Step::Pass(BTreeMap::from([(sandbox(4), true)])));
}

#[test]
fn stopping_lets_running_passes_end_and_starts_no_other() {
    let (mut state, now) = (State::default(), Instant::now());
    state.wake(sandbox(1), now, false);
    assert!(matches!(state.step(now), Step::Pass(_)));
    state.wake(sandbox(2), now, false);
    state.wake_full(now);
    state.stopping = true;
    assert_eq!(state.step(now), Step::Wait(None));
    state.release(&BTreeSet::from([sandbox(1)]));
    assert_eq!(state.step(now), Step::Stop);
}

#[test]
fn an_answer_goes_to_those_whose_revision_it_covers() {
    let mut state = State::default();
    let (mut early, mut late) = (wait_for(&mut state, network(1), 5), wait_for(&mut state, network(1), 9));
    let mut other = wait_for(&mut state, network(2), 5);
    assert_eq!(state.awaited([network(1), network(2)].into_iter()), 9);
    let outcome = Outcome::Converged { revision: 7 };
    assert!(state.answer(network(1), 7, &outcome));
    assert_eq!(early.try_recv(), Ok(outcome.clone()));
    assert_eq!(late.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(other.try_recv(), Err(TryRecvError::Empty));
    drop(late);
    assert_eq!(state.awaited([network(1)].into_iter()), 0, "nobody waits any more");
    assert!(!state.answer(network(1), 9, &outcome), "so nobody is answered");
    assert!(!state.answer(network(3), 9, &outcome), "nor for a key that was never heard of");
}

#[test]
fn only_clear_gates_let_an_address_through() {
    let mut state = State::default();
    let endpoint = EndpointId::from_random([1; 16]);
    let id = SandboxId::from_random([1; 16]);
    let address = |n: u8| IpAddr::from([192, 0, 2, n]);
    let refusal = Refusal {
        code: "address-conflict".to_owned(),
        object: "address".to_owned(),
        operation: "create".to_owned(),
        errno: None,
        message: "taken".to_owned(),
        hint: None,
    };
    let gates = [(1, Gate::Clear), (2, Gate::Probing(1)), (3, Gate::Refused(refusal))];
    state.gates.insert(id, gates.map(|(n, gate)| ((endpoint, address(n)), gate)).into_iter().collect());
    let seen = state.gates([id].iter());
    assert_eq!(seen.clear, BTreeSet::from([(endpoint, address(1))]));
    assert!(state.gates([SandboxId::from_random([2; 16])].iter()).clear.is_empty());
}

#[test]
fn what_was_heard_before_a_look_is_no_reason_for_another() {
    let mut state = State::default();
    state.tracked.entry(sandbox(1)).or_default();
    let begun = Instant::now();
    let (at, due) = (|millis| later(begun, millis), later(begun, 50));
    state.hear(sandbox(1), at(1), due);
    state.settle_heard(sandbox(1), at(2));
    assert!(state.wakes.is_empty());
    state.hear(sandbox(1), at(1), due);
    assert!(state.wakes.is_empty(), "said late, and seen by the look that began after it was heard");
    state.hear(sandbox(1), at(3), due);
    state.settle_heard(sandbox(1), at(2));
    assert!(state.wakes.contains_key(&sandbox(1)), "it was heard after the look had begun");
    state.wake(sandbox(1), due, true);
    state.settle_heard(sandbox(1), at(4));
    assert!(state.wakes.contains_key(&sandbox(1)), "somebody asked");
}

#[test]
fn a_new_name_of_a_link_is_remembered_until_a_look_that_began_after_it_was_heard() {
    let (mut state, key) = (State::default(), sandbox(1));
    state.tracked.entry(key).or_default();
    let begun = Instant::now();
    let at = |millis| later(begun, millis);
    let renamed = |state: &State| state.tracked[&key].renamed.iter().cloned().collect::<Vec<_>>();
    state.hear_renamed(key, "other1", at(1), at(50));
    state.hear_renamed(key, "other2", at(3), at(50));
    state.settle_heard(key, at(2));
    assert_eq!(renamed(&state), ["other1", "other2"], "the second came after that look began");
    state.settle_heard(key, at(4));
    assert_eq!(renamed(&state), [""; 0]);
    state.hear_renamed(key, "other3", at(3), at(50));
    assert_eq!(renamed(&state), [""; 0], "said late, and seen");
}

#[test]
fn what_the_host_woke_during_a_pass_stays_when_the_pass_ends() {
    let (mut state, now) = (State::default(), Instant::now());
    let key = sandbox(1);
    state.tracked.entry(key).or_default();
    state.hear(key, now, later(now, 50));
    assert!(matches!(state.step(later(now, 50)), Step::Pass(_)));
    // The pass went by the host's facts as they were; now they are others, and something more is heard.
    state.wake(key, later(now, 52), false);
    state.hear(key, later(now, 40), later(now, 90));
    state.settle_heard(key, later(now, 51));
    state.release(&BTreeSet::from([key]));
    assert!(matches!(state.step(later(now, 60)), Step::Pass(_)), "the host's change is not looked at");
}
