//! The task that passes on what is heard of settings, and does what was put off.
//!
//! What must not live here: what is watched, and what is remembered.

use std::os::fd::AsFd;
use std::sync::Weak;
use std::time::Duration;

use netloom_plan::object::Place;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep_until};

use super::NewSetting;
use crate::handle::{Heard, Inner, Notification};
use crate::stack::Absent;
use crate::sysctl::Settings;
use crate::worker::Worker;
use crate::{stack, sys};

/// How long what no request should wait for is put off: taking a watch back costs the kernel 30 us, the first one of a link 80.
const PUT_OFF: Duration = Duration::from_millis(250);

/// Has what is heard passed on, and does what was put off, until nobody listens or the kernel's handle is dropped.
pub(crate) async fn run(inner: Weak<Inner>, heard: UnboundedSender<Heard>) {
    let Some(strong) = inner.upgrade() else { return };
    let settings = strong.listener.settings();
    let put_off = settings.put_off.clone();
    let descriptor = settings.inotify.as_ref().map(|inotify| inotify.as_fd().try_clone_to_owned());
    drop(strong);
    let watches = match descriptor.map(|descriptor| descriptor.and_then(sys::watch)) {
        Some(Ok(watches)) => watches,
        Some(Err(error)) => return tracing::warn!(%error, "changed settings can't be heard"),
        None => return,
    };
    let mut due: Option<Instant> = None;
    loop {
        let catch_up = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = watches.readable() => {
                let Some(inner) = inner.upgrade() else { return };
                match ready {
                    // First: what comes while it is read makes it ready anew.
                    Ok(mut guard) => guard.clear_ready(),
                    Err(error) => return tracing::warn!(%error, "changed settings can't be heard any more"),
                }
                inner.listener.take_in(&inner.registry);
            }
            () = put_off.notified() => due = due.or_else(|| Some(Instant::now() + PUT_OFF)),
            () = catch_up => {
                due = None;
                let Some(inner) = inner.upgrade() else { return };
                let job = inner.clone();
                // Where no worker is left there is nothing left to do it for.
                let heard = heard.clone();
                let _ = inner.workers.run(move |worker| self::catch_up(&job, worker, &heard)).await;
            }
            () = heard.closed() => return,
        }
    }
}

/// Takes back what was discarded, and watches the settings of links that were just made.
fn catch_up(inner: &Inner, worker: &mut Worker, heard: &UnboundedSender<Heard>) {
    let settings = inner.listener.settings();
    settings.take_back();
    for (sandbox, id, new) in settings.take_wanted() {
        let place = Place::Sandbox(sandbox);
        let stays = match stack::enter(inner, worker, place) {
            Ok(stack) if stack.id.cookie == id.cookie => {
                settings.watch(id, &stack.settings, new.iter().map(|setting| &setting.path));
                new.iter().all(|setting| is_as_it_was(&stack.settings, setting))
            }
            // One that is gone by now, or another, has none of them.
            Ok(_) | Err(Absent::Gone(_)) => true,
            // Whoever looks there says why, or watches them.
            Err(Absent::Failed(..)) => false,
        };
        if !stays {
            let what = Notification::Changed { place: Some(place), owner: None, what: "setting" };
            // Whoever stopped hearing misses it.
            let _ = heard.send(Heard { at: std::time::Instant::now(), what });
        }
    }
}

/// Whether a link's setting, if there still is one, is as it was: nobody heard of a change until now.
fn is_as_it_was(settings: &Settings, setting: &NewSetting) -> bool {
    !matches!(settings.read(&setting.path), Ok(Some(value)) if value != setting.value)
}
