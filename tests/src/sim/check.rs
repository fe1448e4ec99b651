//! What must hold between the ledger and the store, after every recovery and at the end.
//!
//! I3, I10, I14 and I19 are judged where time passes and bodies start, I11 in `beat`; I15 is the store's own deep check.

use std::collections::BTreeMap;
use std::time::Duration;

use pushe_tasks::Task as _;
use pushe_tasks::clock::{MonoTime, WallTime};
use pushe_tasks::{AttemptEnd, Reason, WorkState};
use pushe_tasks_store::{Filed, WorkView};

use super::beat::Beat;
use super::job::{Job, TASKS};
use super::ledger::{Answer, Ended, Ledger, Piece, Run};
use super::script::{End, Policy};

/// A clock that is a little behind is not noticed.
const SLEW: Duration = Duration::from_secs(2);

/// So long work that may start may not wait.
const STARVED: Duration = Duration::from_secs(60);

/// What an empty store takes, and how much more than what it keeps: rows stand in pages of which many are half-full, and the
/// file doubles when it grows.
const EMPTY: u64 = 1 << 20;
const FACTOR: u64 = 8;
/// What a piece takes beside its payload.
const PER_PIECE: u64 = 1 << 10;

/// The shortest retention: that of replaced work.
const SHORTEST_RETENTION: Duration = Duration::from_secs(3600);

/// Compares all records with the ledger.
pub fn check(ledger: &mut Ledger, views: &[WorkView]) {
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::new();
    let mut unfinished: BTreeMap<&str, Vec<(u64, usize)>> = BTreeMap::new();
    for view in views.iter().filter(|view| view.lane.task != Beat::NAME) {
        let Ok(spec) = &view.spec else {
            match ledger.by_id.get(&view.record.id).copied() {
                Some(token) if ledger.rotten == Some(token) => drop(seen.insert(token, view.record.state)),
                _ => wrong.push(format!("I1: the payload of {} does not read back", view.record.id)),
            }
            continue;
        };
        let token = Job::token_of(&spec.envelope.payload);
        if ledger.pieces.get(token).is_none() {
            wrong.push(format!("I2: {} is stored, and nobody scheduled it", view.record.id));
            continue;
        }
        if seen.insert(token, view.record.state).is_some() {
            wrong.push(format!("I4: piece {token} is stored twice"));
        }
        if ledger.pieces[token].id.is_none() {
            ledger.name(token, view.record.id);
        } else if ledger.pieces[token].id != Some(view.record.id) {
            wrong.push(format!("I2: piece {token} is stored under another name"));
        }
        judge_record(ledger, token, view, &mut wrong);
        if let Some(task_id) = spec.task_id.as_deref()
            && !view.record.state.is_finished()
            && view.record.state != WorkState::Quarantined
        {
            unfinished.entry(task_id).or_default().push((view.record.sequence, token));
        }
    }
    for (task_id, mut pieces) in unfinished {
        pieces.sort_unstable();
        for (_, token) in &pieces[1..] {
            if ledger.pieces[*token].call.policy != Policy::Append {
                wrong.push(format!("I7: piece {token} lives beside another under `{task_id}`"));
            }
        }
    }
    for token in 0..ledger.pieces.len() {
        match seen.get(&token) {
            Some(state) => ledger.pieces[token].seen = Some(*state),
            None => judge_absence(ledger, token, &mut wrong),
        }
    }
    for what in wrong {
        ledger.violation(what);
    }
    ledger.count("checks");
}

/// What waits: no longer than it was to (I12), and nothing for long that may start (I19).
pub fn waits(ledger: &mut Ledger, views: &[WorkView], now: WallTime, mono: MonoTime) {
    let mut wrong = Vec::new();
    let unfinished = |view: &&WorkView| !view.record.state.is_finished();
    for record in views.iter().filter(unfinished).map(|view| &view.record) {
        let delayed = record.state == WorkState::Enqueued && record.filed != Filed::Ready;
        let waits = delayed && record.period.is_none();
        if waits && !ledger.failing && !record.wait.is_zero() && record.due.since(now) > record.wait + SLEW {
            let (id, wait, due) = (record.id, record.wait, record.due);
            wrong.push(format!(
                "I12: {id} was to wait {wait:?}, and its time is {due}, {:?} from now",
                due.since(now)
            ));
        }
    }
    let idle = startable(ledger, views, now);
    for token in 0..ledger.pieces.len() {
        let piece = &mut ledger.pieces[token];
        if !idle.contains(&token) {
            piece.idle_since = None;
        } else if mono.since(*piece.idle_since.get_or_insert(mono)) > STARVED {
            wrong.push(format!("I19: piece {token} may start, and has not for {STARVED:?}"));
        }
    }
    for what in wrong {
        ledger.violation(what);
    }
}

/// The pieces that nothing keeps from running.
fn startable(ledger: &Ledger, views: &[WorkView], now: WallTime) -> Vec<usize> {
    // Suspects hold others back, and a store that has failed is left alone for a while.
    let suspects =
        views.iter().any(|view| !view.record.state.is_finished() && view.record.interruptions >= 2);
    let bodies = views.iter().filter(|view| view.record.state == WorkState::Running).count();
    if suspects || ledger.failing || bodies.max(ledger.living.len()) >= ledger.max_running {
        return Vec::new();
    }
    let may_start = |view: &&WorkView| {
        view.record.state == WorkState::Enqueued
            && view.record.due <= now
            && view.lane.constraints.is_empty()
            && TASKS[..2].contains(&view.lane.task.as_str())
    };
    let token = |view: &WorkView| Some(Job::token_of(&view.spec.as_ref().ok()?.envelope.payload));
    let alone = |token: &usize| {
        let Some(piece) = ledger.pieces.get(*token) else { return false };
        let (key, task) = (piece.call.key, piece.call.task % 3);
        let of_task = ledger.living.values().filter(|body| body.task % 3 == task).count();
        let under_id = ledger.living.values().any(|body| key.is_some() && body.key == key);
        !(ledger.living.contains_key(token) || under_id || task == 1 && of_task >= 2)
    };
    views.iter().filter(may_start).filter_map(token).filter(alone).collect()
}

/// The file grows with what it has to keep, and not with what was done to it (I16).
pub fn growth(ledger: &mut Ledger, views: &[WorkView], file: u64) {
    let kept = views.iter().map(|view| {
        let payload = view.spec.as_ref().map_or(0, |spec| spec.envelope.payload.len());
        payload as u64 + PER_PIECE
    });
    ledger.most_kept = ledger.most_kept.max(kept.sum());
    if file > EMPTY + FACTOR * ledger.most_kept {
        let most = ledger.most_kept;
        ledger.violation(format!("I16: the file has {file} bytes, and was never to keep more than {most}"));
    }
}

/// A piece that is not in the store.
fn judge_absence(ledger: &mut Ledger, token: usize, wrong: &mut Vec<String>) {
    let latest = ledger.latest;
    let piece = &ledger.pieces[token];
    let must_be =
        !piece.pruned && (piece.answer == Answer::Stored || !piece.runs.is_empty() || piece.seen.is_some());
    if must_be && !may_be_pruned(piece, latest) {
        let (seen, answer) = (piece.seen, piece.answer);
        wrong.push(format!("I1: piece {token} is not in the store (answer {answer:?}, last seen {seen:?})"));
        ledger.count("lost");
    } else if must_be {
        ledger.pieces[token].seen = None;
        ledger.pieces[token].pruned = true;
    }
}

/// Whether it can have ended so long ago that its record is gone.
fn may_be_pruned(piece: &Piece, latest: WallTime) -> bool {
    let over = |run: &Run| {
        let (ended, at, _) = run.ended?;
        matches!(ended, Ended::By(_) | Ended::Stopped | Ended::Dropped).then_some(at)
    };
    // Cancelled work is finished although its body may go on for a while.
    let cancelled = piece.maybe_cancelled.then_some(piece.asked);
    let finished = cancelled.or_else(|| piece.runs.iter().filter_map(over).max());
    finished.is_some_and(|at| latest >= at.plus(SHORTEST_RETENTION))
}

fn judge_record(ledger: &Ledger, token: usize, view: &WorkView, wrong: &mut Vec<String>) {
    let (piece, record) = (&ledger.pieces[token], &view.record);
    let mut say = |what: String| wrong.push(format!("{what} (piece {token}, {})", record.state));
    if view.lane.task != TASKS[usize::from(piece.call.task) % 3] {
        say("I2: it is work of another task".to_owned());
    }
    match piece.answer {
        Answer::Refused => say("I2: its caller was told that nothing was stored".to_owned()),
        Answer::Kept => say("I2: its caller was told that another was kept".to_owned()),
        Answer::Stored | Answer::Unknown | Answer::Doubt => {}
    }
    let last = piece.runs.iter().map(|run| run.claim).max().unwrap_or(0);
    if record.claim < last {
        say(format!("I6: its claim is stored as {}, and a body ran under {last}", record.claim));
    }
    let retries = piece.retries();
    if record.retries as usize > retries {
        say(format!("I6: {} retries are stored, and {retries} attempts ended so", record.retries));
    }
    let retried = |end| matches!(end, AttemptEnd::Retried | AttemptEnd::Panicked | AttemptEnd::TimedOut);
    let in_history = record.history.iter().filter(|past| retried(past.end)).count();
    // The last attempt that `max_attempts` allows ends the work and is not counted again.
    let exhausted =
        usize::from(record.state == WorkState::Failed && record.reason == Some(Reason::Exhausted));
    if record.history.len() < pushe_tasks_store::HISTORY && record.retries as usize + exhausted != in_history
    {
        say(format!("I6: {} retries are stored, and the history has {in_history}", record.retries));
    }
    for past in &record.history {
        let run = piece.runs.iter().find(|run| run.claim == past.claim);
        if let Some((ended, ..)) = run.and_then(|run| run.ended)
            && !agrees(ended, past.end)
        {
            say(format!(
                "I4: the attempt of claim {} ended {ended:?}, and is stored as {:?}",
                past.claim, past.end
            ));
        }
    }
    judge_state(piece, view, &mut say);
}

/// The state is one that its history outside can have led to.
fn judge_state(piece: &Piece, view: &WorkView, say: &mut impl FnMut(String)) {
    let state = view.record.state;
    if piece.cancelled && state != WorkState::Cancelled {
        say("I13: it was cancelled, and its state is another".to_owned());
    }
    if state == WorkState::Cancelled && !piece.maybe_cancelled {
        say("I13: nobody cancelled it".to_owned());
    }
    if let Some(told) = piece.told
        && told != state
    {
        say(format!("I17: somebody was told that it ended as {told}"));
    }
    if let Some(seen) = piece.seen
        && seen.is_finished()
        && seen != state
    {
        say(format!("I4: it was {seen} before"));
    }
    let ended = |ends: &[fn(End) -> bool]| {
        piece.runs.iter().any(|run| match run.ended {
            Some((Ended::By(end), ..)) => ends.iter().any(|is| is(end)),
            _ => false,
        })
    };
    match state {
        WorkState::Succeeded if !ended(&[|end| matches!(end, End::Success | End::Child)]) => {
            say("I17: no body of it succeeded".to_owned());
        }
        WorkState::Failed if piece.retries() == 0 => say("I17: no body of it failed".to_owned()),
        WorkState::Quarantined if view.record.reason != Some(Reason::Interruptions) => {
            say(format!("I1: it is quarantined: {:?}", view.record.reason));
        }
        WorkState::Quarantined if !piece.died_alone => {
            say("S7.3: it is quarantined, and no crash found it running alone".to_owned());
        }
        _ => {}
    }
}

/// Whether an end as the body had it can be stored so.
fn agrees(ended: Ended, stored: AttemptEnd) -> bool {
    use AttemptEnd as Stored;
    let by_others = matches!(stored, Stored::Cancelled | Stored::Interrupted);
    by_others
        || match ended {
            Ended::By(End::Success | End::Child) => stored == Stored::Succeeded,
            // One that ended as it was being stopped was stopped.
            Ended::By(End::Retry | End::RetryAfter(_)) => {
                matches!(stored, Stored::Retried | Stored::TimedOut | Stored::Returned | Stored::Failed)
            }
            Ended::By(End::Panic) => matches!(stored, Stored::Panicked),
            Ended::By(End::Fail) => matches!(stored, Stored::Failed | Stored::TimedOut),
            Ended::By(End::Snooze(_)) => {
                matches!(stored, Stored::Snoozed | Stored::TimedOut | Stored::Returned)
            }
            Ended::By(End::Die) | Ended::Stopped | Ended::Dropped => {
                matches!(stored, Stored::TimedOut | Stored::Returned)
            }
        }
}
