//! The owner of the store: gathers what waits, applies it in one transaction, makes it durable, then answers.
//!
//! A lone call is not made to wait for company: a group is what has gathered while the last one committed, and what still
//! arrives while this one is applied. What may start is claimed in the same transaction, within the dispatcher's credit.
//!
//! Invariant: nobody is told of anything before the commit that holds it is durable, and a settle that could not be
//! committed is held and tried again, so that the body of an ended attempt does not run twice while the process lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pushe_tasks_store::{
    Changes, Claimed, Look, RescueRequest, Store, StoreError, StoreHealth, VerbError, Verbs, WallTime,
    WorkView,
};
use tracing::field::Empty;

use super::credit::Credit;
use super::findings::tell_findings;
use super::mailbox::Mailbox;
use super::message::{Event, Read, Refusal, Reply, Request, Write};
use super::meter;
use super::verb::{self, Applied, Done};
use crate::clock::Clock;
use crate::scheduler::WorkRef;
use crate::telemetry::{TARGET, field, span};

/// How often one group looks for late arrivals before it commits: enough to catch those whom the last answers woke, few
/// enough that a steady stream cannot hold the commit back.
const LATE_LOOKS: usize = 2;

/// The owner of the store.
pub(crate) struct Writer {
    store: Box<dyn Store>,
    intake: Intake,
    events: Arc<Mailbox<Event>>,
    clock: Arc<dyn Clock>,
    figures: Arc<WriterFigures>,
    /// How many findings of the store are in the log.
    told: u64,
    /// Settles and releases whose commit failed: they go first into the next group.
    held: Vec<Write>,
    /// A commit failed, and the store may have been opened anew since: it is asked what it holds now.
    estranged: bool,
    /// The disk was full, and the store has not said since that it has room.
    short_of_room: bool,
    /// Attempts that were claimed and are not settled: their ends will need room.
    open_attempts: u64,
}

/// Which of what waits goes into a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// All of it, and claims.
    All,
    /// What waits now, and nothing that comes late.
    Ends,
}

/// What the writer counts, for health and for gates without timing.
#[derive(Debug, Default)]
pub(crate) struct WriterFigures {
    /// Transactions made durable.
    pub(crate) commits: AtomicU64,
    /// Verbs that they held.
    pub(crate) verbs: AtomicU64,
    /// Settles that wait for the store to work again.
    pub(crate) held: AtomicU64,
}

/// What a writer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Waits for a request.
    Wait,
    /// There is more to do at once.
    Again,
    /// Nothing more will come.
    End,
}

impl Writer {
    pub(crate) fn new(
        store: Box<dyn Store>,
        requests: Arc<Mailbox<Request>>,
        events: Arc<Mailbox<Event>>,
        clock: Arc<dyn Clock>,
        figures: Arc<WriterFigures>,
    ) -> Self {
        let told = store.facts().noticed;
        Self {
            store,
            told,
            intake: Intake::new(requests),
            events,
            clock,
            figures,
            held: Vec::new(),
            estranged: false,
            short_of_room: false,
            open_attempts: 0,
        }
    }

    /// Steps until it has been told to finish.
    pub(crate) async fn run(mut self) {
        loop {
            match self.step() {
                Next::Again => {}
                Next::Wait => self.intake.requests.arrival().await,
                Next::End => return,
            }
        }
    }

    /// Carries out what waits: at most one write transaction, and then the reads.
    pub(crate) fn step(&mut self) -> Next {
        self.intake.gather();
        // How the store is can be told at once; with a slow disk this is what somebody wants to know.
        let (asks, reads): (Vec<_>, Vec<_>) = std::mem::take(&mut self.intake.reads)
            .into_iter()
            .partition(|read| matches!(read, Read::Facts(_)));
        for ask in asks {
            self.read(ask);
        }
        self.intake.reads = reads;
        if self.intake.wants_commit() {
            self.intake.writes.splice(0..0, self.held.drain(..));
            if self.short_of_room {
                self.commit_ends_first();
            } else {
                let _ = self.commit(Group::All);
            }
        }
        #[cfg(feature = "redb")]
        for job in std::mem::take(&mut self.intake.transactions) {
            self.transact(job);
        }
        for read in std::mem::take(&mut self.intake.reads) {
            self.read(read);
        }
        self.told = tell_findings(self.store.facts(), self.told);
        if self.intake.has_more() {
            Next::Again
        } else if self.intake.finishing {
            Next::End
        } else {
            Next::Wait
        }
    }

    /// Room is short: what ends attempts goes first, without new work that would take the room from it. New work is let in
    /// once there is room again, or once nothing runs whose end could need what is left.
    fn commit_ends_first(&mut self) {
        let waiting = std::mem::take(&mut self.intake.writes);
        let (new, ends): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|write| matches!(write, Write::Enqueue(..)));
        let tried = if ends.is_empty() {
            // Nothing to store: the store is asked whether it works, and whether it has room.
            self.store.write(&mut |_| ()).map(drop)
        } else {
            self.intake.writes = ends;
            self.commit(Group::Ends)
        };
        self.short_of_room &= tried.is_err() || self.store.facts().health != StoreHealth::Healthy;
        match tried {
            Ok(()) if !self.short_of_room || self.open_attempts == 0 => {
                self.intake.writes.splice(0..0, new);
                let _ = self.commit(Group::All);
            }
            tried => {
                for write in new {
                    verb::refuse(write, &StoreError::Full, &self.events);
                }
                // The dispatcher sees to it that it is tried again.
                let _ = self.events.send(Event::StoreTrouble(tried.err().unwrap_or(StoreError::Full)));
            }
        }
    }

    /// Applies what waits in one transaction. Where more work has fallen due than one claim files, the dispatcher sees it in
    /// `Changes` and wakes the writer again.
    fn commit(&mut self, group: Group) -> Result<(), StoreError> {
        let now = self.clock.wall();
        let (mut done, mut claimed) = (Vec::new(), Vec::new());
        let begun = meter::COUNTS.then(|| self.clock.mono());
        let span = tracing::debug_span!(
            target: TARGET,
            parent: None,
            span::COMMIT,
            { field::COMMIT } = Empty,
            { field::VERBS } = Empty,
            { field::CLAIMED } = Empty,
        );
        let within = span.enter();
        let (intake, estranged) = (&mut self.intake, self.estranged);
        #[cfg(pushe_planted)]
        let events = Arc::clone(&self.events);
        let result = self.store.write(&mut |verbs| {
            if estranged {
                rescue_unowned(verbs, now);
            }
            for _ in 0..LATE_LOOKS {
                let writes = std::mem::take(&mut intake.writes);
                let credit = (group == Group::All && !intake.finishing).then_some(&mut intake.credit);
                let (done, claimed) = (&mut done, &mut claimed);
                verb::apply_all(verbs, writes, now, &mut Applied { done, claimed, credit });
                if group == Group::Ends {
                    break;
                }
                intake.gather();
                if intake.writes.is_empty() {
                    break;
                }
            }
            #[cfg(pushe_planted)]
            if pushe_tasks_store::planted::is(pushe_tasks_store::planted::Bug::AckBeforeCommit) {
                done.drain(..).for_each(|done| done.answer(&events));
            }
            if group == Group::All {
                claimed.extend(intake.claim(verbs, now));
            }
            #[cfg(pushe_planted)]
            if pushe_tasks_store::planted::is(pushe_tasks_store::planted::Bug::ClaimAfterRun) {
                let _ = events.send(Event::Committed(Changes::default(), std::mem::take(&mut claimed)));
            }
        });
        span.record(field::VERBS, done.len()).record(field::CLAIMED, claimed.len());
        if let Ok(changes) = &result {
            span.record(field::COMMIT, changes.commit);
        }
        drop(within);
        if let Some(begun) = begun {
            let took = self.clock.mono().since(begun);
            if result.is_ok() { meter::committed(done.len(), took) } else { meter::not_committed(took) }
        }
        match result {
            Ok(changes) => {
                self.publish(done, claimed, changes);
                Ok(())
            }
            Err(error) => {
                self.intake.credit.refund(&claimed);
                self.refuse(done, error.clone());
                Err(error)
            }
        }
    }

    /// Carries out a transaction of the application alone, so that nobody shares its fate; what it has made ready is claimed
    /// in the next group.
    #[cfg(feature = "redb")]
    fn transact(&mut self, mut job: Box<dyn super::transact::Transact>) {
        if self.estranged || self.short_of_room {
            self.intake.writes.splice(0..0, self.held.drain(..));
            if self.short_of_room {
                self.commit_ends_first();
            } else if let Err(error) = self.commit(Group::All) {
                return job.answer(Err(error));
            }
            if self.short_of_room && self.open_attempts > 0 {
                return job.answer(Err(StoreError::Full));
            }
        }
        let now = self.clock.wall();
        match self.store.transact(&mut |verbs, tables| job.run(verbs, tables, now)) {
            Ok(Some(changes)) => {
                self.intake.woken |= !changes.moves.is_empty();
                self.publish(Vec::new(), Vec::new(), changes);
                job.answer(Ok(true));
            }
            Ok(None) => job.answer(Ok(false)),
            Err(StoreError::Unsupported) => job.answer(Err(StoreError::Unsupported)),
            Err(error) => {
                tracing::error!(%error, "a transaction of the application failed");
                self.estranged = true;
                self.short_of_room |= matches!(error, StoreError::Full);
                let _ = self.events.send(Event::StoreTrouble(error.clone()));
                job.answer(Err(error));
            }
        }
    }

    fn publish(&mut self, done: Vec<Done>, claimed: Vec<Claimed>, mut changes: Changes) {
        if std::mem::take(&mut self.estranged) {
            let _ = self.store.read(&mut |look| recount(look, &mut changes));
        }
        self.figures.commits.fetch_add(1, Ordering::Relaxed);
        self.figures.verbs.fetch_add(done.len() as u64, Ordering::Relaxed);
        self.figures.held.store(0, Ordering::Relaxed);
        let settled = done.iter().filter(|done| done.is_settle()).count() as u64;
        self.open_attempts = (self.open_attempts + claimed.len() as u64).saturating_sub(settled);
        // The dispatcher first: a body is nearer to its start than a caller to its next call.
        let _ = self.events.send(Event::Committed(changes, claimed));
        for done in done {
            done.answer(&self.events);
        }
    }

    fn refuse(&mut self, done: Vec<Done>, error: StoreError) {
        tracing::error!(%error, "a commit failed");
        // A store that could not even begin has seen none of them.
        let unseen = std::mem::take(&mut self.intake.writes);
        let refused = done.into_iter().map(Done::into_write).chain(unseen);
        self.held.extend(refused.filter_map(|write| verb::refuse(write, &error, &self.events)));
        self.figures.held.store(self.held.len() as u64, Ordering::Relaxed);
        self.estranged = true;
        self.short_of_room |= matches!(error, StoreError::Full);
        let _ = self.events.send(Event::StoreTrouble(error));
    }

    fn read(&mut self, read: Read) {
        match read {
            Read::Work(id, reply) => self.look(reply, |look| look.get(id)),
            Read::TaskId(id, reply) => self.look(reply, |look| look.newest_with_task_id(&id)),
            Read::Output(id, reply) => self.look(reply, |look| look.output(id)),
            Read::Facts(reply) => {
                // Whether it works, and still stands in its place, shows when it is asked to write.
                let _ = self.store.write(&mut |_| ());
                reply.send(Ok(self.store.facts().clone()));
            }
            Read::Query(query, reply) => self.look(reply, |look| look.query(&query)),
            Read::Paused(reply) => self.look(reply, |look| look.paused()),
            Read::Watch(work, reply) => match self.looked(|look| find(look, &work)) {
                // Whoever asked learns that the engine has ended where the dispatcher takes no more.
                Ok(Some(view)) => drop(self.events.send(Event::Watch(Box::new(view), reply))),
                Ok(None) => reply.send(Ok(None)),
                Err(refusal) => reply.send(Err(refusal)),
            },
            Read::Again(id) => {
                if let Ok(Some(view)) = self.looked(|look| look.get(id)) {
                    let _ = self.events.send(Event::Again(Box::new(view)));
                }
            }
        }
    }

    fn look<T>(&mut self, reply: Reply<T>, body: impl Fn(&dyn Look) -> Result<T, VerbError>) {
        let answer = self.looked(body);
        reply.send(answer);
    }

    fn looked<T>(&mut self, body: impl Fn(&dyn Look) -> Result<T, VerbError>) -> Result<T, Refusal> {
        let mut answer = Err(Refusal::Store(StoreError::Failed("it read nothing".to_owned())));
        match self.store.read(&mut |look| answer = body(look).map_err(Refusal::from)) {
            Ok(()) => answer,
            Err(error) => Err(error.into()),
        }
    }
}

/// A piece by its id, or the newest that bore a task id.
fn find(look: &dyn Look, work: &WorkRef) -> Result<Option<WorkView>, VerbError> {
    match work {
        WorkRef::Work(id) => look.get(*id),
        WorkRef::TaskId(id) => look.newest_with_task_id(id),
    }
}

/// Enqueues again what a commit in doubt may have claimed (S7.1): no body of this process owns it, and nobody is to blame.
fn rescue_unowned(verbs: &mut dyn Verbs, now: WallTime) {
    let mut request = RescueRequest::new(now, None);
    request.charge_within = Duration::ZERO;
    match verbs.rescue(&request) {
        Ok(rescued) if rescued.orphans.is_empty() => {}
        Ok(rescued) => tracing::warn!(orphans = rescued.orphans.len(), "claims in doubt were given back"),
        Err(error) => tracing::error!(%error, "claims in doubt could not be looked for"),
    }
}

/// Tells of every lane, since what was told of them before may no longer be so.
fn recount(look: &dyn Look, changes: &mut Changes) {
    if let Ok(lanes) = look.lanes() {
        changes.paused = look.paused().ok();
        changes.ready = lanes.iter().map(|lane| (lane.id, lane.ready)).collect();
        changes.new_lanes = lanes.into_iter().map(|lane| (lane.id, lane.lane)).collect();
    }
}

/// What has come in and is not carried out yet.
struct Intake {
    requests: Arc<Mailbox<Request>>,
    /// Taken from the mailbox, not yet sorted; empty between calls of `gather`.
    unsorted: Vec<Request>,
    writes: Vec<Write>,
    #[cfg(feature = "redb")]
    transactions: Vec<Box<dyn super::transact::Transact>>,
    reads: Vec<Read>,
    credit: Credit,
    /// Something may be claimed that could not be before.
    woken: bool,
    finishing: bool,
}

impl Intake {
    fn new(requests: Arc<Mailbox<Request>>) -> Self {
        Self {
            requests,
            unsorted: Vec::new(),
            writes: Vec::new(),
            #[cfg(feature = "redb")]
            transactions: Vec::new(),
            reads: Vec::new(),
            credit: Credit::default(),
            woken: false,
            finishing: false,
        }
    }

    /// Sorts what waits in the mailbox.
    fn gather(&mut self) {
        self.requests.take(&mut self.unsorted);
        for request in self.unsorted.drain(..) {
            match request {
                Request::Write(write) => self.writes.push(write),
                #[cfg(feature = "redb")]
                Request::Transact(job) => self.transactions.push(job),
                Request::Read(read) => self.reads.push(read),
                Request::Wake => self.woken = true,
                Request::Finish => {
                    // What is held is tried once more.
                    self.finishing = true;
                    self.woken = true;
                }
                Request::Credit(update) => {
                    self.credit.update(update);
                    self.woken = true;
                }
            }
        }
    }

    /// Whether something has come in since, or a transaction has made work ready.
    fn has_more(&self) -> bool {
        #[cfg(feature = "redb")]
        if !self.transactions.is_empty() {
            return true;
        }
        self.woken || !self.writes.is_empty()
    }

    fn wants_commit(&mut self) -> bool {
        std::mem::take(&mut self.woken) || !self.writes.is_empty()
    }

    /// Claims what the credit allows; a verb error here has already condemned the transaction.
    fn claim(&mut self, verbs: &mut dyn Verbs, now: WallTime) -> Vec<Claimed> {
        if self.finishing {
            return Vec::new();
        }
        let claimed = verbs.claim(self.credit.request(now)).unwrap_or_default();
        self.credit.spend(&claimed);
        claimed
    }
}
