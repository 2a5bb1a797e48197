//! What runs beside the requests: the first look at the host, which readiness waits for, and control's own clockwork.
//! What happens then is control's to say; here it is started and ended.

use std::time::Duration;

use netloom_agent::Agent;
use netloom_api::ApiState;
use netloom_control::Control;
use netloom_model::report::Report;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long the start waits for the first look before it serves all the same, as not ready.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// How long after a first look that failed the next one is tried.
const AGAIN: Duration = Duration::from_secs(1);

/// How often the agent is asked whether its first pass is over.
const PASS_ASKED_EVERY: Duration = Duration::from_millis(10);

/// How long an unfinished job may keep a stop waiting. What it left is done after the next start.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// The work beside the requests, until it is stopped.
#[derive(Debug)]
pub(crate) struct Background {
    stop: oneshot::Sender<()>,
    clockwork: JoinHandle<()>,
    readiness: JoinHandle<()>,
}

impl Background {
    /// Takes the host's addresses up and starts the rest. An address that the host got while nobody looked would be given
    /// to a sandbox: so nothing is served before, and a look that fails keeps the service from being ready until one
    /// succeeds.
    pub(crate) async fn start(state: &ApiState, agent: &Agent) -> Self {
        let (control, agent) = (state.control.clone(), agent.clone());
        state.starting("the host's addresses have not been taken up yet");
        let looked = tokio::time::timeout(FIRST_LOOK, look(&control, &agent)).await;
        let first = looked.unwrap_or_else(|_| Err(format!("no answer in {} s", FIRST_LOOK.as_secs())));
        if let Err(why) = &first {
            tracing::warn!("the host's addresses could not be taken up; tried again: {why}");
        }
        let (stop, stopped) = oneshot::channel();
        let clockwork = {
            let control = control.clone();
            // An error of the channel means that the other side is gone: a stop as well.
            tokio::spawn(async move { control.background(async { drop(stopped.await) }).await })
        };
        let state = state.clone();
        let readiness = tokio::spawn(async move {
            let mut looked = first;
            while looked.is_err() {
                tokio::time::sleep(AGAIN).await;
                looked = look(&control, &agent).await;
            }
            state.starting("the kernel has not been looked at yet");
            while !agent.ready().await {
                tokio::time::sleep(PASS_ASKED_EVERY).await;
            }
            state.started();
        });
        Self { stop, clockwork, readiness }
    }

    /// Ends it, and lets the job that is under way end.
    pub(crate) async fn stop(self) {
        self.readiness.abort();
        // An error means that it has ended by itself.
        let _ = self.stop.send(());
        if tokio::time::timeout(STOP_WAIT, self.clockwork).await.is_err() {
            tracing::warn!("the background work did not end in {} s", STOP_WAIT.as_secs());
        }
    }
}

/// Looks at the host and has control take up what it finds.
async fn look(control: &Control, agent: &Agent) -> Result<(), String> {
    let facts = agent.facts().await.map_err(|refusal| refusal.to_string())?;
    control.report(Report::HostChanged(Box::new(facts))).await.map_err(|error| error.to_string())
}
