//! The scripts: short, and between them all that a store can be asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks_store::redb::RedbStore;
use pushe_tasks_store::redb::redb::TableDefinition;
use pushe_tasks_store::{
    Attempt, AttemptEnd, Body, ClaimRequest, Envelope, Grant, Lane, MemoryStore, NewWork, NextSlot,
    PauseScope, PeriodEnd, Policy, Reason, RescueRequest, Rhythm, Settle, Settlement, Start, Store as _,
    StoreError, StoredOptions, StoredPeriod, Target, Verbs, Verdict, WallTime, WorkId,
};

use super::{NOW, Told, told};

/// The application's own table.
pub(super) const ORDERS: TableDefinition<'_, u64, &str> = TableDefinition::new("orders");

/// One script.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What is there before the first blow can fall; nothing, and the store is not there either.
    pub(super) before: Vec<Step>,
    pub(super) steps: Vec<Step>,
}

/// One transaction, or one end of a process.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Enqueue(Vec<NewWork>),
    /// Starts at most so many, at this time after the beginning.
    Claim(usize, Duration),
    EnqueueAndClaim(Vec<NewWork>),
    Settle(Vec<Settle>),
    Release(Attempt),
    Cancel(Target),
    Progress(Attempt),
    Pause(PauseScope),
    Resume(PauseScope),
    Override(WorkId),
    Requeue(WorkId),
    Discard(WorkId),
    Clamp,
    Rescue,
    Stop,
    Prune,
    /// Several in one transaction.
    Group(Vec<Step>),
    /// A transaction of the application, with work beside its own row.
    Order(u64, Box<NewWork>, Verdict),
    Reopen,
}

impl Step {
    /// Carries it out on a store on a disk.
    pub(super) fn apply(&self, store: &mut RedbStore) -> Told {
        let Self::Order(order, work, verdict) = self else {
            return told(&store.write(&mut |tx| self.verbs(tx)));
        };
        let answer = store.transact(&mut |tx, tables| {
            let row = tables.open_table(ORDERS).ok().map(|mut table| table.insert(order, "chairs").is_ok());
            let stored = tx.enqueue(std::slice::from_ref(&**work), NOW).is_ok();
            if row == Some(true) && stored { *verdict } else { Verdict::Abort }
        });
        match (&answer, verdict) {
            // It gave up by itself, since its table failed it.
            (Ok(None), Verdict::Commit) => Told::Skipped,
            _ => told(&answer),
        }
    }

    /// Carries it out in the model.
    pub(super) fn model(
        &self,
        store: &mut MemoryStore,
        orders: &mut BTreeMap<u64, String>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Order(_, _, Verdict::Abort) => Ok(()),
            Self::Order(order, work, Verdict::Commit) => {
                orders.insert(*order, "chairs".to_owned());
                store.write(&mut |tx| drop(tx.enqueue(std::slice::from_ref(&**work), NOW))).map(drop)
            }
            _ => store.write(&mut |tx| self.verbs(tx)).map(drop),
        }
    }

    /// What a verb answers is the model's answer too, or the contents differ.
    fn verbs(&self, tx: &mut dyn Verbs) {
        match self {
            Self::Enqueue(works) => drop(tx.enqueue(works, NOW)),
            Self::Claim(limit, after) => drop(tx.claim(&request(tx, *limit, *after))),
            Self::EnqueueAndClaim(works) => {
                let calls: Vec<_> = works.iter().map(std::slice::from_ref).collect();
                drop(tx.enqueue_and_claim(&calls, &request(tx, 9, Duration::ZERO)));
            }
            Self::Settle(settles) => drop(tx.settle(settles)),
            Self::Release(attempt) => drop(tx.release(&[*attempt], NOW)),
            Self::Cancel(target) => drop(tx.cancel(target, NOW)),
            Self::Progress(attempt) => drop(tx.progress(&[(*attempt, vec![7; 50])])),
            Self::Pause(scope) => drop(tx.pause(scope, NOW)),
            Self::Resume(scope) => drop(tx.resume(scope)),
            Self::Override(work) => {
                drop(tx.override_next(&Target::Work(*work), Some(NOW.plus(HOUR)), NOW));
            }
            Self::Requeue(work) => drop(tx.requeue(*work, NOW)),
            Self::Discard(work) => drop(tx.discard(*work, NOW)),
            Self::Clamp => drop(tx.clamp(WallTime::from_millis(1_000))),
            Self::Rescue => drop(tx.rescue(&RescueRequest::new(NOW, Some([5; 16])))),
            Self::Stop => drop(tx.record_stop()),
            Self::Prune => drop(tx.prune(NOW.plus(HOUR * 24 * 30), 100)),
            Self::Group(steps) => steps.iter().for_each(|step| step.verbs(tx)),
            Self::Order(..) | Self::Reopen => {}
        }
    }
}

fn order(order: u64, work: NewWork, verdict: Verdict) -> Step {
    Step::Order(order, Box::new(work), verdict)
}

const HOUR: Duration = Duration::from_secs(3600);

fn request(tx: &dyn Verbs, limit: usize, after: Duration) -> ClaimRequest {
    let lanes = tx.lanes().unwrap_or_default().into_iter().map(|lane| lane.id).collect();
    let grants = vec![Grant { permits: limit, lanes }];
    ClaimRequest { now: NOW.plus(after), limit, grants, ..ClaimRequest::default() }
}

fn id(n: u64) -> WorkId {
    WorkId::from_parts(n, [0; 10])
}

fn attempt(n: u64, claim: u64) -> Attempt {
    Attempt { work: id(n), claim }
}

fn work(n: u64) -> NewWork {
    let payload = std::iter::repeat_n(n.to_le_bytes()[0], 200).collect();
    NewWork {
        id: id(n),
        lane: Arc::new(Lane::of(if n.is_multiple_of(2) { "Upload" } else { "Report" })),
        aliases: &[],
        unique: None,
        start: Start::After(Duration::ZERO),
        boost_millis: 0,
        options: StoredOptions::default(),
        envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload },
    }
}

fn unique(n: u64, policy: Policy) -> NewWork {
    NewWork { unique: Some(("album".to_owned(), policy)), lane: Arc::new(Lane::of("Upload")), ..work(n) }
}

fn delayed(n: u64) -> NewWork {
    NewWork { start: Start::After(HOUR), ..work(n) }
}

fn periodic(n: u64) -> NewWork {
    let mut work = work(n);
    work.options.period = Some(StoredPeriod::new(Rhythm::Every(HOUR)));
    work
}

fn works(numbers: std::ops::Range<u64>) -> Step {
    Step::Enqueue(numbers.map(work).collect())
}

fn claim(limit: usize) -> Step {
    Step::Claim(limit, Duration::ZERO)
}

fn settle(n: u64, claim: u64, settlement: Settlement) -> Settle {
    Settle { attempt: attempt(n, claim), at: NOW, settlement, body: Body::Ended }
}

fn succeeded() -> Settlement {
    Settlement::Succeeded { output: Some(vec![3; 70].into()) }
}

fn failed() -> Settlement {
    Settlement::Failed { end: AttemptEnd::Failed, reason: Reason::Fail, error: "no album".to_owned() }
}

fn retry() -> Settlement {
    Settlement::Retry { end: AttemptEnd::Retried, error: "not now".to_owned(), after: HOUR }
}

fn one(settle: Settle) -> Step {
    Step::Settle(vec![settle])
}

/// All of them.
#[expect(clippy::too_many_lines, reason = "a list, which reads best in one piece")]
pub(super) fn scenarios() -> Vec<Scenario> {
    let of = |name, before, steps| Scenario { name, before, steps };
    let crash = || vec![Step::Reopen, Step::Rescue, claim(1)];
    vec![
        of("a store is created", vec![], vec![]),
        of("the first work of a new store", vec![], vec![Step::Rescue, works(0..1), claim(1)]),
        of("one piece", vec![works(0..3)], vec![works(3..4)]),
        of("a batch", vec![works(0..3)], vec![works(3..53)]),
        of("a large payload", vec![works(0..3)], vec![Step::Enqueue(vec![large(3)]), works(4..5)]),
        of("a claim", vec![works(0..6)], vec![claim(4)]),
        of(
            "success, with an output",
            vec![works(0..4), claim(2)],
            vec![one(settle(0, 1, succeeded())), works(4..5)],
        ),
        of(
            "retry, once more, and fail",
            vec![works(0..2), claim(1)],
            vec![one(settle(0, 1, retry())), Step::Claim(9, HOUR * 2), one(settle(0, 2, failed()))],
        ),
        of(
            "snooze, return, and a stale end",
            vec![works(0..4), claim(4)],
            vec![
                one(settle(0, 1, Settlement::Snooze { after: HOUR })),
                one(settle(1, 1, Settlement::Return { reason: Reason::ConstraintLost })),
                one(settle(2, 9, succeeded())),
            ],
        ),
        of(
            "quarantine, requeue and discard",
            vec![works(0..3), claim(3)],
            vec![
                Step::Settle(vec![quarantine(0), quarantine(1), settle(2, 1, failed())]),
                Step::Requeue(id(0)),
                Step::Discard(id(1)),
                Step::Requeue(id(2)),
            ],
        ),
        of(
            "cancel, waiting and running",
            vec![works(0..4), claim(2)],
            vec![
                Step::Cancel(Target::Work(id(0))),
                Step::Cancel(Target::Work(id(3))),
                one(settle(0, 1, succeeded())),
            ],
        ),
        of(
            "replace, waiting and running",
            vec![Step::Enqueue(vec![unique(0, Policy::Keep)])],
            vec![
                Step::Enqueue(vec![unique(1, Policy::Replace)]),
                claim(1),
                Step::Enqueue(vec![unique(2, Policy::Replace)]),
                one(settle(1, 1, succeeded())),
                claim(1),
            ],
        ),
        of(
            "an append queue",
            vec![Step::Enqueue(vec![unique(0, Policy::Append)])],
            vec![
                Step::Enqueue(vec![unique(1, Policy::Append), unique(2, Policy::Append)]),
                claim(9),
                one(settle(0, 1, succeeded())),
                claim(9),
                Step::Cancel(Target::TaskId("album".to_owned())),
            ],
        ),
        of(
            "keep, and a call in doubt repeated",
            vec![Step::Enqueue(vec![unique(0, Policy::Keep)])],
            vec![Step::Enqueue(vec![unique(1, Policy::Keep)]), works(2..3), works(2..3)],
        ),
        of(
            "periodic work",
            vec![works(0..1), Step::Enqueue(vec![periodic(1)])],
            vec![claim(9), one(settle(1, 1, period(1))), Step::Override(id(1)), Step::Claim(9, HOUR * 2)],
        ),
        of(
            "orphans at the next start",
            vec![works(0..5), claim(3)],
            vec![Step::Reopen, Step::Rescue, claim(2), one(settle(0, 2, succeeded()))],
        ),
        of(
            "a suspect, alone and set aside",
            vec![works(0..2), Step::Rescue, claim(1)],
            [crash(), crash(), crash(), vec![Step::Reopen, Step::Rescue]].concat(),
        ),
        of(
            "pruning",
            vec![
                works(0..8),
                claim(6),
                Step::Settle((0..3).map(|n| settle(n * 2, 1, succeeded())).collect()),
            ],
            vec![Step::Prune, works(8..9)],
        ),
        of(
            "transactions of the application",
            vec![works(0..2), order(1, work(2), Verdict::Commit)],
            vec![
                order(2, work(3), Verdict::Commit),
                order(3, work(4), Verdict::Abort),
                order(4, unique(5, Policy::Keep), Verdict::Commit),
            ],
        ),
        of(
            "enqueue and claim in one",
            vec![works(0..2)],
            vec![Step::EnqueueAndClaim(vec![
                work(2),
                delayed(3),
                unique(4, Policy::Append),
                unique(6, Policy::Append),
            ])],
        ),
        of(
            "pause and resume",
            vec![works(0..4)],
            vec![
                Step::Pause(PauseScope::Tasks(vec!["Upload".to_owned()])),
                claim(9),
                Step::Pause(PauseScope::All),
                Step::Resume(PauseScope::Tasks(vec!["Upload".to_owned()])),
                Step::Resume(PauseScope::All),
                claim(9),
            ],
        ),
        of(
            "a group in which one verb is refused",
            vec![works(0..3), Step::Enqueue(vec![unique(4, Policy::Keep)])],
            vec![Step::Group(vec![
                works(5..7),
                Step::Enqueue(vec![held()]),
                claim(2),
                Step::Progress(attempt(0, 1)),
            ])],
        ),
        of(
            "progress, a stop, and a clock that was set back",
            vec![works(0..2), Step::Enqueue(vec![delayed(3)]), claim(1)],
            vec![Step::Progress(attempt(0, 1)), Step::Clamp, Step::Stop, Step::Reopen, Step::Rescue],
        ),
        of(
            "work falls due, and a body outlives its attempt",
            vec![Step::Enqueue(vec![
                delayed(0),
                delayed(2),
                unique(4, Policy::Append),
                unique(6, Policy::Append),
            ])],
            vec![
                Step::Claim(9, HOUR * 2),
                Step::Settle(vec![Settle { body: Body::Living, ..settle(4, 1, failed()) }]),
                Step::Release(attempt(4, 1)),
                claim(9),
            ],
        ),
    ]
}

fn large(n: u64) -> NewWork {
    let mut work = work(n);
    work.envelope.payload = vec![5; 300_000];
    work
}

/// Work of another task under an id that is taken: it is refused.
fn held() -> NewWork {
    NewWork { lane: Arc::new(Lane::of("Other")), ..unique(9, Policy::Keep) }
}

fn quarantine(n: u64) -> Settle {
    settle(n, 1, Settlement::Quarantine { reason: Reason::Payload, error: "not readable".to_owned() })
}

fn period(number: u64) -> Settlement {
    let at = NOW.plus(HOUR);
    Settlement::Period {
        end: AttemptEnd::Succeeded,
        error: String::new(),
        how: PeriodEnd::Done,
        next: NextSlot { number, at, early: at, wait: HOUR },
    }
}
