//! `/ui/swarm/join`: the tokens that let hosts in. A secret is on the page that answers the form which made it, and on no other.

use actix_web::HttpResponse;
use actix_web::web::Form;
use netloom_control::command::{
    CreateJoinToken, GetJoinToken, ListJoinTokens, NewJoinToken, RevokeJoinToken, RotateJoinToken,
};
use netloom_control::{Error, now};
use netloom_model::invalid::Code;
use netloom_model::name::{Labels, check_name};
use netloom_model::swarm::{JoinToken, JoinTokenSpec, SwarmRole};
use netloom_model::{Invalid, Timestamp};

use super::swarm::{elsewhere, is_managed, own};
use super::{Paging, part};
use crate::form::Sender;
use crate::view::confirm::{ConfirmPage, Question};
use crate::view::frame::{Frame, Section};
use crate::view::join::{JoinForm, JoinPage, LIFETIMES, revocation, rotation};
use crate::view::refusal::Refusal;
use crate::visit::{Visit, to};

const TITLE: &str = "Add hosts";
const HOUR: i64 = 3_600_000;

/// The tokens and the form, or where to ask for them.
pub async fn page(visit: Visit) -> HttpResponse {
    match own(&visit).await {
        Ok(Some(swarm)) if is_managed(&swarm) => {
            visit.show(async |visit: &Visit| show(visit, JoinForm::default()).await).await
        }
        Ok(other) => visit.answer(Ok(elsewhere(&visit, TITLE, Section::Swarm, other.as_ref()))).await,
        Err(failure) => visit.fail(&failure).await,
    }
}

/// Makes a token.
pub async fn create(sender: Sender, given: Form<JoinForm>) -> HttpResponse {
    let form = given.into_inner();
    let failure = match made(&sender, &form).await {
        Ok(made) => return answer(&sender, &made).await,
        Err(failure) => failure,
    };
    match show(&sender, form).await {
        Ok(page) => {
            let refusal = sender.refusal(&failure);
            sender.refuse(&failure, &page.refused(refusal)).await
        }
        Err(_) => sender.fail(&failure).await,
    }
}

/// Asks before a token gets another secret.
pub async fn ask_rotate(visit: Visit) -> HttpResponse {
    visit.answer(asked_rotate(&visit, None).await).await
}

/// Gives it another secret.
pub async fn rotate(sender: Sender) -> HttpResponse {
    let failure = match rotated(&sender).await {
        Ok(made) => return answer(&sender, &made).await,
        Err(failure) => failure,
    };
    match asked_rotate(&sender, Some(sender.refusal(&failure))).await {
        Ok(page) => sender.refuse(&failure, &page).await,
        Err(_) => sender.fail(&failure).await,
    }
}

/// Asks before a token is revoked.
pub async fn ask_revoke(visit: Visit) -> HttpResponse {
    visit.answer(asked_revoke(&visit, None).await).await
}

/// Revokes it.
pub async fn revoke(sender: Sender) -> HttpResponse {
    let Err(failure) = revoked(&sender).await else { return to("/ui/swarm/join") };
    match asked_revoke(&sender, Some(sender.refusal(&failure))).await {
        Ok(page) => sender.refuse(&failure, &page).await,
        Err(_) => sender.fail(&failure).await,
    }
}

async fn show(visit: &Visit, form: JoinForm) -> Result<JoinPage, Error> {
    let paging: Paging = visit.query()?;
    let command = ListJoinTokens { role: None, page: part(&paging.page_token) };
    let page = visit.control.list_join_tokens(visit.authorize(command)?).await?;
    let form = visit.may(&CreateJoinToken(worker(String::new()))).then_some(form);
    Ok(JoinPage::new(visit.frame(TITLE, Section::Swarm), &page, &paging.page_token, form))
}

/// The page with a secret that was made just now: it is there whatever becomes of the list below it.
async fn answer(visit: &Visit, made: &NewJoinToken) -> HttpResponse {
    let page = show(visit, JoinForm::default()).await;
    visit.answer(page.map(|page| page.made(&made.token, made.command.reveal()))).await
}

async fn made(visit: &Visit, form: &JoinForm) -> Result<NewJoinToken, Error> {
    // Whoever may not make one is not told what is wrong with theirs.
    visit.authorize(CreateJoinToken(worker(form.name.trim().to_owned())))?;
    let command = CreateJoinToken(spec(form, now())?);
    visit.control.create_join_token(visit.authorize(command)?).await
}

async fn rotated(visit: &Visit) -> Result<NewJoinToken, Error> {
    visit.control.rotate_join_token(visit.authorize(RotateJoinToken(visit.segment("token")))?).await
}

async fn revoked(visit: &Visit) -> Result<JoinToken, Error> {
    visit.control.revoke_join_token(visit.authorize(RevokeJoinToken(visit.segment("token")))?).await
}

async fn asked_rotate(visit: &Visit, refusal: Option<Refusal>) -> Result<ConfirmPage, Error> {
    visit.authorize(RotateJoinToken(visit.segment("token")))?;
    confirm(visit, "Another secret", rotation, refusal).await
}

async fn asked_revoke(visit: &Visit, refusal: Option<Refusal>) -> Result<ConfirmPage, Error> {
    visit.authorize(RevokeJoinToken(visit.segment("token")))?;
    confirm(visit, "Revoke the token", revocation, refusal).await
}

async fn confirm(
    visit: &Visit,
    title: &str,
    question: impl Fn(&Frame, &JoinToken) -> Question,
    refusal: Option<Refusal>,
) -> Result<ConfirmPage, Error> {
    let reference = visit.segment("token");
    let token = visit.control.get_join_token(visit.authorize(GetJoinToken(reference))?).await?;
    let frame = visit.frame(title, Section::Swarm).crumb("Swarm", "/ui/swarm").crumb(TITLE, "/ui/swarm/join");
    let frame = frame.api(format!("/api/v1/swarm/join-tokens/{}", token.id));
    let question = question(&frame, &token);
    Ok(ConfirmPage::new(frame, question, refusal))
}

fn worker(name: String) -> JoinTokenSpec {
    JoinTokenSpec { name, role: SwarmRole::Worker, expires_at: None, max_uses: None, node_labels: None }
}

/// What the form asks for. What can't even be said in the API's words is refused here, with the name if that is wrong as well; the rest by the use case.
fn spec(form: &JoinForm, now: Timestamp) -> Result<JoinTokenSpec, Error> {
    let mut refused = Vec::new();
    let mut keep = |wrong: Invalid| refused.push(wrong);
    let expires_at = end(&form.lifetime, now).unwrap_or_else(|wrong| {
        keep(wrong);
        None
    });
    let max_uses = uses(form.uses.trim()).unwrap_or_else(|wrong| {
        keep(wrong);
        None
    });
    let node_labels = labels(&form.labels).unwrap_or_else(|wrong| {
        keep(wrong);
        None
    });
    if refused.is_empty() {
        return Ok(JoinTokenSpec { expires_at, max_uses, node_labels, ..worker(form.name.trim().to_owned()) });
    }
    refused.extend(check_name("/name", form.name.trim()).err());
    Err(Error::invalid(refused))
}

fn end(word: &str, now: Timestamp) -> Result<Option<String>, Invalid> {
    let Some((.., hours)) = LIFETIMES.iter().find(|(known, ..)| *known == word) else {
        return Err(Invalid::new("/expires_at", Code::Format, word, "none of the times of the list"));
    };
    Ok(hours.map(|hours| now.plus_millis(hours * HOUR).to_string()))
}

fn uses(text: &str) -> Result<Option<u32>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Invalid::new("/max_uses", Code::WrongType, text, "a whole number of hosts is needed")
            .hint("leave it empty for any number")
    })
}

fn labels(text: &str) -> Result<Option<Labels>, Invalid> {
    let mut labels = Labels::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((key, value)) = line.split_once('=') else {
            return Err(Invalid::new("/node_labels", Code::Format, line, "a label is `key=value`, one on each line"));
        };
        if labels.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(Invalid::new("/node_labels", Code::NotAllowedHere, line, "a key stands on one line only"));
        }
    }
    Ok((!labels.is_empty()).then_some(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(uses: &str, lifetime: &str, labels: &str) -> JoinForm {
        JoinForm { name: " rack-7 ".into(), lifetime: lifetime.into(), uses: uses.into(), labels: labels.into() }
    }

    #[test]
    fn a_form_is_said_in_the_words_of_the_api() {
        let now: Timestamp = "2026-01-31T12:00:00.000Z".parse().expect("a time");
        let whole = spec(&form("3", "12h", "rack=7\r\n\r\n zone = a=b \n"), now).expect("all is well");
        assert_eq!((whole.name.as_str(), whole.role, whole.max_uses), ("rack-7", SwarmRole::Worker, Some(3)));
        assert_eq!(whole.expires_at.as_deref(), Some("2026-02-01T00:00:00.000Z"));
        let labels = [("rack", "7"), ("zone", "a=b")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(whole.node_labels, Some(labels.into()));
        let bare = spec(&form(" ", "", ""), now).expect("nothing is asked for");
        assert_eq!((bare.max_uses, bare.expires_at, bare.node_labels), (None, None, None));
    }

    #[test]
    fn everything_wrong_with_a_form_is_said_at_once() {
        let wrong = spec(&form("many", "for ever", "rack"), now()).expect_err("nothing of it can be said");
        let fields: Vec<&str> = wrong.errors.iter().map(|wrong| wrong.pointer.as_str()).collect();
        assert_eq!(fields, ["/expires_at", "/max_uses", "/node_labels"]);
        let odd = JoinForm { name: "a b".into(), ..form("-1", "1h", "") };
        let wrong = spec(&odd, now()).expect_err("two things");
        assert_eq!(wrong.errors.iter().map(|wrong| wrong.pointer.as_str()).collect::<Vec<_>>(), ["/max_uses", "/name"]);
        assert!(spec(&form("", "1h", "a=1\na=2"), now()).is_err());
    }
}
