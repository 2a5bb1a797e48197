//! The tokens that let hosts into the swarm: those there are, the form for another, and the command to join by it, which is shown once.

use std::fmt;

use askama::Template;
use netloom_control::command::Page;
use netloom_model::swarm::{JoinToken, JoinTokenState};
use serde::Deserialize;

use super::chip::Chip;
use super::confirm::Question;
use super::copy_as;
use super::csv_link::CsvLink;
use super::format;
use super::frame::Frame;
use super::link;
use super::object::pairs;
use super::refusal::{Refusal, Refused};
use super::when::When;

/// How long a new token may last: the form's word, what it says, and hours; none for one without an end.
pub const LIFETIMES: [(&str, &str, Option<i64>); 6] = [
    ("1h", "1 hour", Some(1)),
    ("12h", "12 hours", Some(12)),
    ("1d", "1 day", Some(24)),
    ("7d", "7 days", Some(7 * 24)),
    ("30d", "30 days", Some(30 * 24)),
    ("", "until it is revoked", None),
];

/// What the form says, as it was filled in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct JoinForm {
    /// Its name.
    pub name: String,
    /// A word of [`LIFETIMES`].
    pub lifetime: String,
    /// How many nodes; empty for any number.
    pub uses: String,
    /// Labels, one `key=value` a line.
    pub labels: String,
}

impl Default for JoinForm {
    fn default() -> Self {
        Self { name: String::new(), lifetime: "1d".to_owned(), uses: String::new(), labels: String::new() }
    }
}

/// One end that a token may have.
#[derive(Debug, Clone)]
pub struct Lifetime {
    pub(crate) word: &'static str,
    pub(crate) label: &'static str,
    pub(crate) chosen: bool,
}

/// The form, with what was refused of each field.
#[derive(Debug, Clone)]
pub struct FormView {
    pub(crate) given: JoinForm,
    pub(crate) lifetimes: Vec<Lifetime>,
    pub(crate) name: Vec<Refused>,
    pub(crate) lifetime: Vec<Refused>,
    pub(crate) uses: Vec<Refused>,
    pub(crate) labels: Vec<Refused>,
}

impl FormView {
    fn new(given: JoinForm, refusal: Option<&mut Refusal>) -> Self {
        let mut taken = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        if let Some(refusal) = refusal {
            taken = ["/name", "/expires_at", "/max_uses", "/node_labels"].map(|pointer| refusal.take(pointer));
            if taken.iter().any(|of_field| !of_field.is_empty()) {
                refusal.told_below();
            }
        }
        let [name, lifetime, uses, labels] = taken;
        let choice = |(word, label, _)| Lifetime { word, label, chosen: word == given.lifetime };
        Self { lifetimes: LIFETIMES.into_iter().map(choice).collect(), given, name, lifetime, uses, labels }
    }
}

/// A token as a row.
#[derive(Debug, Clone)]
pub struct JoinTokenRow {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) state: Chip,
    pub(crate) uses: String,
    pub(crate) last_used: Option<When>,
    pub(crate) expires: Option<When>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) created: When,
    pub(crate) created_by: String,
    pub(crate) rotate: String,
    pub(crate) revoke: String,
    /// Makes one like it; absent of one that is over.
    pub(crate) copy: Option<String>,
}

impl JoinTokenRow {
    fn new(frame: &Frame, token: &JoinToken) -> Self {
        let uses = format::count(token.status.uses.into());
        Self {
            name: token.spec.name.clone(),
            role: token.spec.role.as_str(),
            state: Chip::from(token.status.state),
            uses: match token.spec.max_uses {
                Some(most) => format!("{uses} of {}", format::count(most.into())),
                None => uses,
            },
            last_used: token.status.last_used_at.map(|at| frame.when(at)),
            expires: token.spec.expires_at.as_ref().and_then(|end| end.parse().ok()).map(|end| frame.when(end)),
            labels: pairs(token.spec.node_labels.as_ref()),
            created: frame.when(token.created_at),
            created_by: token.created_by.clone(),
            rotate: change_href(token, "rotate"),
            revoke: change_href(token, "revoke"),
            copy: (token.status.state != JoinTokenState::Expired)
                .then(|| copy_as::token_like(frame, "/api/v1/swarm/join-tokens", &token.spec)),
        }
    }
}

fn change_href(token: &JoinToken, word: &str) -> String {
    format!("/ui/swarm/join/{}/{word}", token.id)
}

/// A token that was made or got another secret just now.
#[derive(Clone)]
pub struct Made {
    pub(crate) name: String,
    pub(crate) uses: Option<String>,
    pub(crate) expires: Option<When>,
    pub(crate) command: String,
}

impl Made {
    /// The token, with the command that joins by it.
    pub fn new(frame: &Frame, token: &JoinToken, command: &str) -> Self {
        let row = JoinTokenRow::new(frame, token);
        let left = token.spec.max_uses.map(|most| most.saturating_sub(token.status.uses));
        Self {
            name: row.name,
            uses: left.map(|left| match left {
                0 => "no host any more: it is used up".to_owned(),
                left => format::counted(left.into(), "host", "hosts"),
            }),
            expires: row.expires,
            command: command.to_owned(),
        }
    }
}

/// The command has the secret in it.
impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `/ui/swarm/join`.
#[derive(Debug, Template)]
#[template(path = "join.html")]
pub struct JoinPage {
    frame: Frame,
    made: Option<Made>,
    refusal: Option<Refusal>,
    rows: Vec<JoinTokenRow>,
    /// For those who may make tokens.
    form: Option<FormView>,
    create: String,
    first: Option<String>,
    next: Option<String>,
    csv: CsvLink,
}

impl JoinPage {
    /// The page of these tokens; `token` is the one that led here, of pages. `form` is for those who may make one.
    pub fn new(frame: Frame, page: &Page<JoinToken>, token: &str, form: Option<JoinForm>) -> Self {
        let path = format!("/api/v1/swarm/join-tokens{}", link::query(&[("page_token", token)]));
        let frame = frame.crumb("Swarm", "/ui/swarm").api(path);
        let next = page.next_page_token.as_deref();
        Self {
            made: None,
            refusal: None,
            rows: page.items.iter().map(|token| JoinTokenRow::new(&frame, token)).collect(),
            form: form.map(|given| FormView::new(given, None)),
            create: frame.netloom("swarm token create", "NAME --uses 3 --expires 12h"),
            first: (!token.is_empty()).then(|| "/ui/swarm/join".to_owned()),
            next: next.map(|next| format!("/ui/swarm/join{}", link::query(&[("page_token", next)]))),
            csv: CsvLink::new("/ui/swarm/join", "", "join tokens"),
            frame,
        }
    }

    /// With a token that was made just now.
    #[must_use]
    pub fn made(mut self, token: &JoinToken, command: &str) -> Self {
        self.made = Some(Made::new(&self.frame, token, command));
        self
    }

    /// With what was refused of the form.
    #[must_use]
    pub fn refused(mut self, mut refusal: Refusal) -> Self {
        self.form = self.form.map(|form| FormView::new(form.given, Some(&mut refusal)));
        self.refusal = Some(refusal);
        self
    }
}

/// Asks before a token gets another secret.
pub fn rotation(frame: &Frame, token: &JoinToken) -> Question {
    let name = &token.spec.name;
    let mut what = vec![
        format!("Join token `{name}` gets another secret, which is shown once, on the next page."),
        "The one before lets nobody in any more. Nodes that joined by it stay in the swarm, and its end and its count of uses stay as they are.".to_owned(),
    ];
    if token.status.state != JoinTokenState::Active {
        what.push("It lets nobody in, and will not with another secret either: make another token instead.".to_owned());
    }
    Question {
        action: change_href(token, "rotate"),
        what,
        ticks: Vec::new(),
        button: "Give it another secret",
        back: "/ui/swarm/join".to_owned(),
        command: frame.netloom("swarm token rotate", &link::shell_quote(name)),
    }
}

/// Asks before a token is revoked.
pub fn revocation(frame: &Frame, token: &JoinToken) -> Question {
    let name = &token.spec.name;
    Question {
        action: change_href(token, "revoke"),
        what: vec![
            format!("Join token `{name}` lets nobody in any more, and is gone from the list."),
            "Nodes that joined by it stay in the swarm.".to_owned(),
        ],
        ticks: Vec::new(),
        button: "Revoke it",
        back: "/ui/swarm/join".to_owned(),
        command: frame.netloom("swarm token revoke", &link::shell_quote(name)),
    }
}
