//! What surrounds every page: title, place in the dashboard, who looks, and the same by the API.

use netloom_model::Timestamp;

use std::path::Path;

use super::link::shell_quote;
use super::when::{Moment, When};
use crate::assets;

/// The part of the dashboard that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The front page.
    Overview,
    /// Networks.
    Networks,
    /// Sandboxes.
    Sandboxes,
    /// Pools of all networks.
    Pools,
    /// Leases and addresses.
    Leases,
    /// The swarm that this host is in.
    Swarm,
    /// Its nodes.
    Nodes,
    /// Where the kernel differs.
    Drift,
    /// What happened, and who asked for what.
    Activity,
    /// API tokens.
    Tokens,
    /// None of these: login, search, failures.
    None,
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

/// An entry of the navigation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) section: Section,
    pub(crate) label: &'static str,
    pub(crate) href: &'static str,
    pub(crate) icon: &'static str,
}

/// The navigation: one line per part of the dashboard. Icons are paths on a 16 x 16 grid.
const ENTRIES: [Entry; 10] = [
    Entry {
        section: Section::Overview,
        label: "Overview",
        href: "/ui",
        icon: "M2 2h5v7H2zM9 2h5v4H9zM9 8h5v6H9zM2 11h5v3H2z",
    },
    Entry {
        section: Section::Networks,
        label: "Networks",
        href: "/ui/networks",
        icon: "M8 5.5v5M3.5 10.5v-2h9v2M6 1.5h4v4H6zM1.5 10.5h4v4h-4zM10.5 10.5h4v4h-4z",
    },
    Entry {
        section: Section::Sandboxes,
        label: "Sandboxes",
        href: "/ui/sandboxes",
        icon: "M8 1.5 14 4.7v6.6L8 14.5 2 11.3V4.7zM2 4.7l6 3.2 6-3.2M8 7.9v6.6",
    },
    Entry {
        section: Section::Pools,
        label: "IPAM",
        href: "/ui/ipam",
        icon: "M2 2.5h12v3H2zM2 6.5h12v3H2zM2 10.5h12v3H2zM9 2.5v3M6 6.5v3M11 10.5v3",
    },
    Entry {
        section: Section::Leases,
        label: "Leases",
        href: "/ui/leases",
        icon: "M2 2h12v12H2zM2 6h12M2 10h12M6 2v12M10 2v12",
    },
    Entry {
        section: Section::Swarm,
        label: "Swarm",
        href: "/ui/swarm",
        icon: "M6 3.5a2 2 0 1 0 4 0a2 2 0 1 0-4 0M1.5 12a2 2 0 1 0 4 0a2 2 0 1 0-4 0M10.5 12a2 2 0 1 0 4 0a2 2 0 1 0-4 0M7 5.3 4.5 10.3M9 5.3l2.5 5M5.5 12h5",
    },
    Entry {
        section: Section::Nodes,
        label: "Nodes",
        href: "/ui/nodes",
        icon: "M2 2.5h12v4H2zM2 9.5h12v4H2zM4.5 4.5h1M4.5 11.5h1",
    },
    Entry {
        section: Section::Drift,
        label: "Drift",
        href: "/ui/drift",
        icon: "M1.5 4.5h13M1.5 11.5h5l3-3h5M9 2l-2.5 2.5L9 7",
    },
    Entry { section: Section::Activity, label: "Activity", href: "/ui/activity", icon: "M1.5 8.5h3l2-6 3 11 2-5h3" },
    Entry {
        section: Section::Tokens,
        label: "Tokens",
        href: "/ui/tokens",
        icon: "M1.5 5.5a3 3 0 1 0 6 0a3 3 0 1 0-6 0M6.5 7.5l7 6M10.5 11l2-2M12.5 12.7l1.5-1.5",
    },
];

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
    pub(crate) query: String,
    /// What commands of this host need to find the service: empty where it is found without.
    run_flag: String,
    token_file: String,
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
            query: String::new(),
            run_flag: String::new(),
            token_file: TOKEN_FILE.to_owned(),
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

    /// Keeps what was searched for in the search box.
    #[must_use]
    pub fn searched(mut self, query: &str) -> Self {
        query.clone_into(&mut self.query);
        self
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

    pub(crate) fn login_link(&self) -> String {
        self.netloom("login-link", "")
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
        assert_eq!(frame.login_link(), "netloom login-link");
        let usual = frame.clone().kept_in(Path::new(RUN_DIR), Path::new("/var/lib/netloom"));
        assert_eq!(usual.netloom("exec", "w0 -- ip addr"), "netloom exec w0 -- ip addr");
        assert_eq!(usual.set_token(), "TOKEN=$(cat /var/lib/netloom/admin.token)");
        let other = frame.kept_in(Path::new("/tmp/a b/run"), Path::new("/tmp/data"));
        assert_eq!(other.netloom("exec", "w0 -- ip addr"), "netloom exec --run-dir '/tmp/a b/run' w0 -- ip addr");
        assert_eq!(other.login_link(), "netloom login-link --run-dir '/tmp/a b/run'");
        assert_eq!(other.set_token(), "TOKEN=$(cat /tmp/data/admin.token)");
    }
}
