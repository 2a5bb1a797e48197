//! Where everything of a lab is: one directory, in which the record is the mark that it is a lab's.
//!
//! What is mounted and which processes run is never in the record: it is looked at.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::cli::{Directories, LAB_DIR, quoted};
use crate::{explained, lock};

/// What the record is called.
const RECORD: &str = "lab.json";
/// What it is called until it is whole.
const DRAFT: &str = "lab.json.new";
/// What [`lock`] makes.
const LOCK: &str = "lock";
/// Where the namespace of the underlay is pinned.
const UNDERLAY: &str = "underlay";
/// What the names of hosts begin with; a number follows.
const HOST: &str = "host";

/// Longest path of a unix socket, in bytes.
const SOCKET_PATH_MAX: usize = 107;

/// What a lab was made to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whether the directory was made for it, and goes with it.
    pub(crate) made_directory: bool,
    /// Whether it was made to its end, and its removal was not begun.
    pub(crate) whole: bool,
    /// The hosts' gateway, with the length of the prefix.
    pub(crate) gateway: Ipv4Net,
    /// The hosts.
    pub(crate) hosts: Vec<Host>,
}

/// A host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    /// Its name.
    pub(crate) name: String,
    /// Its address on the underlay.
    pub(crate) address: Ipv4Addr,
    /// The port of 127.0.0.1 on the machine where its API and dashboard are.
    pub(crate) port: u16,
}

impl Host {
    /// Where a browser on the machine finds it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// What is in a lab's directory.
#[derive(Debug)]
pub(crate) enum Found {
    /// No lab; perhaps what is left of one whose making was cut off at its first step.
    Nothing,
    /// A lab. Its record can't be read when it was damaged.
    Lab(Option<Record>),
}

/// The directory of a lab.
#[derive(Debug, Clone)]
pub(crate) struct Directory(PathBuf);

/// Where things of one host are.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// Everything.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// Where its namespace is pinned.
    pub(crate) fn namespace(&self) -> PathBuf {
        self.0.join("netns")
    }

    /// What its daemon says.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("netloom.log")
    }

    /// What `netloom` is for commands that run in it.
    pub(crate) fn program(&self) -> PathBuf {
        self.0.join("bin").join("netloom")
    }

    /// What its daemon is told.
    pub(crate) fn directories(&self) -> Directories {
        Directories { data_dir: self.0.join("data"), run_dir: self.0.join("run") }
    }
}

impl Directory {
    /// As an option says it.
    ///
    /// # Errors
    /// When the working directory, which it may be relative to, can't be read.
    pub(crate) fn new(dir: &Path) -> anyhow::Result<Self> {
        Ok(Self(std::path::absolute(dir).context("cannot read where the lab's directory is")?))
    }

    /// The path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the namespace of the underlay is pinned.
    pub(crate) fn underlay(&self) -> PathBuf {
        self.0.join(UNDERLAY)
    }

    /// The things of a host.
    pub(crate) fn host(&self, name: &str) -> Place {
        Place(self.0.join(name))
    }

    /// The name of the host of a number, from 1 on.
    pub(crate) fn host_name(number: usize) -> String {
        format!("{HOST}{number}")
    }

    /// The flag that names this lab to another command: nothing for the usual one, else with a space before.
    pub(crate) fn flag(&self) -> String {
        if self.0 == Path::new(LAB_DIR) { String::new() } else { format!(" --dir {}", quoted(&self.0)) }
    }

    /// What is there.
    ///
    /// # Errors
    /// When something else than a lab is there, or it can't be read.
    pub(crate) fn look(&self) -> anyhow::Result<Found> {
        let entries = match self.entries() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            entries => entries.with_context(|| format!("cannot read {}", self.0.display()))?,
        };
        if entries.iter().any(|name| name == RECORD) {
            let text = std::fs::read(self.0.join(RECORD)).context("cannot read the lab's record")?;
            return Ok(Found::Lab(serde_json::from_slice(&text).ok()));
        }
        match entries.iter().find(|name| ![LOCK, DRAFT].contains(&name.as_str())) {
            Some(other) => Err(explained(
                format_args!(
                    "{} is not a lab's directory: it holds `{other}`, and no record of a lab",
                    self.0.display()
                ),
                "give --dir a directory that is empty or does not exist",
            )),
            None => Ok(Found::Nothing),
        }
    }

    /// The lab there must be for all other commands.
    ///
    /// # Errors
    /// When there is none, or not a whole one, with what to do.
    pub(crate) fn whole(&self) -> anyhow::Result<Record> {
        let flag = self.flag();
        match self.look()? {
            Found::Lab(Some(record)) if record.whole => Ok(record),
            Found::Lab(_) => Err(explained(
                format_args!("the lab in {} was not made to its end, or not removed to its end", self.0.display()),
                format_args!("remove what there is, and make it anew: netloom lab down{flag}"),
            )),
            Found::Nothing => Err(explained(
                format_args!("there is no lab in {}", self.0.display()),
                format_args!("make one: netloom lab --hosts 3{flag}; or name another with --dir"),
            )),
        }
    }

    /// The hosts that have things here, by number, whatever the record says.
    pub(crate) fn hosts_there(&self) -> Vec<String> {
        let number = |name: &String| name.strip_prefix(HOST).and_then(|rest| rest.parse::<usize>().ok());
        let mut names: Vec<String> =
            self.entries().unwrap_or_default().into_iter().filter(|name| number(name).is_some()).collect();
        names.sort_by_key(number);
        names
    }

    /// Whether there is a directory that nobody but a lab leaves as it is: with a lock, or the usual one.
    pub(crate) fn is_left_over(&self) -> bool {
        self.entries().is_ok_and(|entries| !entries.is_empty() || self.0 == Path::new(LAB_DIR))
    }

    fn entries(&self) -> std::io::Result<Vec<String>> {
        std::fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    /// Makes the directory where there is none, and takes its lock; answers whether it was made for the lab.
    ///
    /// # Errors
    /// When it can't be made or is too long for the hosts' sockets, and when somebody else works on it.
    pub(crate) fn make(&self, hosts: usize) -> anyhow::Result<(bool, File)> {
        let socket = self.host(&Self::host_name(hosts)).directories().socket();
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(explained(
                format_args!("{} would be too long for a unix socket ({SOCKET_PATH_MAX} bytes)", socket.display()),
                "choose a shorter --dir",
            ));
        }
        let made = match DirBuilder::new().mode(0o755).create(&self.0) {
            Ok(()) => true,
            // The usual one is nobody else's, whoever left it empty.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.0 == Path::new(LAB_DIR),
            Err(error) => {
                return Err(explained(
                    format_args!("cannot make the directory {}: {error}", self.0.display()),
                    "the directory above it must be there; choose another with --dir",
                ));
            }
        };
        Ok((made, self.lock()?))
    }

    /// Keeps others from working on the lab meanwhile.
    ///
    /// # Errors
    /// When somebody else works on it, with who that is.
    pub(crate) fn lock(&self) -> anyhow::Result<File> {
        lock::directory_lock(&self.0, "wait until that one has ended")
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<()> {
        let draft = self.0.join(DRAFT);
        let written = || -> std::io::Result<()> {
            let mut file = File::create(&draft)?;
            serde_json::to_writer_pretty(&mut file, record)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&draft, self.0.join(RECORD))
        };
        written().with_context(|| format!("cannot write the record of the lab in {}", self.0.display()))
    }

    /// Removes the record, and the directory where it was made for the lab. What is not the lab's is named, and left.
    ///
    /// # Errors
    /// When something else is left in a directory that is to go, or it can't be removed.
    pub(crate) fn remove(&self, made_directory: bool) -> anyhow::Result<()> {
        // The record last: until then it is known whose all this is.
        for name in [DRAFT, LOCK, RECORD] {
            match std::fs::remove_file(self.0.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", self.0.join(name).display()));
                }
                _ => {}
            }
        }
        if !made_directory {
            return Ok(());
        }
        match std::fs::remove_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                bail!(
                    "the lab is gone; its directory {} is left, with what is not the lab's: {}",
                    self.0.display(),
                    self.entries().unwrap_or_default().join(", ")
                )
            }
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.0.display()))
            }
            _ => Ok(()),
        }
    }
}
