//! Random verbs against a model that is too simple to be wrong: a list of pieces, searched from its start every time.
//!
//! After every step the store must show what the model holds, and the model refuses what breaks an invariant: two bodies
//! of one piece or id (I5), two holders of one id (I7), appended work out of order (I8), an index that lies (I15).

use std::time::Duration;

use crate::conformance::World;
use crate::conformance::random::Random;
use crate::conformance::world::{after, failure, give_back, retry};
use crate::id::{Attempt, WorkId};
use crate::record::Blocked;
use crate::state::WorkState;
use crate::time::WallTime;
use crate::verbs::{Body, Enqueued, How, NewWork, Policy, Settled, Settlement, Start, Target};

const STEPS: usize = 4_000;

/// Ids and the policy that each is scheduled with.
const IDS: [(&str, Policy); 8] = [
    ("k", Policy::Keep),
    ("r", Policy::Replace),
    ("p", Policy::Append),
    ("q", Policy::Append),
    ("s", Policy::AppendAfterSuccess),
    ("t", Policy::AppendAfterSuccess),
    ("u", Policy::Update),
    ("v", Policy::Update),
];

/// One piece as the model knows it, in the order in which they came.
#[derive(Clone, Debug)]
struct Piece {
    id: WorkId,
    task_id: Option<usize>,
    state: WorkState,
    blocked: Option<Blocked>,
    /// The piece whose success it waits for.
    after: Option<WorkId>,
    due: WallTime,
    wait: Duration,
    claim: u64,
    prune_at: WallTime,
    claimed_at: WallTime,
    enqueued_at: WallTime,
    generation: u32,
    /// Whether it was updated during its attempt.
    updated: bool,
    /// Until when its back-off lasts, since its last attempt.
    backs_off: Option<WallTime>,
    expires_at: Option<WallTime>,
    boost_millis: i64,
    interruptions: u32,
    /// A suspect beside which no other body has lived since its claim.
    alone: bool,
}

impl Piece {
    fn has_lapsed(&self, now: WallTime) -> bool {
        let waits = matches!(self.state, WorkState::Enqueued | WorkState::Blocked);
        waits && self.expires_at.is_some_and(|at| at <= now)
    }

    fn order_key(&self) -> i64 {
        self.due.as_millis() - self.boost_millis
    }

    fn is_live(&self) -> bool {
        !self.state.is_finished() && self.state != WorkState::Quarantined
    }
}

#[derive(Debug, Default)]
struct Model {
    pieces: Vec<Piece>,
    /// Attempts whose bodies live, with the id that they hold.
    bodies: Vec<(Attempt, Option<usize>)>,
    /// The suspect whose body lives alone.
    alone: Option<Attempt>,
    /// Whether an earlier process has noted the machine's boot: without that nobody is charged.
    boot_noted: bool,
}

pub(super) fn i5_i7_i8_i15_random_verbs_agree_with_the_model(world: &mut World) {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut model = Model::default();
    for step in 0..STEPS {
        model.step(world, &mut random);
        model.compare(world, step);
        if step % 16 == 0 {
            world.check();
        }
    }
}

impl Model {
    fn step(&mut self, world: &mut World, random: &mut Random) {
        match random.below(100) {
            0..30 => self.enqueue(world, random),
            30..50 => self.claim(world, random),
            50..78 => self.end_body(world, random),
            78..83 => self.cancel(world, random),
            83..92 => world.advance(random.below(2_000)),
            92..95 => self.settle_stale(world, random),
            95..96 => self.prune(world, random),
            96..97 => self.expire(world, random),
            97..98 => world.advance(3_600_000 * random.below(48)),
            _ => self.restart(world),
        }
    }

    fn enqueue(&mut self, world: &mut World, random: &mut Random) {
        let millis = random.below(2) * random.below(1_000);
        let wait = Duration::from_millis(millis);
        let task_id = Some(random.index(11)).filter(|id| *id < IDS.len());
        let task = ["A", "B", "C"][random.index(3)];
        let mut work = NewWork { start: after(millis), ..world.work(task) };
        work.aliases = &["A", "B", "C"];
        work.boost_millis = [0, 0, 600_000, -600_000][random.index(4)];
        let expires = Some(Duration::from_millis(1 + random.below(5_000))).filter(|_| random.below(4) == 0);
        work.options.expires = expires;
        work.unique = task_id.map(|id| (IDS[id].0.to_owned(), IDS[id].1));
        let live = self.live(task_id);
        // Under Replace also from a piece that was set aside and whose id is taken over.
        let replaces = task_id.is_some_and(|id| IDS[id].1 == Policy::Replace);
        let bears = |piece: &&Piece| piece.task_id == task_id && !piece.state.is_finished();
        let before = self.pieces.iter().filter(bears).map(|piece| piece.interruptions);
        let inherited = before.max().filter(|_| replaces).unwrap_or(0);
        let newest = self.pieces.iter().rfind(bears).map(|piece| piece.id);
        let mut waits_for = None;
        let (how, blocked) = match task_id.map(|id| IDS[id].1) {
            Some(Policy::Keep) if !live.is_empty() => {
                assert_eq!(world.enqueue(&work).id, self.pieces[live[0]].id);
                return;
            }
            // What was set aside is kept too: there is no other.
            Some(Policy::Keep) if newest.is_some() => {
                assert_eq!(Some(world.enqueue(&work).id), newest);
                return;
            }
            Some(Policy::Replace) if !live.is_empty() => {
                let old = live.iter().map(|at| self.pieces[*at].id).collect();
                for at in &live {
                    self.finish(*at, WorkState::Cancelled, world.now, 1);
                }
                (Some(How::Replaced(old)), None)
            }
            Some(Policy::Append) if !live.is_empty() => {
                (Some(How::Appended(self.pieces[live[live.len() - 1]].id)), Some(Blocked::Behind))
            }
            Some(Policy::Update) if !live.is_empty() => {
                return self.update(world, &work, live[live.len() - 1]);
            }
            Some(Policy::Update) if newest.is_some() && task_id.is_some() => {
                let kept = world.enqueue(&work);
                assert_eq!((Some(kept.id), matches!(kept.how, How::Kept { .. })), (newest, true));
                return;
            }
            Some(Policy::AppendAfterSuccess) if newest.is_some() && task_id.is_some() => {
                waits_for = newest;
                (newest.map(How::Appended), Some(Blocked::Behind))
            }
            _ => (None, None),
        };
        let blocked = blocked.or_else(|| self.lives(task_id).then_some(Blocked::Body));
        let stored = world.enqueue(&work);
        assert_eq!(stored.id, work.id);
        if let Some(how) = how {
            assert_eq!(stored.how, how);
        }
        self.pieces.push(Piece {
            id: work.id,
            task_id,
            state: if blocked.is_some() { WorkState::Blocked } else { WorkState::Enqueued },
            blocked,
            after: waits_for,
            due: world.now.plus(wait),
            wait,
            claim: 0,
            prune_at: WallTime::MAX,
            claimed_at: WallTime::MIN,
            enqueued_at: world.now,
            generation: 1,
            updated: false,
            backs_off: None,
            expires_at: expires.map(|length| world.now.plus(length)),
            boost_millis: work.boost_millis,
            interruptions: inherited,
            alone: false,
        });
    }

    fn update(&mut self, world: &mut World, work: &NewWork, at: usize) {
        let piece = &mut self.pieces[at];
        piece.generation += 1;
        let how = How::Updated { state: piece.state, generation: piece.generation };
        assert_eq!(world.enqueue(work), Enqueued { id: piece.id, how });
        piece.boost_millis = work.boost_millis;
        if piece.claim == 0 {
            piece.expires_at = work.options.expires.map(|length| piece.enqueued_at.plus(length));
        }
        let Start::After(wait) = work.start else { unreachable!("pieces are delayed by a length") };
        (piece.due, piece.wait) = (piece.enqueued_at.plus(wait), wait);
        match piece.state {
            WorkState::Running => piece.updated = true,
            _ => piece.due = piece.due.max(piece.backs_off.unwrap_or(WallTime::MIN)),
        }
    }

    fn claim(&mut self, world: &mut World, random: &mut Random) {
        let limit = random.index(4);
        let (beside, passes) = (random.below(2) == 0, random.below(2) == 0);
        let lives_alone = self.alone;
        let claimed = world.claim_by(limit, |request| {
            request.beside = lives_alone.filter(|_| beside);
            request.passes_suspects = passes;
        });
        let mut wanted: Vec<usize> = (0..self.pieces.len())
            .filter(|at| self.pieces[*at].state == WorkState::Enqueued && self.pieces[*at].due <= world.now)
            .collect();
        // A stable sort: of pieces with one order key, the one that came first.
        wanted.sort_by_key(|at| self.pieces[*at].order_key());
        let suspect = |at: &usize| self.pieces[*at].interruptions >= 2;
        let lapsed = |at: &usize| self.pieces[*at].has_lapsed(world.now);
        let first = wanted.iter().copied().find(|at| suspect(at)).filter(|at| !lapsed(at));
        wanted.retain(|at| !lapsed(at));
        let turn = first.filter(|_| self.bodies.is_empty() && limit > 0);
        let held = (lives_alone.is_some() && !beside) || (first.is_some() && !passes);
        wanted.retain(|at| if turn.is_some() { turn == Some(*at) } else { !held && !suspect(at) });
        let mut started = Vec::new();
        for at in wanted {
            let piece = &mut self.pieces[at];
            let held = |(body, id): &(Attempt, Option<usize>)| {
                body.work == piece.id || (id.is_some() && *id == piece.task_id)
            };
            if started.len() < limit && !self.bodies.iter().any(held) {
                (piece.state, piece.expires_at) = (WorkState::Running, None);
                piece.claim += 1;
                piece.backs_off = None;
                (piece.claimed_at, piece.alone) = (world.now, turn.is_some());
                let attempt = Attempt { work: piece.id, claim: piece.claim };
                self.bodies.push((attempt, piece.task_id));
                started.push(attempt);
            }
        }
        assert_eq!(claimed, started);
        if turn.is_some() {
            self.alone = started.first().copied();
        } else if let (Some(alone), false) = (lives_alone, started.is_empty()) {
            self.alone = None;
            // Of what was cancelled meanwhile nothing is charged any more, and the mark stays.
            if let Some(at) = self.at(alone.work).filter(|at| self.pieces[*at].state == WorkState::Running) {
                self.pieces[at].alone &= self.pieces[at].claim != alone.claim;
            }
        }
    }

    /// Settles one attempt whose body lives, whether or not it is stale; or ends the body of one that was settled.
    fn end_body(&mut self, world: &mut World, random: &mut Random) {
        if self.bodies.is_empty() {
            return;
        }
        let nth = random.index(self.bodies.len());
        let (attempt, task_id) = self.bodies[nth];
        let at = self.at(attempt.work);
        let current = at.filter(|at| {
            self.pieces[*at].state == WorkState::Running && self.pieces[*at].claim == attempt.claim
        });
        let lives_on = random.below(6) == 0;
        if !lives_on {
            self.bodies.remove(nth);
            self.alone = self.alone.filter(|alone| *alone != attempt);
        }
        let body = if lives_on { Body::Living } else { Body::Ended };
        let Some(at) = current else {
            if lives_on || random.below(2) == 0 {
                assert_eq!(world.settle_as(attempt, failure("late"), body), Settled::Fenced);
            } else {
                world.release(attempt);
            }
            self.unblock(task_id, world.now);
            return;
        };
        let now = world.now;
        let choice = random.below(8);
        let before = self.pieces[at].clone();
        self.pieces[at].updated = false;
        self.pieces[at].alone = false;
        if choice < 6 {
            self.pieces[at].interruptions = 0;
        }
        let settlement = match choice {
            0..3 => {
                self.finish(at, WorkState::Succeeded, now, 24);
                Settlement::Succeeded { output: (random.below(2) == 0).then(|| vec![1].into()) }
            }
            3 => {
                self.finish(at, WorkState::Failed, now, 7 * 24);
                failure("boom")
            }
            4 | 5 => {
                let wait = random.below(2) * random.below(3_000);
                self.wait(at, now, wait);
                retry(wait)
            }
            6 => {
                let piece = &mut self.pieces[at];
                (piece.state, piece.due) = (WorkState::Enqueued, piece.due.min(now));
                give_back()
            }
            _ => {
                self.pieces[at].state = WorkState::Quarantined;
                let error = "damaged".to_owned();
                Settlement::Quarantine { reason: crate::Reason::Payload, error }
            }
        };
        assert_eq!(world.settle_as(attempt, settlement, body), Settled::Applied);
        if before.updated {
            // However it ended, it is Enqueued again, when its options and its back-off say.
            let piece = &mut self.pieces[at];
            (piece.state, piece.prune_at) = (WorkState::Enqueued, WallTime::MAX);
            piece.due = before.due.max(piece.backs_off.unwrap_or(WallTime::MIN));
        }
        self.unblock(task_id, now);
    }

    fn settle_stale(&mut self, world: &mut World, random: &mut Random) {
        if let Some(piece) = self.pick(random) {
            let claim = piece.claim + 1 + random.below(2);
            let stale = Attempt { work: piece.id, claim };
            assert_eq!(world.settle_as(stale, failure("stale"), Body::Ended), Settled::Fenced);
        }
    }

    fn cancel(&mut self, world: &mut World, random: &mut Random) {
        let Some(piece) = self.pick(random) else { return };
        let targets: Vec<usize> = match piece.task_id {
            Some(id) if random.below(2) == 0 => {
                let moves = world.cancel(&Target::TaskId(IDS[id].0.to_owned()));
                let live = self.live(Some(id));
                assert_eq!(moves.len(), live.len());
                live
            }
            _ => {
                let moves = world.cancel_work(piece.id);
                let mut fates = Vec::new();
                let mut next = self.at(piece.id).filter(|at| self.pieces[*at].is_live());
                while let Some(at) = next {
                    fates.push(at);
                    next = self.follower(self.pieces[at].id);
                }
                assert_eq!(moves.len(), fates.len());
                fates
            }
        };
        for at in targets {
            self.finish(at, WorkState::Cancelled, world.now, 24);
        }
        self.unblock(piece.task_id, world.now);
    }

    fn prune(&mut self, world: &mut World, random: &mut Random) {
        let limit = 1 + random.index(20);
        let due = self.pieces.iter().filter(|piece| piece.prune_at <= world.now).count();
        assert_eq!(world.prune(limit), due.min(limit));
        let left: Vec<_> = world.list(&[]).iter().map(|view| view.record.id).collect();
        let now = world.now;
        self.pieces.retain(|piece| piece.prune_at > now || left.contains(&piece.id));
    }

    fn expire(&mut self, world: &mut World, random: &mut Random) {
        let limit = 1 + random.index(3);
        let now = world.now;
        let mut lapsed: Vec<_> =
            (0..self.pieces.len()).filter(|at| self.pieces[*at].has_lapsed(now)).collect();
        lapsed.sort_by_key(|at| self.pieces[*at].expires_at);
        lapsed.truncate(limit);
        let mut expired = 0;
        for at in lapsed {
            // One that waited for the success of another has ended with it.
            if self.pieces[at].is_live() {
                expired += 1;
                self.finish(at, WorkState::Failed, now, 7 * 24);
                self.unblock(self.pieces[at].task_id, now);
            }
        }
        assert_eq!(world.expire(limit), expired);
    }

    fn restart(&mut self, world: &mut World) {
        let rescued = world.restart();
        self.bodies.clear();
        let mut orphans = 0;
        let mut quarantined = 0;
        for piece in self.pieces.iter_mut().filter(|piece| piece.state == WorkState::Running) {
            let age = world.now.since(piece.claimed_at);
            let charged = self.boot_noted && age < Duration::from_secs(600);
            piece.interruptions += u32::from(charged);
            if std::mem::take(&mut piece.updated) {
                piece.state = WorkState::Enqueued;
                orphans += 1;
            } else if charged && piece.alone && piece.interruptions >= 3 {
                piece.state = WorkState::Quarantined;
                quarantined += 1;
            } else {
                (piece.state, piece.due) = (WorkState::Enqueued, piece.due.min(world.now));
                orphans += 1;
            }
            piece.alone = false;
        }
        self.boot_noted = true;
        self.alone = None;
        assert_eq!((rescued.orphans.len(), rescued.quarantined.len()), (orphans, quarantined));
        for task_id in 0..IDS.len() {
            self.unblock(Some(task_id), world.now);
        }
    }

    /// Compares what the store shows, and checks the invariants of ids over it.
    fn compare(&self, world: &mut World, step: usize) {
        let views = world.list(&[]);
        assert_eq!(views.len(), self.pieces.len(), "step {step}");
        for view in views {
            let record = view.record;
            let piece = &self.pieces[self.at(record.id).expect("the model has it")];
            let shown = (record.state, record.blocked, record.claim, record.interruptions, record.alone);
            let wanted = (piece.state, piece.blocked, piece.claim, piece.interruptions, piece.alone);
            assert_eq!((record.generation, record.updated), (piece.generation, piece.updated), "step {step}");
            if piece.is_live() {
                assert_eq!(record.after, piece.after, "step {step}: {record:?}");
            }
            assert_eq!(shown, wanted, "step {step}: {record:?}");
            if piece.state == WorkState::Enqueued {
                assert_eq!(record.due, piece.due, "step {step}: {record:?}");
            }
        }
        for (id, (_, policy)) in IDS.iter().enumerate() {
            let live = self.live(Some(id));
            let queues = matches!(policy, Policy::Append | Policy::AppendAfterSuccess);
            assert!(queues || live.len() <= 1, "I7, step {step}: {live:?}");
            let running = live.iter().position(|at| self.pieces[*at].state == WorkState::Running);
            assert!(running.is_none_or(|place| place == 0), "I8, step {step}: {live:?}");
            let bodies = self.bodies.iter().filter(|(_, held)| *held == Some(id)).count();
            assert!(bodies <= 1, "I5, step {step}");
        }
    }

    fn at(&self, work: WorkId) -> Option<usize> {
        self.pieces.iter().position(|piece| piece.id == work)
    }

    fn pick(&self, random: &mut Random) -> Option<Piece> {
        let length = self.pieces.len();
        (length > 0).then(|| self.pieces[random.index(length)].clone())
    }

    /// The piece that waits for the success of this one.
    fn follower(&self, work: WorkId) -> Option<usize> {
        self.pieces.iter().position(|piece| piece.is_live() && piece.after == Some(work))
    }

    fn lives(&self, task_id: Option<usize>) -> bool {
        task_id.is_some() && self.bodies.iter().any(|(_, held)| *held == task_id)
    }

    fn live(&self, task_id: Option<usize>) -> Vec<usize> {
        let bears = |at: &usize| self.pieces[*at].task_id == task_id && self.pieces[*at].is_live();
        if task_id.is_none() { Vec::new() } else { (0..self.pieces.len()).filter(bears).collect() }
    }

    fn finish(&mut self, at: usize, state: WorkState, now: WallTime, hours: u64) {
        let piece = &mut self.pieces[at];
        (piece.state, piece.blocked, piece.updated) = (state, None, false);
        piece.prune_at = now.plus(Duration::from_secs(3_600 * hours));
        let Some(next) = self.follower(self.pieces[at].id) else { return };
        if state != WorkState::Succeeded {
            self.finish(next, state, now, hours);
        }
        self.pieces[next].after = None;
    }

    fn wait(&mut self, at: usize, now: WallTime, millis: u64) {
        let piece = &mut self.pieces[at];
        (piece.state, piece.due) = (WorkState::Enqueued, now.plus(Duration::from_millis(millis)));
        piece.backs_off = Some(piece.due);
    }

    fn unblock(&mut self, task_id: Option<usize>, now: WallTime) {
        let lives = self.lives(task_id);
        let Some(at) = self.live(task_id).first().copied() else { return };
        let piece = &mut self.pieces[at];
        if piece.state != WorkState::Blocked || piece.after.is_some() {
            return;
        }
        piece.blocked = lives.then_some(Blocked::Body);
        if !lives {
            piece.state = WorkState::Enqueued;
            if !piece.wait.is_zero() {
                piece.due = now.plus(piece.wait);
            }
        }
    }
}
