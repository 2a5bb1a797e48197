//! What surrounds every page: title, place in the dashboard, who looks, and the same by the API.

use netloom_model::{NodeId, Timestamp};

use std::collections::BTreeMap;
use std::path::Path;

use super::copy_as::CopyAs;
use super::link::{self, shell_quote};
use super::navigation::{ENTRIES, Entry};
use super::theme::Theme;
use super::when::{Moment, When};
use super::wrong::{Mark, Told, Wrong};
use crate::assets;

pub use super::navigation::Section;

/// What this host is in a swarm: where the pages of nodes are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// In none.
    #[default]
    Alone,
    /// Its manager, which has them.
    Manager,
    /// A worker of the manager at this address.
    Worker(String),
}

/// One step of the way to a page.
#[derive(Debug, Clone)]
pub struct Crumb {
    pub(crate) label: String,
    pub(crate) href: String,
}

/// Who looks.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The principal's name.
    pub name: String,
    /// Its role.
    pub role: &'static str,
    /// Whether there is a session to end.
    pub can_leave: bool,
}

/// The request that gives the same from the API.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) label: &'static str,
    pub(crate) path: String,
    pub(crate) curl: String,
}

/// What surrounds a page.
#[derive(Debug, Clone)]
pub struct Frame {
    pub(crate) title: String,
    pub(crate) section: Section,
    pub(crate) base: String,
    pub(crate) now: Timestamp,
    pub(crate) request_id: String,
    pub(crate) crumbs: Vec<Crumb>,
    pub(crate) api: Option<Call>,
    /// Who looks; absent before login.
    pub viewer: Option<Viewer>,
    /// This host as a node; absent before login.
    pub own: Option<NodeId>,
    /// What it is called, once it was looked at.
    pub hostname: Option<String>,
    /// What it is in a swarm.
    pub place: Place,
    /// What the hosts of nodes are called that the page tells of.
    pub nodes: BTreeMap<NodeId, String>,
    pub(crate) query: String,
    /// What commands of this host need to find the service: empty where it is found without.
    run_flag: String,
    token_file: String,
    pub(crate) theme: Theme,
    /// Path and query of the page, to which the choice of a theme leads back.
    pub(crate) here: String,
    /// Where events were before the page was read; empty where it follows none.
    pub(crate) since: String,
    pub(crate) copies: Vec<CopyAs>,
    /// Whether the page follows what happens.
    pub(crate) live: bool,
    /// Parameters that are set aside, and those that the page does not know.
    pub(crate) wrong: Vec<Wrong>,
    pub(crate) ignored: Vec<String>,
}

/// Where the command line looks for the service, unless told.
const RUN_DIR: &str = "/run/netloom";
/// Where the first start writes the administrator's token, unless told.
const TOKEN_FILE: &str = "/var/lib/netloom/admin.token";

impl Frame {
    /// Surroundings of a page. `base` is where the API is reached, such as `http://127.0.0.1:8080`.
    pub fn new(
        title: impl Into<String>,
        section: Section,
        base: impl Into<String>,
        now: Timestamp,
        request_id: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            section,
            base: base.into(),
            now,
            request_id: request_id.into(),
            crumbs: Vec::new(),
            api: None,
            viewer: None,
            own: None,
            hostname: None,
            place: Place::default(),
            nodes: BTreeMap::new(),
            query: String::new(),
            run_flag: String::new(),
            token_file: TOKEN_FILE.to_owned(),
            theme: Theme::default(),
            here: "/ui".to_owned(),
            since: String::new(),
            copies: Vec::new(),
            live: true,
            wrong: Vec::new(),
            ignored: Vec::new(),
        }
    }

    /// Says where the service keeps its things, so that the commands on the page work as they stand.
    #[must_use]
    pub fn kept_in(mut self, run_dir: &Path, data_dir: &Path) -> Self {
        let quoted = |path: &Path| shell_quote(&path.display().to_string());
        self.run_flag =
            if run_dir == Path::new(RUN_DIR) { String::new() } else { format!(" --run-dir {}", quoted(run_dir)) };
        self.token_file = quoted(&data_dir.join("admin.token"));
        self
    }

    /// Adds a step of the way here.
    #[must_use]
    pub fn crumb(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.crumbs.push(Crumb { label: label.into(), href: href.into() });
        self
    }

    /// Names the API's URL for the same, such as `/api/v1/networks`.
    #[must_use]
    pub fn api(self, path: impl Into<String>) -> Self {
        self.api_as("The same from the API", path)
    }

    /// Names the API's URL that comes nearest, and what it gives.
    #[must_use]
    pub fn api_as(mut self, label: &'static str, path: impl Into<String>) -> Self {
        let path = path.into();
        let curl = self.curl(&path);
        self.api = Some(Call { label, path, curl });
        self
    }

    /// Offers the page's object to be copied as other tools take it.
    #[must_use]
    pub fn copy_as(mut self, copies: Vec<CopyAs>) -> Self {
        self.copies = copies;
        self
    }

    /// Says that the page stays as it is: there is nothing on it that could change.
    #[must_use]
    pub fn still(mut self) -> Self {
        self.live = false;
        self
    }

    /// Says which parameters are wrong, and which the page does not know. A page with a wrong one stays as it is.
    #[must_use]
    pub fn asked(mut self, wrong: Vec<Wrong>, ignored: Vec<String>) -> Self {
        self.live &= wrong.is_empty();
        self.wrong = wrong;
        self.ignored = ignored;
        self
    }

    /// Whether the viewer's role may change anything: a viewer is not given commands that would be refused.
    pub(crate) fn writes(&self) -> bool {
        self.viewer.as_ref().is_none_or(|viewer| viewer.role != "viewer")
    }

    /// What a field has: what was given, where that is wrong, else what the page took.
    pub(crate) fn value<'f>(&'f self, name: &str, taken: &'f str) -> &'f str {
        self.wrong_of(name).map_or(taken, |wrong| wrong.value.as_str())
    }

    /// Marks a field that is wrong.
    pub(crate) fn mark(&self, name: &str) -> Mark<'_> {
        Mark { wrong: self.wrong_of(name) }
    }

    /// What is wrong with a field.
    pub(crate) fn told(&self, name: &str) -> Told<'_> {
        Told { wrong: self.wrong_of(name) }
    }

    fn wrong_of(&self, name: &str) -> Option<&Wrong> {
        self.wrong.iter().find(|wrong| wrong.name == name)
    }

    /// Keeps what was searched for in the search box.
    #[must_use]
    pub fn searched(mut self, query: &str) -> Self {
        query.clone_into(&mut self.query);
        self
    }

    /// Where a node is told of: on its page, which the manager has, elsewhere by what is around it.
    pub fn node(&self, id: NodeId) -> String {
        match self.place {
            Place::Manager => link::node(&id.to_string()),
            Place::Alone | Place::Worker(_) => super::topology::around(&id.to_string()),
        }
    }

    /// Whether this host manages its swarm.
    pub(crate) fn manages(&self) -> bool {
        self.place == Place::Manager
    }

    /// Who is to be asked for what this host, a worker, does not know.
    pub(crate) fn ask_manager(&self) -> Option<String> {
        match &self.place {
            Place::Worker(address) => Some(format!("ask the manager at {address}")),
            Place::Alone | Place::Manager => None,
        }
    }

    /// A time, told from when the page was made.
    pub fn when(&self, then: Timestamp) -> When {
        When::new(self.now, then)
    }

    /// A time, written out.
    pub fn moment(&self, then: Timestamp) -> Moment {
        Moment::new(self.now, then)
    }

    /// A command of `netloom` on this host, such as `exec` with its arguments.
    pub fn netloom(&self, command: &str, arguments: &str) -> String {
        let space = if arguments.is_empty() { "" } else { " " };
        format!("netloom {command}{}{space}{arguments}", self.run_flag)
    }

    /// What sets the variable that the other commands take the token from.
    pub(crate) fn set_token(&self) -> String {
        format!("TOKEN=$(cat {})", self.token_file)
    }

    /// The command that removes all orphans, complete with the token.
    pub(crate) fn reclaim(&self) -> String {
        format!("{}\n{} -X POST", self.set_token(), self.curl("/api/v1/ipam/reclaim"))
    }

    /// The command that deletes what a URL of the API names, complete with the token.
    pub(crate) fn delete(&self, path: &str) -> String {
        format!("{}\n{} -X DELETE", self.set_token(), self.curl(path))
    }

    /// A first command, complete: the token, then the document that is posted.
    pub fn first_post(&self, path: &str, body: &serde_json::Value) -> String {
        format!("{}\n{}", self.set_token(), self.curl_post(path, body))
    }

    /// The command that reads a URL of the API.
    pub fn curl(&self, path: &str) -> String {
        let url = shell_quote(&format!("{}{path}", self.base));
        format!("curl -sS -H \"Authorization: Bearer $TOKEN\" {url}")
    }

    /// The command that posts a document to a URL of the API.
    pub fn curl_post(&self, path: &str, body: &serde_json::Value) -> String {
        let body = shell_quote(&body.to_string());
        let url = shell_quote(&format!("{}{path}", self.base));
        format!("curl -sS -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' {url} -d {body}")
    }

    /// The command that puts a document to a URL of the API, complete with the token.
    pub(crate) fn put(&self, path: &str, body: &serde_json::Value) -> String {
        format!("{}\n{} -X PUT", self.set_token(), self.curl_post(path, body))
    }

    /// The command that changes what a URL of the API names by a merge patch, complete with the token.
    pub(crate) fn patch(&self, path: &str, patch: &serde_json::Value) -> String {
        let patch = shell_quote(&patch.to_string());
        let kind = "-H 'Content-Type: application/merge-patch+json'";
        format!("{}\n{} -X PATCH {kind} -d {patch}", self.set_token(), self.curl(path))
    }

    /// The command that sends a document by a method, complete with the token.
    pub(crate) fn request(&self, method: &str, path: &str, kind: &str, body: &serde_json::Value) -> String {
        let body = shell_quote(&body.to_string());
        let method = if method == "POST" { String::new() } else { format!(" -X {method}") };
        format!("{}\n{}{method} -H 'Content-Type: {kind}' -d {body}", self.set_token(), self.curl(path))
    }

    pub(crate) fn asset(&self, file: &str) -> String {
        assets::url(file)
    }

    /// The parts that the viewer may see.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let manages = self.viewer.as_ref().is_some_and(|viewer| viewer.role == "admin");
        let open = |entry: &Entry| manages || entry.section != Section::Tokens;
        ENTRIES.into_iter().filter(open).collect()
    }

    pub(crate) fn is_here(&self, section: &Section) -> bool {
        self.section == *section
    }

    /// Whether somebody chose a theme.
    pub(crate) fn is_themed(&self) -> bool {
        self.theme != Theme::System
    }

    pub(crate) fn made(&self) -> String {
        self.now.to_string()
    }

    pub(crate) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_run_directory_only_where_it_is_another() {
        let frame = Frame::new("x", Section::None, "http://h", Timestamp::from_millis(0), "r");
        let usual = frame.clone().kept_in(Path::new(RUN_DIR), Path::new("/var/lib/netloom"));
        assert_eq!(usual.netloom("exec", "w0 -- ip addr"), "netloom exec w0 -- ip addr");
        assert_eq!(usual.set_token(), "TOKEN=$(cat /var/lib/netloom/admin.token)");
        let other = frame.kept_in(Path::new("/tmp/a b/run"), Path::new("/tmp/data"));
        assert_eq!(other.netloom("exec", "w0 -- ip addr"), "netloom exec --run-dir '/tmp/a b/run' w0 -- ip addr");
        assert_eq!(other.set_token(), "TOKEN=$(cat /tmp/data/admin.token)");
    }
}
