//! The builder that `AwesomeTask::schedule(..)` returns.
//!
//! Invariant: nothing is stored before it is awaited, and everything that can be judged is judged before it is stored.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pushe_tasks_store::{
    Lane, NewWork, Policy, Start, StoredConstraint, StoredOptions, StoredPeriod, WallTime, WorkId,
};
use pushe_tasks_syntax::{duration, rules};
use tracing::Instrument as _;

use crate::codec;
use crate::constraint::{NetworkConstraint, Requirement};
use crate::engine::message::{Request, Write};
use crate::engine::period::first as first_run;
use crate::error::ScheduleError;
use crate::options::{Backoff, ExistingWorkPolicy, NetworkType, OnLost, Priority, RetryOptions, TaskOptions};
use crate::park::block_on;
use crate::period::PeriodOptions;
use crate::receipt::Receipt;
use crate::scheduler::TaskScheduler;
use crate::task::Task;
use crate::telemetry::{TARGET, field, span};

/// The most pieces that one call may bring, and the most bytes of their inputs (S4.12).
pub(crate) const MOST_PIECES: usize = 10_000;
pub(crate) const MOST_BYTES: usize = 64 << 20;

/// One piece of work that is about to be scheduled: `.await` stores it, methods override options for this one call.
///
/// # Errors
/// [`ScheduleError`] says what was wrong and what to do; unless it is `Indeterminate`, nothing was stored.
///
/// # Cancel safety
/// Dropping the future before it completes leaves either the whole work or nothing stored; while it waits for room in the
/// queue, nothing.
#[must_use = "nothing is scheduled before this is awaited"]
pub struct Schedule<T: Task> {
    input: T::Input,
    options: TaskOptions<T>,
    id: Option<String>,
    policy: Option<ExistingWorkPolicy>,
    network: Option<NetworkType>,
    /// Whether the constraints that the task requires are left out.
    unbound: bool,
    requirements: Vec<Requirement>,
    on_lost: Option<OnLost>,
    retry: Option<RetryOptions>,
    timeout: Option<Wait>,
    start: Option<When>,
    priority: Option<Priority>,
    expires: Option<Wait>,
    period: Option<PeriodOptions>,
    tags: Vec<String>,
    work_id: Option<WorkId>,
    scheduler: Option<TaskScheduler>,
}

/// A length of time as a program writes it: a [`Duration`], or text such as `"5m"` or `"1h 30m"`.
#[derive(Clone, Debug)]
pub struct Wait(Result<Duration, (String, String)>);

impl From<Duration> for Wait {
    fn from(length: Duration) -> Self {
        Self(Ok(length))
    }
}

impl From<&str> for Wait {
    fn from(text: &str) -> Self {
        Self(duration::parse(text).map_err(|problem| (text.to_owned(), problem.to_string())))
    }
}

impl Wait {
    pub(crate) fn length(self) -> Result<Duration, ScheduleError> {
        self.0.map_err(|(text, problem)| ScheduleError::Duration { text, problem })
    }
}

enum When {
    After(Wait),
    At(SystemTime),
}

impl<T: Task> Schedule<T> {
    /// Work of the task `T` with this input, under the task's own options.
    pub fn new(input: T::Input) -> Self {
        Self::with_options(T::OPTIONS, input)
    }

    /// Work of the task `T` with this input, under these options.
    pub fn with_options(options: TaskOptions<T>, input: T::Input) -> Self {
        Self {
            input,
            options,
            id: None,
            policy: None,
            network: None,
            unbound: false,
            requirements: Vec::new(),
            on_lost: None,
            retry: None,
            timeout: None,
            start: None,
            priority: None,
            expires: None,
            period: None,
            tags: Vec::new(),
            work_id: None,
            scheduler: None,
        }
    }

    /// Gives this piece a unique id: 1 to 512 bytes.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What to do when unfinished work bears the id.
    pub fn policy(mut self, policy: ExistingWorkPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The network that the piece needs.
    pub fn network(mut self, network: NetworkType) -> Self {
        self.network = Some(network);
        self
    }

    /// Needs this constraint too, beside those of the task; call it once for each.
    ///
    /// The scheduler that runs the task has to know its kind: from the attribute of some task, or by
    /// `register_constraint` of its builder.
    pub fn requires(mut self, constraint: impl Into<Requirement>) -> Self {
        self.requirements.push(constraint.into());
        self
    }

    /// Leaves out the constraints that the task requires, and those of earlier calls of [`requires`](Self::requires); the
    /// network is another option.
    pub fn requires_nothing(mut self) -> Self {
        self.unbound = true;
        self.requirements.clear();
        self
    }

    /// What is done to a running attempt when a constraint is lost.
    pub fn on_lost(mut self, on_lost: OnLost) -> Self {
        self.on_lost = Some(on_lost);
        self
    }

    /// How it is retried.
    pub fn retry(mut self, retry: RetryOptions) -> Self {
        self.retry = Some(retry);
        self
    }

    /// How long an attempt may take before it is told to stop; after the scheduler's `stop_grace` it is dropped.
    pub fn timeout(mut self, timeout: impl Into<Wait>) -> Self {
        self.timeout = Some(timeout.into());
        self
    }

    /// Starts it this long from now at the earliest. The last of `delay` and [`at`](Self::at) counts.
    pub fn delay(mut self, delay: impl Into<Wait>) -> Self {
        self.start = Some(When::After(delay.into()));
        self
    }

    /// Starts it at this moment of the wall clock at the earliest.
    pub fn at(mut self, moment: SystemTime) -> Self {
        self.start = Some(When::At(moment));
        self
    }

    /// Lets it jump the queue of what may start so far; the last of `priority` and [`expedited`](Self::expedited) counts.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Lets it pass what was due up to an hour earlier, as [`Priority::Expedited`].
    pub fn expedited(self) -> Self {
        self.priority(Priority::Expedited)
    }

    /// How long from now it is not started any more; of periodic work, how long after each slot.
    pub fn expires(mut self, expires: impl Into<Wait>) -> Self {
        self.expires = Some(expires.into());
        self
    }

    /// Runs it again and again. Without an id such work bears the name of its task, and its policy is `Keep`.
    pub fn period(mut self, period: PeriodOptions) -> Self {
        self.period = Some(period);
        self
    }

    /// Gives this piece a tag, beside those of the task: 1 to 128 bytes, and 32 tags in all. Call it once for each.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Stores it under this work id, which makes a repetition after [`ScheduleError::Indeterminate`] safe: work that is
    /// stored under it already is not stored again.
    pub fn with_work_id(mut self, id: WorkId) -> Self {
        self.work_id = Some(id);
        self
    }

    /// Schedules it on this scheduler instead of the one whose body is running, or the process default.
    pub fn on(mut self, scheduler: &TaskScheduler) -> Self {
        self.scheduler = Some(scheduler.clone());
        self
    }

    /// What the work is given.
    pub const fn input(&self) -> &T::Input {
        &self.input
    }

    /// Schedules it from a thread that may block, inside of a runtime or not.
    ///
    /// # Errors
    /// As `.await`.
    pub fn blocking(self) -> Result<Receipt<T>, ScheduleError> {
        block_on(self.into_future())
    }

    #[cfg(feature = "redb")]
    pub(crate) fn take_scheduler(&mut self) -> Option<TaskScheduler> {
        self.scheduler.take()
    }

    /// Judges everything and makes the piece that is stored.
    pub(crate) fn prepare(self, scheduler: &TaskScheduler) -> Result<NewWork, ScheduleError> {
        let shared = scheduler.shared();
        self.options.check()?;
        let period = self.period.or_else(|| self.options.period_options());
        let task_id = match self.id {
            Some(id) => Some(id),
            None => self.options.task_id(&self.input).map(std::borrow::Cow::into_owned),
        };
        let task_id = task_id.or_else(|| period.map(|_| T::NAME.to_owned()));
        if let Some(id) = &task_id {
            rules::id(id)?;
        }
        rules::policy(self.policy.is_some(), task_id.is_some())?;
        let options = self.period.map_or(self.options, |period| self.options.period(period));
        let policy = self.policy.unwrap_or_else(|| options.existing_work_policy());
        rules::periodic_policy(policy.appends(), period.is_some())?;
        let period = period.map(|period| period.check().map(|()| period.stored())).transpose()?;
        let retry = self.retry.unwrap_or_else(|| self.options.retry_options());
        retry.check()?;
        let timeout = self.timeout.map(Wait::length).transpose()?.or_else(|| self.options.time_limit());
        if let Some(timeout) = timeout {
            rules::not_zero("timeout", timeout)?;
            rules::not_too_long(timeout)?;
        }
        let start = match self.start {
            None => Start::After(self.options.initial_delay()),
            Some(When::After(delay)) => Start::After(delay.length()?),
            Some(When::At(moment)) => Start::At(WallTime::from(moment)),
        };
        let now = shared.clock.wall();
        let delay = match start {
            Start::After(delay) => delay,
            Start::At(moment) => moment.since(now),
            _ => Duration::ZERO,
        };
        rules::not_too_long(delay)?;
        let expires = self.expires.map(Wait::length).transpose()?.or_else(|| self.options.expiry());
        if let Some(expires) = expires {
            rules::not_zero("expires", expires)?;
            rules::not_too_long(expires)?;
        }
        rules::expires(expires, delay, period.is_some())?;
        let priority = self.priority.unwrap_or_else(|| self.options.urgency());
        priority.check()?;
        let start = match &period {
            Some(period) => {
                first_run(period, start, now).map_err(|problem| ScheduleError::Period { problem })?
            }
            None => start,
        };
        let network = self.network.unwrap_or_else(|| self.options.network_type());
        let mut requirements = if self.unbound { Vec::new() } else { self.options.requirements() };
        requirements.extend(self.requirements);
        let constraints = constraints(network, &requirements);
        rules::on_lost(self.on_lost.is_some(), !constraints.is_empty())?;
        if let Some(problem) = Requirement::problem_of(&requirements, Some(&shared.kinds)) {
            return Err(ScheduleError::Constraint { problem });
        }
        if shared.registry.find(T::NAME).is_some()
            && let Some(unknown) =
                requirements.iter().find(|needed| shared.kinds.type_of(needed.kind()).is_none())
        {
            let (kind, type_name) = (unknown.kind().to_owned(), unknown.type_name());
            return Err(ScheduleError::UnknownConstraint { kind, type_name });
        }
        let on_lost = self.on_lost.unwrap_or_else(|| self.options.lost_constraint());
        let tags = tags(self.options.tag_list(), self.tags)?;
        let payload = codec::encode(&self.input)?;
        let limit = shared.limits.payload;
        if payload.len() > limit {
            return Err(ScheduleError::PayloadTooLarge { bytes: payload.len(), limit });
        }
        Ok(NewWork {
            id: self.work_id.unwrap_or_else(|| shared.ids.next(now, &*shared.randomness)),
            lane: Arc::new(Lane { task: T::NAME.to_owned(), constraints, key: None }),
            aliases: T::ALIASES,
            unique: task_id.map(|id| (id, stored_policy(policy))),
            start,
            boost_millis: priority.boost_millis(),
            options: stored_options(&retry, timeout, expires, on_lost, period, tags),
            envelope: codec::seal(payload),
        })
    }
}

/// Schedules a batch in one transaction.
pub(crate) async fn enqueue<T: Task>(
    scheduler: &TaskScheduler,
    batch: Vec<Schedule<T>>,
) -> Result<Vec<Receipt<T>>, ScheduleError> {
    let span = tracing::debug_span!(
        target: TARGET,
        span::SCHEDULE,
        { field::TASK } = T::NAME,
        { field::PIECES } = batch.len(),
    );
    enqueue_within(scheduler, batch).instrument(span).await
}

async fn enqueue_within<T: Task>(
    scheduler: &TaskScheduler,
    batch: Vec<Schedule<T>>,
) -> Result<Vec<Receipt<T>>, ScheduleError> {
    let shared = scheduler.shared();
    if shared.is_stopping() {
        return Err(ScheduleError::ShuttingDown);
    }
    let pieces = batch.len();
    if pieces > MOST_PIECES {
        return Err(ScheduleError::TooMany { pieces, bytes: 0 });
    }
    if batch.iter().filter_map(|piece| piece.scheduler.as_ref()).any(|other| !other.is(scheduler)) {
        return Err(ScheduleError::OtherScheduler);
    }
    let (mut work, mut bytes, mut task_ids) = (Vec::with_capacity(pieces), 0, 0);
    for schedule in batch {
        let piece = schedule.prepare(scheduler)?;
        bytes += piece.envelope.payload.len();
        task_ids += piece.unique.as_ref().map_or(0, |(id, _)| id.len());
        work.push(piece);
    }
    if pieces > 1 && bytes > MOST_BYTES {
        return Err(ScheduleError::TooMany { pieces, bytes });
    }
    let Some(first) = work.first().map(|piece| piece.id) else { return Ok(Vec::new()) };
    let held = bytes + task_ids + pieces * size_of::<NewWork>();
    let enqueued = scheduler
        .store(held, |reply| Request::Write(Write::Enqueue(work, reply)))
        .await
        .map_err(|refusal| ScheduleError::from_refusal(refusal, first))?;
    Ok(enqueued.into_iter().map(|enqueued| Receipt::new(enqueued, scheduler.clone())).collect())
}

impl<T: Task> IntoFuture for Schedule<T> {
    type Output = Result<Receipt<T>, ScheduleError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            let scheduler = self.scheduler.take().map_or_else(TaskScheduler::current, Ok)?;
            let work_id = self.work_id;
            let receipt = enqueue(&scheduler, vec![self]).await?.pop();
            receipt.ok_or_else(|| ScheduleError::Indeterminate {
                work_id: work_id.unwrap_or_else(|| WorkId::from_bytes([0; 16])),
                detail: "the store answered nothing".to_owned(),
            })
        })
    }
}

impl<T: Task> fmt::Debug for Schedule<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule").field("task", &T::NAME).field("id", &self.id).finish_non_exhaustive()
    }
}

/// The constraints as they are stored, in an order of their own, so that equal sets share a lane.
fn constraints(network: NetworkType, requirements: &[Requirement]) -> Vec<StoredConstraint> {
    let network = NetworkConstraint::of(network).map(Requirement::from);
    let all = network.iter().chain(requirements).map(Requirement::stored);
    let mut stored: Vec<_> = all.cloned().collect();
    stored.sort_by(|one, other| (&one.kind, &one.value).cmp(&(&other.kind, &other.value)));
    stored.dedup();
    stored
}

/// The tags of the task and of the call, each once.
fn tags(of_task: &[&str], of_call: Vec<String>) -> Result<Vec<String>, ScheduleError> {
    let mut tags: Vec<_> = of_task.iter().map(|tag| (*tag).to_owned()).collect();
    for tag in of_call {
        rules::tag(&tag)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    rules::tags(tags.len())?;
    Ok(tags)
}

fn stored_policy(policy: ExistingWorkPolicy) -> Policy {
    match policy {
        ExistingWorkPolicy::Keep => Policy::Keep,
        ExistingWorkPolicy::Replace => Policy::Replace,
        ExistingWorkPolicy::Append => Policy::Append,
        ExistingWorkPolicy::AppendAfterSuccess => Policy::AppendAfterSuccess,
    }
}

fn stored_options(
    retry: &RetryOptions,
    timeout: Option<Duration>,
    expires: Option<Duration>,
    on_lost: OnLost,
    period: Option<StoredPeriod>,
    tags: Vec<String>,
) -> StoredOptions {
    let mut options = StoredOptions::default();
    options.max_attempts = retry.attempt_limit();
    options.backoff = match retry.backoff_kind() {
        Backoff::Exponential => pushe_tasks_store::Backoff::Exponential,
        Backoff::Linear => pushe_tasks_store::Backoff::Linear,
        Backoff::Fixed => pushe_tasks_store::Backoff::Fixed,
    };
    options.delay = retry.first_delay();
    options.max_delay = retry.longest_delay();
    options.jitter = retry.jitter_fraction();
    options.timeout = timeout;
    options.expires = expires;
    options.on_lost = on_lost;
    options.period = period;
    options.tags = tags;
    options
}
