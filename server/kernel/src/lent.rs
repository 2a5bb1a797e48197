//! Forwarding that the host's own links lend: a record of what each setting was before, and the settings.
//!
//! The record is made before the setting is changed and goes after it was put back, so that whoever is killed in between, or takes
//! over, finds what is to be done. Records are as short-lived as the settings: each tells its boot, its namespace and its link. What
//! must not live here: which links are to lend (`plan`).

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netloom_fault::point;
use netloom_nftables::Family;
use netloom_plan::lent::{self, Lent};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use crate::sysctl::Settings;

/// Directory of the records, in the run directory; there only while there are any.
const DIRECTORY: &str = "lent";
/// What stands for a slash in the name of a record: a character that no link's name has.
const SLASH: char = ':';

/// A boot and the namespace of this cookie, in words.
pub(crate) fn stack(boot_id: &str, cookie: u64) -> String {
    format!("{boot_id} {cookie}")
}

/// The records. Whoever asks must be in the host's namespace.
#[derive(Clone)]
pub(crate) struct Ledger {
    directory: PathBuf,
    /// Boot and namespace: what another one left says nothing of the settings here.
    stack: String,
    /// The host's.
    settings: Arc<Settings>,
}

impl Ledger {
    /// Of a run directory, for a boot and namespace.
    pub(crate) fn new(run_dir: &Path, stack: &str, settings: Arc<Settings>) -> Self {
        Self { directory: run_dir.join(DIRECTORY), stack: stack.to_owned(), settings }
    }

    /// What is lent, as it is now.
    pub(crate) fn list(&self) -> io::Result<Vec<Lent>> {
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut list = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let path = name.to_string_lossy().replace(SLASH, "/");
            if let Some((family, link)) = lent::of_path(&path) {
                list.push(self.look(family, link)?);
            }
        }
        Ok(list)
    }

    fn look(&self, family: Family, link: &str) -> io::Result<Lent> {
        let is_live = self.former(family, link)?.is_some();
        let value = if is_live { self.settings.read(&lent::path(family, link))? } else { None };
        let stays = value.is_some() && self.stays(family)?;
        Ok(Lent { family, link: link.to_owned(), on: value.map(|value| value.trim() != "0"), stays })
    }

    /// Turns forwarding on, with its former value on record; what is on without us is left to whoever turned it on.
    pub(crate) fn lend(&self, family: Family, link: &str) -> io::Result<()> {
        let path = lent::path(family, link);
        if self.former(family, link)?.is_none() {
            let Some(former) = self.settings.read(&path)? else { return Err(Errno::ENOENT.into()) };
            if former.trim() != "0" {
                return Ok(());
            }
            std::fs::create_dir_all(&self.directory)?;
            let index = if_nametoindex(link)?;
            std::fs::write(self.record(family, link), format!("{} {index} {}", self.stack, former.trim()))?;
        }
        point("kernel.lent.after_record").map_err(io::Error::other)?;
        self.settings.write(&path, "1")?;
        point("kernel.lent.after_write").map_err(io::Error::other)
    }

    /// Puts back what the setting was, and forgets it.
    pub(crate) fn give_back(&self, family: Family, link: &str) -> io::Result<()> {
        if let Some(former) = self.former(family, link)?
            && !self.stays(family)?
        {
            match self.settings.write(&lent::path(family, link), &former) {
                // The link went meanwhile, and its setting with it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                written => written?,
            }
        }
        point("kernel.lent.after_restore").map_err(io::Error::other)?;
        ignore(std::fs::remove_file(self.record(family, link)), &[ErrorKind::NotFound])?;
        let in_use = [ErrorKind::NotFound, ErrorKind::DirectoryNotEmpty];
        ignore(std::fs::remove_dir(&self.directory), &in_use)
    }

    /// What the setting of the link was before; nothing where that is not on record, or was another link's of this name.
    fn former(&self, family: Family, link: &str) -> io::Result<Option<String>> {
        let text = match std::fs::read_to_string(self.record(family, link)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let index = match if_nametoindex(link) {
            Err(Errno::ENODEV) => return Ok(None),
            index => index?,
        };
        // A record that was not written to its end was made before anything was changed.
        let rest = text.strip_prefix(&format!("{} {index} ", self.stack));
        Ok(rest.filter(|former| !former.is_empty()).map(str::to_owned))
    }

    /// Whether the setting was turned on for every link since, by somebody who counts on it.
    fn stays(&self, family: Family) -> io::Result<bool> {
        Ok(self.settings.read(lent::of_every_link(family))?.is_some_and(|value| value.trim() != "0"))
    }

    fn record(&self, family: Family, link: &str) -> PathBuf {
        self.directory.join(lent::path(family, link).replace('/', &SLASH.to_string()))
    }
}

fn ignore(outcome: io::Result<()>, kinds: &[ErrorKind]) -> io::Result<()> {
    match outcome {
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        outcome => outcome,
    }
}
