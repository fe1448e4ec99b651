//! Periodic work in the simulator, and what must hold of its slots (I11).
//!
//! Invariant: each key has one period for ever, so that what is kept under it is the same work.

use std::collections::BTreeMap;
use std::time::Duration;

use pushe_tasks::clock::{Clock as _, WallTime};
use pushe_tasks::{
    ExistingWorkPolicy, FromTaskContext as _, Outcome, PeriodOptions, Schedule, ScheduleError, State, Task,
    TaskContext, TaskError, TaskOptions, WorkState,
};
use pushe_tasks_store::{Filed, WorkView};

use super::calls::Callers;
use super::job::World;
use super::ledger::Ledger;

/// The periods, by the key of the work.
const EVERY: [u64; 3] = [3_600, 6 * 3_600, 86_400];

/// How long a run takes.
const TAKES: Duration = Duration::from_millis(700);

/// The period of the work with this key.
pub fn every(key: u8) -> Duration {
    Duration::from_secs(EVERY[usize::from(key) % EVERY.len()])
}

/// What is known of the periodic work of one key.
#[derive(Clone, Debug, Default)]
pub struct Beats {
    /// Whether somebody was told that it is stored.
    pub acknowledged: bool,
    /// The last run: number and time of its slot, the process it ran in, and whether it came to its end.
    last: Option<(u64, WallTime, usize, bool)>,
    /// Whether the clock was set back since that run: its grid may have moved.
    moved: bool,
}

/// Runs once a period.
#[derive(Debug)]
pub struct Beat;

impl Task for Beat {
    const NAME: &'static str = "Beat";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = u8;
    type Output = ();

    async fn perform(key: u8, context: TaskContext) -> Result<Outcome, TaskError> {
        let State(world) = State::<World>::from_task_context(&context)?;
        if !begin(&world, key, &context) {
            return Ok(Outcome::SUCCESS);
        }
        world.clock.sleep(TAKES).await;
        let mut ledger = world.ledger.open();
        if !ledger.dead
            && context.stop_reason().is_none()
            && let Some((.., ended)) = ledger.beats.entry(key).or_default().last.as_mut()
        {
            *ended = true;
        }
        Ok(Outcome::SUCCESS)
    }
}

/// Judges the start of a run; answers whether the process still lives.
fn begin(world: &World, key: u8, context: &TaskContext) -> bool {
    let wall = world.clock.wall();
    let mut ledger = world.ledger.open();
    if ledger.dead {
        return false;
    }
    let Some(slot) = context.slot() else {
        ledger.violation(format!("I11: a run of beat {key} has no slot"));
        return true;
    };
    let (life, lives) = (ledger.life(), ledger.lives.clone());
    let (number, at) = (slot.number, WallTime::from(slot.at));
    let beats = ledger.beats.entry(key).or_default();
    let (last, moved) = (beats.last, std::mem::take(&mut beats.moved));
    beats.last = Some((number, at, life, false));
    // A slot that lies ahead of the clock moves the grid when its run has ended.
    beats.moved = wall < at;
    let mut wrong = Vec::new();
    // What was ready when the clock was set back is not put off.
    if wall < at && !moved {
        wrong.push(format!("it begins at {wall}, before its slot"));
    }
    match last {
        Some((before, ..)) if number < before => wrong.push(format!("it comes after slot {before}")),
        // A run that was cut off is made again.
        Some((before, _, ran_in, ended)) if number == before && ended && !lives[ran_in].dirty => {
            wrong.push("its slot had its run".to_owned());
        }
        Some((before, then, ..)) if number > before && !moved => {
            let slots = u32::try_from(number - before).unwrap_or(u32::MAX);
            if at != then.plus(every(key).saturating_mul(slots)) {
                wrong.push(format!("slot {before} was at {then}: it is not on that grid"));
            }
        }
        None | Some(_) => {}
    }
    ledger.note(format!("beat {key} began: slot {number} at {at}, {} missed", context.missed_slots()));
    ledger.count("beats");
    if context.missed_slots() > 0 {
        ledger.count("beats after misses");
    }
    for what in wrong {
        ledger.violation(format!("I11: {what} (beat {key}, slot {number} at {at})"));
    }
    true
}

impl Callers {
    /// Begins to schedule the periodic work of a key.
    pub fn beat(&self, key: u8) {
        let callers = self.clone();
        self.world.ledger.open().beats.entry(key).or_default();
        tokio::spawn(async move {
            let schedule = Schedule::<Beat>::new(key).id(text(key)).policy(ExistingWorkPolicy::Keep);
            let answer = schedule.period(PeriodOptions::every(every(key))).on(&callers.scheduler).await;
            let mut ledger = callers.world.ledger.open();
            if ledger.dead {
                return;
            }
            ledger.note(format!("beat {key}: {:?}", answer.as_ref().map(|receipt| receipt.kind().clone())));
            match answer {
                Ok(_) => ledger.beats.entry(key).or_default().acknowledged = true,
                Err(
                    ScheduleError::Store(_)
                    | ScheduleError::StoreFull
                    | ScheduleError::ShuttingDown
                    | ScheduleError::Indeterminate { .. },
                ) => {}
                Err(other) => ledger.violation(format!("beat {key} was refused: {other}")),
            }
        });
    }
}

fn text(key: u8) -> String {
    format!("beat/{key}")
}

/// The wall clock was set: grids may have moved where it was set back.
pub fn clock_set(ledger: &mut Ledger) {
    ledger.beats.values_mut().for_each(|beats| beats.moved = true);
}

/// Compares the periodic work that is stored with the ledger.
pub fn check(ledger: &mut Ledger, views: &[WorkView], now: WallTime) {
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for view in views.iter().filter(|view| view.lane.task == Beat::NAME) {
        let record = &view.record;
        let Ok(spec) = &view.spec else {
            wrong.push(format!("I1: the payload of beat {} does not read back", record.id));
            continue;
        };
        // What is set aside holds its id no more: another may stand beside it.
        let counts = usize::from(record.state != WorkState::Quarantined);
        *stored.entry(spec.task_id.clone().unwrap_or_default()).or_default() += counts;
        if record.state.is_finished() {
            wrong.push(format!("I11: a beat is {}, and nobody ended it", record.state));
        }
        // A grid stays while it is off by less than a period.
        let longest = 2 * every(spec.envelope.payload.first().copied().unwrap_or_default());
        let waits = record.state == WorkState::Enqueued && record.filed != Filed::Ready;
        if waits && !ledger.failing && record.due.since(now) > longest + Duration::from_secs(2) {
            wrong.push(format!("I12: a beat waits for {}, and now is {now}", record.due));
        }
    }
    for (key, beats) in &ledger.beats {
        match stored.get(&text(*key)) {
            Some(0 | 1) => {}
            None if !beats.acknowledged => {}
            None => wrong.push(format!("I1: beat {key} is not in the store")),
            Some(count) => wrong.push(format!("I7: beat {key} is stored {count} times")),
        }
    }
    for what in wrong {
        ledger.violation(what);
    }
}

/// Which beats have had no run for longer than their period, though all is well.
pub fn silent(ledger: &Ledger, views: &[WorkView], now: WallTime) -> Vec<u8> {
    let beats =
        |view: &&WorkView| view.lane.task == Beat::NAME && view.record.state != WorkState::Quarantined;
    let stored: Vec<_> =
        views.iter().filter(beats).filter_map(|view| view.spec.as_ref().ok()?.task_id.clone()).collect();
    let late = |key: &u8, beats: &Beats| {
        let since = beats.last.map(|(_, at, ..)| now.since(at));
        stored.contains(&text(*key))
            && since.is_none_or(|since| since > every(*key) + Duration::from_secs(120))
    };
    ledger.beats.iter().filter(|(key, beats)| late(key, beats)).map(|(key, _)| *key).collect()
}
