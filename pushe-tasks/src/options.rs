//! How work of a task is scheduled.
//!
//! Invariant: every value here can be made in a constant and has nothing to drop. What is wrong with a
//! value is said by `check`, with the rules that the attribute applies to its literals.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use pushe_tasks_syntax::rules;

use crate::constraint::Requirement;
use crate::exhausted::Exhausted;
use crate::period::PeriodOptions;
use crate::task::Task;

mod kinds;
mod priority;
mod retry;

pub use kinds::{ExistingWorkPolicy, NetworkType, RunOn};
pub use priority::Priority;
pub use pushe_tasks_store::OnLost;
pub use pushe_tasks_syntax::OptionError;
pub use retry::{Backoff, RetryOptions};

/// How the id of a piece of work is made.
enum TaskId<T: Task> {
    Fixed(&'static str),
    Made(fn(&T::Input) -> String),
}

/// How work of the task `T` is scheduled where a call says nothing else.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
///
/// #[pushe_task(id = "upload/{0}", policy = Keep, network = Connected)]
/// async fn upload(_: (u32, String)) {}
///
/// let input = (7, "a.jpg".to_owned());
/// assert_eq!(Upload::OPTIONS.task_id(&input).as_deref(), Some("upload/7"));
/// assert_eq!(Upload::OPTIONS.existing_work_policy(), ExistingWorkPolicy::Keep);
/// ```
pub struct TaskOptions<T: Task> {
    id: Option<TaskId<T>>,
    policy: Option<ExistingWorkPolicy>,
    network: NetworkType,
    requires: Option<fn() -> Vec<Requirement>>,
    on_lost: Option<OnLost>,
    retry: RetryOptions,
    timeout: Option<Duration>,
    delay: Duration,
    priority: Priority,
    expires: Option<Duration>,
    period: Option<PeriodOptions>,
    tags: &'static [&'static str],
    concurrency: Option<u32>,
    run_on: RunOn,
    /// Makes the input of work that is scheduled when an engine starts.
    automatic: Option<fn() -> T::Input>,
    on_exhausted: Option<fn(T::Input, String) -> Exhausted>,
    retain: Option<Duration>,
}

impl<T: Task> TaskOptions<T> {
    /// No id, no constraint, no limit, no delay, default retry.
    pub const fn new() -> Self {
        Self {
            id: None,
            policy: None,
            network: NetworkType::NotRequired,
            requires: None,
            on_lost: None,
            retry: RetryOptions::new(),
            timeout: None,
            delay: Duration::ZERO,
            priority: Priority::Normal,
            expires: None,
            period: None,
            tags: &[],
            concurrency: None,
            run_on: RunOn::Io,
            automatic: None,
            on_exhausted: None,
            retain: None,
        }
    }

    /// Gives all work of the task one id.
    #[must_use]
    pub const fn id(mut self, id: &'static str) -> Self {
        self.id = Some(TaskId::Fixed(id));
        self
    }

    /// Makes the id of each piece of work from its input.
    #[must_use]
    pub const fn id_with(mut self, make: fn(&T::Input) -> String) -> Self {
        self.id = Some(TaskId::Made(make));
        self
    }

    /// Decides about unfinished work with the same id.
    #[must_use]
    pub const fn policy(mut self, policy: ExistingWorkPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Needs this network.
    #[must_use]
    pub const fn network(mut self, network: NetworkType) -> Self {
        self.network = network;
        self
    }

    /// Needs these constraints beside a network.
    #[must_use]
    pub const fn requires(mut self, requirements: fn() -> Vec<Requirement>) -> Self {
        self.requires = Some(requirements);
        self
    }

    /// Does this to a running attempt when a constraint of its work is lost; by default it is stopped after the
    /// constraint's grace and given back.
    #[must_use]
    pub const fn on_lost(mut self, on_lost: OnLost) -> Self {
        self.on_lost = Some(on_lost);
        self
    }

    /// Makes failed attempts again so.
    #[must_use]
    pub const fn retry(mut self, retry: RetryOptions) -> Self {
        self.retry = retry;
        self
    }

    /// Tells an attempt that takes longer than this to stop; what has not stopped after the scheduler's `stop_grace` (10 s
    /// unless the builder says otherwise) is dropped.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Starts the first attempt no sooner than this after it was scheduled.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Lets it jump the queue of what may start so far; the last of `priority` and [`expedited`](Self::expedited) counts.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Lets it pass what was due up to an hour earlier, as [`Priority::Expedited`].
    #[must_use]
    pub const fn expedited(self) -> Self {
        self.priority(Priority::Expedited)
    }

    /// Fails with [`Reason::Expired`](crate::Reason::Expired) what has not been started so long after it was scheduled,
    /// however long its delay, its constraints or other work kept it waiting; what has been started once does not expire. Of
    /// periodic work it leaves out the run of each slot that has not begun so long after its time.
    #[must_use]
    pub const fn expires(mut self, expires: Duration) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Runs again and again. Without an id such work bears the name of its task, and its policy is `Keep`.
    #[must_use]
    pub const fn period(mut self, period: PeriodOptions) -> Self {
        self.period = Some(period);
        self
    }

    /// Gives all work of the task these tags, by which it can be found and cancelled: at most 32, of 1 to 128 bytes.
    #[must_use]
    pub const fn tags(mut self, tags: &'static [&'static str]) -> Self {
        self.tags = tags;
        self
    }

    /// Runs at most this many pieces of the task's work at a time.
    #[must_use]
    pub const fn concurrency(mut self, limit: u32) -> Self {
        self.concurrency = Some(limit);
        self
    }

    /// Runs the body there.
    #[must_use]
    pub const fn run_on(mut self, run_on: RunOn) -> Self {
        self.run_on = run_on;
        self
    }

    /// Runs this when the last attempt that `max_attempts` allows has ended in retry, with the input and the text of the last
    /// error: at least once, as a piece of work of its own, which is stored in the transaction that fails the work. It bears
    /// the stored name of the task and `/exhausted`, has no id and no constraint, and is retried as by default. Of periodic
    /// work it answers each period whose attempts are exhausted. Work that fails at once, expires or is cancelled is none.
    #[must_use]
    pub const fn on_exhausted(mut self, run: fn(T::Input, String) -> Exhausted) -> Self {
        self.on_exhausted = Some(run);
        self
    }

    /// Keeps finished work of the task this long, in the place of a day for what succeeded or was cancelled, an hour for what
    /// was replaced, and seven days for what failed. What has finished already keeps the time that it was given.
    #[must_use]
    pub const fn retain(mut self, length: Duration) -> Self {
        self.retain = Some(length);
        self
    }

    /// Schedules it with the policy `Update`, and the default of its input, whenever a scheduler starts that runs it. Work
    /// that was scheduled so is cancelled with [`Reason::NoLongerAutomatic`](crate::Reason::NoLongerAutomatic) at the first
    /// start at which its task is run and says this no more, or makes another id.
    #[must_use]
    pub const fn automatic(mut self) -> Self
    where
        T::Input: Default,
    {
        self.automatic = Some(<T::Input as Default>::default);
        self
    }

    /// The id of work with this input; none where every call is its own work.
    pub fn task_id(&self, input: &T::Input) -> Option<Cow<'static, str>> {
        self.id.as_ref().map(|id| match id {
            TaskId::Fixed(id) => Cow::Borrowed(*id),
            TaskId::Made(make) => Cow::Owned(make(input)),
        })
    }

    /// What happens to unfinished work with the same id. Where nothing is said: `Keep` for periodic work, else `Append`.
    pub const fn existing_work_policy(&self) -> ExistingWorkPolicy {
        match (self.policy, &self.period) {
            (Some(policy), _) => policy,
            (None, Some(_)) => ExistingWorkPolicy::Keep,
            (None, None) => ExistingWorkPolicy::Append,
        }
    }

    /// When work runs again and again; none for work that runs once.
    pub const fn period_options(&self) -> Option<PeriodOptions> {
        self.period
    }

    /// What runs when attempts are exhausted.
    pub const fn exhausted_hook(&self) -> Option<fn(T::Input, String) -> Exhausted> {
        self.on_exhausted
    }

    /// How long finished work is kept; none where the store's own times hold.
    pub const fn retention(&self) -> Option<Duration> {
        self.retain
    }

    /// Makes the input of work that the start of a scheduler schedules; none where only calls do.
    pub const fn automatic_input(&self) -> Option<fn() -> T::Input> {
        self.automatic
    }

    /// The network that work needs.
    pub const fn network_type(&self) -> NetworkType {
        self.network
    }

    /// The constraints that work needs beside a network.
    pub fn requirements(&self) -> Vec<Requirement> {
        self.requires.map(|requires| requires()).unwrap_or_default()
    }

    /// What a lost constraint does to a running attempt.
    pub const fn lost_constraint(&self) -> OnLost {
        match self.on_lost {
            Some(on_lost) => on_lost,
            None => OnLost::Stop,
        }
    }

    /// When and how often a failed attempt is made again.
    pub const fn retry_options(&self) -> RetryOptions {
        self.retry
    }

    /// The longest time for one attempt.
    pub const fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// The least time from scheduling to the first attempt.
    pub const fn initial_delay(&self) -> Duration {
        self.delay
    }

    /// How far it jumps the queue.
    pub const fn urgency(&self) -> Priority {
        self.priority
    }

    /// How long after it was scheduled it is not started any more.
    pub const fn expiry(&self) -> Option<Duration> {
        self.expires
    }

    /// The tags that all work of the task bears.
    pub const fn tag_list(&self) -> &'static [&'static str] {
        self.tags
    }

    /// Most pieces of the task's work that run at a time.
    pub const fn concurrency_limit(&self) -> Option<u32> {
        self.concurrency
    }

    /// Where the body runs.
    pub const fn runs_on(&self) -> RunOn {
        self.run_on
    }

    /// Says which rule these options break, if any.
    ///
    /// The attribute has judged what it wrote; this is for options that were written by hand.
    ///
    /// # Errors
    /// An id that is empty or too long; a policy without an id, or one that appends on periodic work; what [`PeriodOptions::check`]
    /// refuses; `automatic` without a period; `on_lost` without a constraint; a tag that is empty, too long or given twice, or
    /// more than 32 of them; a time limit or a concurrency of zero; a priority of more than a week; an expiry of zero, or one that
    /// passes before the work may start; a retention of zero; `on_exhausted` without a limit of attempts; what
    /// [`RetryOptions::check`] refuses.
    pub fn check(&self) -> Result<(), OptionError> {
        if let Some(TaskId::Fixed(id)) = &self.id {
            rules::id(id)?;
        }
        rules::policy(self.policy.is_some(), self.id.is_some() || self.period.is_some())?;
        let appends = self.policy.is_some_and(ExistingWorkPolicy::appends);
        rules::periodic_policy(appends, self.period.is_some())?;
        if let Some(period) = &self.period {
            period.check()?;
        }
        if self.automatic.is_some() {
            rules::needs_period("start", self.period.is_some())?;
        }
        let constrained = self.network != NetworkType::NotRequired || self.requires.is_some();
        rules::on_lost(self.on_lost.is_some(), constrained)?;
        if let Some(timeout) = self.timeout {
            rules::not_zero("timeout", timeout)?;
        }
        rules::tags(self.tags.len())?;
        for (index, tag) in self.tags.iter().enumerate() {
            rules::tag_among(tag, &self.tags[..index])?;
        }
        rules::concurrency(self.concurrency.map_or(1, u64::from))?;
        self.priority.check()?;
        if let Some(expires) = self.expires {
            rules::not_zero("expires", expires)?;
            rules::not_too_long(expires)?;
        }
        rules::expires(self.expires, self.delay, self.period.is_some())?;
        if let Some(retain) = self.retain {
            rules::not_zero("retain", retain)?;
            rules::not_too_long(retain)?;
        }
        rules::on_exhausted(self.on_exhausted.is_some(), self.retry.attempt_limit().is_some())?;
        self.retry.check()
    }
}

impl<T: Task> Default for TaskOptions<T> {
    fn default() -> Self {
        Self::new()
    }
}

// Written out, because a derive would ask the same of the task's type.
impl<T: Task> Clone for TaskId<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Task> Copy for TaskId<T> {}

impl<T: Task> Clone for TaskOptions<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Task> Copy for TaskOptions<T> {}

impl<T: Task> fmt::Debug for TaskOptions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_ref().map(|id| match id {
            TaskId::Fixed(id) => *id,
            TaskId::Made(_) => "(made from the input)",
        });
        f.debug_struct("TaskOptions")
            .field("task", &T::NAME)
            .field("id", &id)
            .field("policy", &self.policy)
            .field("network", &self.network)
            .field("requires", &self.requirements())
            .field("on_lost", &self.lost_constraint())
            .field("retry", &self.retry)
            .field("timeout", &self.timeout)
            .field("delay", &self.delay)
            .field("priority", &self.priority)
            .field("expires", &self.expires)
            .field("period", &self.period)
            .field("tags", &self.tags)
            .field("concurrency", &self.concurrency)
            .field("run_on", &self.run_on)
            .field("retain", &self.retain)
            .field("on_exhausted", &self.on_exhausted.is_some())
            .field("automatic", &self.automatic.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests;
