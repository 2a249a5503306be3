//! Following a cluster until its operation ends.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jeroboam_model::{Progress, Status, Timestamp};
use serde::Deserialize;

use crate::client::Api;
use crate::{Failure, Surroundings};

/// How often a quiet operation gives a sign of life where nobody watches.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How often the service may fail to answer in a row before we give up.
const PATIENCE: u32 = 30;

/// What the service says of a running operation.
#[derive(Debug, Deserialize)]
struct Seen {
    status: String,
    #[serde(default)]
    status_reason: Option<String>,
    #[serde(default)]
    progress: Progress,
}

/// What the end of waiting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The operation is done.
    Settled,
    /// The cluster is gone.
    Gone,
}

/// Looks again and again until the end; an operation that failed is a failure.
pub(crate) async fn follow(
    api: &Api,
    surroundings: &mut Surroundings,
    (cluster, name): (&str, &str),
    until: Until,
    timeout: Duration,
) -> Result<(), Failure> {
    let began = surroundings.clock.now();
    let mut display = Display::new(surroundings);
    let mut silent = 0;
    let end = loop {
        match look(api, cluster).await {
            Err(failure) if failure.code == 1 && silent < PATIENCE => {
                silent += 1;
                display.lost(surroundings, began, &failure);
            }
            Err(failure) => break Err(failure),
            Ok(seen) => {
                silent = 0;
                if let Some(end) = judge(seen.as_ref(), name, until) {
                    break end;
                }
                if let Some(seen) = &seen {
                    display.show(surroundings, began, seen);
                }
            }
        }
        if since(surroundings, began) >= timeout {
            let failure = Failure::new(format!("cluster {name} is not done after {}", clock_face(timeout)));
            break Err(failure.hint(format!("the operation goes on; follow it with: jeroboam cluster wait {name}")));
        }
        tokio::time::sleep(surroundings.poll).await;
    };
    display.finish();
    end
}

/// `None`: the cluster is not there.
async fn look(api: &Api, cluster: &str) -> Result<Option<Seen>, Failure> {
    if let Some(seen) = api.find(&["jeroboam", "clusters", cluster, "progress"]).await? {
        return Ok(Some(seen));
    }
    // The cluster is gone, or the service is a Magnum that has no such route.
    api.find(&["clusters", cluster]).await
}

/// Whether this is the end, and which.
fn judge(seen: Option<&Seen>, name: &str, until: Until) -> Option<Result<(), Failure>> {
    let Some(seen) = seen else {
        return Some(match until {
            Until::Gone => Ok(()),
            Until::Settled => Err(Failure::new(format!("cluster {name} is gone"))),
        });
    };
    match seen.status.parse::<Status>() {
        Ok(status) if status.in_progress() => None,
        Ok(status) if status.failed() => {
            let why = seen.status_reason.as_deref().unwrap_or("the service gives no reason");
            Some(Err(Failure::new(format!("cluster {name} is {status}: {}", crate::failure::sentence(why)))
                .hint(format!("jeroboam cluster show {name} says more"))))
        }
        // A cluster that is to go is only gone when it is gone.
        _ if until == Until::Gone => None,
        _ => Some(Ok(())),
    }
}

fn since(surroundings: &Surroundings, began: Timestamp) -> Duration {
    Duration::try_from(surroundings.clock.now().duration_since(began)).unwrap_or_default()
}

fn clock_face(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// A block that changes in place where somebody watches, a line for each change where nobody does.
enum Display {
    Block(ProgressBar),
    Lines { last: String, at: Duration },
}

impl Display {
    fn new(surroundings: &Surroundings) -> Self {
        if !surroundings.screen.err {
            return Self::Lines { last: String::new(), at: Duration::ZERO };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let plain = "{spinner} {elapsed_precise} {msg}";
        bar.set_style(ProgressStyle::with_template(plain).unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self::Block(bar)
    }

    fn show(&mut self, surroundings: &mut Surroundings, began: Timestamp, seen: &Seen) {
        let now = since(surroundings, began);
        match self {
            Self::Block(bar) => {
                let machines = seen.progress.machines.iter().filter(|machine| !machine.ready);
                let mut text = headline(seen);
                for machine in machines.take(5) {
                    let state = machine.reason.as_deref().unwrap_or(&machine.phase);
                    let _ = write!(text, "\n    {} ({}): {state}", machine.name, machine.group);
                }
                bar.set_message(text);
            }
            Self::Lines { last, at } => {
                let text = headline(seen);
                if text != *last || now >= *at + HEARTBEAT {
                    surroundings.say(&format!("{} {text}", clock_face(now)));
                    *last = text;
                    *at = now;
                }
            }
        }
    }

    fn lost(&mut self, surroundings: &mut Surroundings, began: Timestamp, failure: &Failure) {
        let now = since(surroundings, began);
        match self {
            Self::Block(bar) => bar.set_message(format!("{}, looking again", failure.message)),
            Self::Lines { last, .. } if *last != failure.message => {
                surroundings.say(&format!("{} {}, looking again", clock_face(now), failure.message));
                last.clone_from(&failure.message);
            }
            Self::Lines { .. } => {}
        }
    }

    fn finish(&self) {
        if let Self::Block(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// `CREATE_IN_PROGRESS control plane 1/3 machines: …`
fn headline(seen: &Seen) -> String {
    let mut text = seen.status.clone();
    let progress = &seen.progress;
    if !progress.phase.is_empty() {
        let _ = write!(text, " {}", progress.phase);
    }
    if progress.wanted > 0 || progress.ready > 0 {
        let _ = write!(text, " {}/{} machines", progress.ready, progress.wanted);
    }
    if let Some(reason) = seen.status_reason.as_deref().filter(|reason| !reason.is_empty()) {
        let _ = write!(text, ": {reason}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: &str, reason: Option<&str>) -> Seen {
        let progress = Progress { phase: "control plane".to_owned(), ready: 1, wanted: 3, ..Progress::default() };
        Seen { status: status.to_owned(), status_reason: reason.map(str::to_owned), progress }
    }

    #[test]
    fn the_headline_names_the_phase_and_the_machines() {
        assert_eq!(
            headline(&seen("CREATE_IN_PROGRESS", Some("waiting for kube-1"))),
            "CREATE_IN_PROGRESS control plane 1/3 machines: waiting for kube-1"
        );
        let bare = Seen { progress: Progress::default(), ..seen("DELETE_IN_PROGRESS", None) };
        assert_eq!(headline(&bare), "DELETE_IN_PROGRESS");
    }

    #[test]
    fn the_end_depends_on_what_is_waited_for() {
        let gone = "cluster kube is gone";
        let failed = "cluster kube is CREATE_FAILED: no valid host was found";
        for (status, until, end) in [
            (Some("CREATE_IN_PROGRESS"), Until::Settled, None),
            (Some("CREATE_COMPLETE"), Until::Settled, Some(Ok(()))),
            (Some("CREATE_FAILED"), Until::Settled, Some(Err(failed))),
            (None, Until::Settled, Some(Err(gone))),
            (None, Until::Gone, Some(Ok(()))),
            (Some("DELETE_IN_PROGRESS"), Until::Gone, None),
            (Some("UPDATE_COMPLETE"), Until::Gone, None),
        ] {
            let seen = status.map(|status| seen(status, Some("no valid host was found.")));
            let found = judge(seen.as_ref(), "kube", until).map(|end| end.map_err(|failure| failure.message));
            assert_eq!(found, end.map(|end| end.map_err(str::to_owned)), "{status:?} {until:?}");
        }
    }
}
