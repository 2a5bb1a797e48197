//! Settings of a stack, as a look has them: read, made just now, or remembered.
//!
//! What must not live here: what is heard of settings (`setting_watch`).

use netloom_plan::object::{Key, Object, Observed, Place, Scope, Sysctl, settings_link, sysctl_link};

use super::{Known, NewLinks, put};
use crate::Error;
use crate::handle::Inner;
use crate::setting_watch::NewSetting;
use crate::stack::Stack;

/// Reads settings of the stack that the thread is in, but for those that are known: made just now, or remembered. From before they are read,
/// what others do to them is heard; to those of links that were made just now, from a moment after that, when what became of them is found.
pub(super) fn look(
    inner: &Inner,
    scope: &Scope,
    place: Place,
    stack: &Stack,
    known: &Known<'_>,
    observed: &mut Observed,
) -> Result<(), Error> {
    let Some(asked) = scope.sysctls.get(&place) else { return Ok(()) };
    let (watch, settings) = (inner.listener.settings(), &stack.settings);
    let stack = stack.id;
    // Where nothing is put off they are as those of others.
    let puts_off = watch.puts_off();
    let is_new = |path: &&String| puts_off && sysctl_link(path).is_some_and(|link| known.new_links.contains(link));
    watch.watch(stack, settings, asked.iter().filter(|path| !is_new(path)));
    let (mut later, mut inherited) = (Vec::new(), Vec::new());
    let mut remembered = inner.listener.remembered(stack, asked);
    if let Some(remembered) = remembered.as_mut().filter(|_| scope.everything) {
        // Who looks at everything finds what could not be heard, too.
        remembered.values.clear();
    }
    let mut read = Vec::new();
    for path in asked {
        let is_new = is_new(&path);
        if is_new
            && matches!(known.new_links, NewLinks::All)
            && default_of(path).is_some_and(|one| asked.contains(&one))
        {
            inherited.push(path);
            continue;
        }
        let mut remembers = || remembered.as_mut().and_then(|remembered| remembered.values.remove(path));
        let value = match remembers() {
            Some(value) => Some(value),
            None => {
                let value = match known.settings.get(path) {
                    Some(made) => Some(made.clone()),
                    None => {
                        settings.read(path).map_err(|error| Error::system(format!("read the setting {path}"), error))?
                    }
                };
                if !is_new {
                    read.extend(value.clone().map(|value| (path, value)));
                }
                value
            }
        };
        if let Some(value) = value {
            if is_new {
                later.push(NewSetting { path: path.clone(), value: value.clone() });
            }
            put(&mut observed.ours, Object::Sysctl(Sysctl { place, path: path.clone(), value }));
        }
    }
    if let Some(remembered) = remembered {
        watch.remember(stack, &remembered, read.into_iter());
    }
    if let Place::Sandbox(sandbox) = place {
        let got = |path: &&String| match observed.ours.get(&Key::Sysctl(place, default_of(path)?)) {
            Some(Object::Sysctl(default)) => Some(NewSetting { path: (*path).clone(), value: default.value.clone() }),
            _ => None,
        };
        later.extend(inherited.iter().filter_map(got));
        watch.watch_soon(sandbox, stack, later);
    }
    Ok(())
}

/// The setting that a new link gets one of its own from.
fn default_of(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    let of_links = directory.strip_suffix(settings_link(directory)?)?;
    Some(format!("{of_links}default/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_setting_is_got_from_the_default_one_whatever_the_links_name() {
        for link in ["eth0", "conf", "ipv4", "net"] {
            let of_link = format!("net/ipv4/conf/{link}/forwarding");
            assert_eq!(default_of(&of_link).as_deref(), Some("net/ipv4/conf/default/forwarding"));
        }
        for path in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding"] {
            assert_eq!(default_of(path), None);
        }
    }
}
