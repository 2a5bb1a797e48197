//! What is watched, remembered and forgotten, on this thread's own settings.

use super::*;

const TTL: &str = "net/ipv4/ip_default_ttl";

/// Watches settings of this thread's own namespace as if they were another's.
fn watch(watches: &SettingWatch, cookie: u64, nsid: Option<i32>) -> Arc<Settings> {
    let settings = watches.of(cookie);
    watches.watch(StackId { cookie, nsid }, &settings, [TTL.to_owned()].iter());
    settings
}

/// Whether the way to the settings of a namespace is remembered as this.
fn has(watches: &SettingWatch, cookie: u64, settings: &Arc<Settings>) -> bool {
    Arc::ptr_eq(&watches.of(cookie), settings)
}

#[test]
fn of_two_with_one_id_the_first_to_be_watched_is_the_first_to_end() {
    let watches = SettingWatch::open();
    let (first, second) = (watch(&watches, 4100, Some(5)), watch(&watches, 17, Some(5)));
    assert!(has(&watches, 4100, &first) && has(&watches, 17, &second));
    watches.forget_namespace(5);
    assert!(!has(&watches, 4100, &first) && has(&watches, 17, &second));
    assert_eq!(Arc::strong_count(&first), 1, "the directories are closed with the last who uses them");
    watches.forget_namespace(5);
    assert!(!has(&watches, 17, &second));
    assert!(watches.state().by_nsid.is_empty());
}

#[test]
fn what_was_lost_leaves_nothing_of_namespaces_that_may_be_gone() {
    let watches = SettingWatch::open();
    let (host, other) = (watch(&watches, 1, None), watch(&watches, 2, Some(7)));
    let stack = StackId { cookie: 2, nsid: Some(7) };
    let since = watches.remembered(stack, &BTreeSet::from([TTL.to_owned()]));
    watches.lose();
    assert!(has(&watches, 1, &host) && !has(&watches, 2, &other));
    assert_eq!(Arc::strong_count(&other), 1);
    // It is watched again; what was read before is not remembered of it.
    let again = watch(&watches, 2, Some(7));
    assert!(has(&watches, 2, &again));
    let remember = |since| watches.remember(stack, since, [(&TTL.to_owned(), "64".to_owned())].into_iter());
    let remembered = || watches.remembered(stack, &BTreeSet::from([TTL.to_owned()])).values;
    remember(&since);
    assert_eq!(remembered(), HashMap::new());
    remember(&watches.remembered(stack, &BTreeSet::new()));
    assert_eq!(remembered(), HashMap::from([(TTL.to_owned(), "64".to_owned())]));
}
