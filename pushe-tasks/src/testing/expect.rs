//! What a test expects to have been scheduled.

use std::fmt::Write as _;
use std::marker::PhantomData;
use std::time::Duration;

use pushe_tasks_store::{WorkState, WorkView};

use super::scheduler::TestScheduler;
use crate::codec;
use crate::task::Task;

/// Whether an input is as expected.
type Such<T> = Box<dyn Fn(&<T as Task>::Input) -> bool>;

/// At most so many pieces are shown where none is as expected.
const SHOWN: usize = 20;

/// A description of work, made by [`assert_scheduled!`](crate::assert_scheduled): each `key = value` is a call of its method.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::testing::{Expected, TestScheduler};
///
/// #[pushe_task]
/// async fn expected_ping(_: u32) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let test = TestScheduler::setup().builder(|builder| builder.only::<ExpectedPing>()).start().await;
/// ExpectedPing::schedule(7).id("seven").await?;
/// assert_eq!(Expected::<ExpectedPing>::new().id("seven").input(|n| *n == 7).count_in(&test), 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "it expects nothing before it is checked"]
pub struct Expected<T: Task> {
    id: Option<String>,
    state: Option<WorkState>,
    delayed: Option<Duration>,
    times: Option<usize>,
    input: Option<Such<T>>,
    task: PhantomData<fn() -> T>,
}

impl<T: Task> Expected<T> {
    /// Work of this task.
    pub fn new() -> Self {
        Self { id: None, state: None, delayed: None, times: None, input: None, task: PhantomData }
    }

    /// It bears this task id.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// It is in this state; without a word it may be in any, since work that may start does so whenever a test waits for
    /// something.
    pub fn state(mut self, state: WorkState) -> Self {
        self.state = Some(state);
        self
    }

    /// It may start so long after it was scheduled, to the millisecond, and never has yet.
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delayed = Some(delay);
        self
    }

    /// Its input is such.
    pub fn input(mut self, such: impl Fn(&T::Input) -> bool + 'static) -> Self {
        self.input = Some(Box::new(such));
        self
    }

    /// There are exactly so many; without a word, at least one.
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// How many pieces are as described.
    pub fn count_in(&self, test: &TestScheduler) -> usize {
        of_task::<T>(test).iter().filter(|view| self.differences(view).is_empty()).count()
    }

    /// Checks it.
    ///
    /// # Panics
    /// Where it is not so, with what is there instead. Inputs are not shown.
    #[track_caller]
    pub fn assert(self, test: &TestScheduler) {
        let count = self.count_in(test);
        let as_expected = self.times.map_or(count > 0, |times| count == times);
        assert!(as_expected, "{}", self.report(test, count));
    }

    /// In what the piece differs from the description.
    fn differences(&self, view: &WorkView) -> Vec<String> {
        let mut differences = Vec::new();
        let spec = view.spec.as_ref().ok();
        if let Some(id) = &self.id
            && spec.and_then(|spec| spec.task_id.as_ref()) != Some(id)
        {
            differences.push("its id".to_owned());
        }
        if let Some(state) = self.state
            && view.record.state != state
        {
            differences.push("its state".to_owned());
        }
        if let Some(delay) = self.delayed {
            match first_delay(view) {
                Some(first) if first == delay => {}
                Some(first) => differences.push(format!("its delay of {first:?}")),
                None => differences.push("its delay, which it has forgotten since it began".to_owned()),
            }
        }
        if let Some(such) = &self.input {
            match spec.map(|spec| codec::open::<T::Input>(&spec.envelope)) {
                Some(Ok(input)) if such(&input) => {}
                Some(Ok(_)) => differences.push("its input".to_owned()),
                Some(Err(error)) => {
                    differences.push(format!("its input, which does not read back ({error})"));
                }
                None => differences.push("its input, which is damaged".to_owned()),
            }
        }
        differences
    }

    fn report(&self, test: &TestScheduler, count: usize) -> String {
        let mut text = match self.times {
            None => "no work".to_owned(),
            Some(times) => format!("{count} pieces of work instead of {times}"),
        };
        let _ = write!(text, " of `{}`", T::NAME);
        let _ = self.id.as_ref().map(|id| write!(text, " with the id {id:?}"));
        let _ = self.state.map(|state| write!(text, " in the state {state}"));
        let _ = self.delayed.map(|delay| write!(text, " delayed by {delay:?}"));
        text.push_str(if self.input.is_some() { " with such an input" } else { "" });
        text.push_str(" scheduled; ");
        let there = of_task::<T>(test);
        text.push_str(if there.is_empty() { "there is no work of this task" } else { "there is" });
        for view in there.iter().take(SHOWN) {
            let (id, state) = (view.record.id, view.record.state);
            let _ = write!(text, "\n  {id}, {state}");
            if let Some(task_id) = view.spec.as_ref().ok().and_then(|spec| spec.task_id.as_ref()) {
                let _ = write!(text, ", id {task_id:?}");
            }
            let differences = self.differences(view);
            text.push_str(if differences.is_empty() { ": as expected" } else { ": other in " });
            text.push_str(&differences.join(" and "));
        }
        if there.len() > SHOWN {
            let _ = write!(text, "\n  and {} more", there.len() - SHOWN);
        }
        text
    }
}

fn of_task<T: Task>(test: &TestScheduler) -> Vec<WorkView> {
    let mut all = test.memory.list(&[]);
    all.retain(|view| view.lane.task == T::NAME || T::ALIASES.contains(&view.lane.task.as_str()));
    all
}

/// How long after it was scheduled the piece may start, while it never has.
fn first_delay(view: &WorkView) -> Option<Duration> {
    (view.record.claim == 0).then(|| view.record.due.since(view.record.enqueued_at))
}

impl<T: Task> Default for Expected<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Task> std::fmt::Debug for Expected<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expected").field("task", &T::NAME).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Asserts that work of a task has been scheduled on a [`TestScheduler`], finished work too.
///
/// After the task come descriptions, in any order and number: `id = ".."`, `state = WorkState::Enqueued`,
/// `delayed = Duration::from_secs(60)`, `input = |input: &Input| ..`, `times = 2`; see the methods of [`Expected`].
///
/// # Panics
/// Where it is not so, with what is there instead.
///
/// # Examples
/// ```
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::testing::{TestScheduler, assert_not_scheduled, assert_scheduled};
///
/// #[pushe_task(delay = "5m")]
/// async fn expected_mail(address: String) {
///     let _ = address;
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let test = TestScheduler::setup().builder(|builder| builder.only::<ExpectedMail>()).start().await;
/// ExpectedMail::schedule("ada@example.org".to_owned()).await?;
/// assert_scheduled!(test, ExpectedMail);
/// assert_scheduled!(test, ExpectedMail, times = 1, input = |address: &String| address.starts_with("ada@"));
/// assert_not_scheduled!(test, ExpectedMail, id = "welcome");
/// # Ok(())
/// # }
/// ```
///
/// [`TestScheduler`]: crate::testing::TestScheduler
/// [`Expected`]: crate::testing::Expected
#[macro_export]
macro_rules! assert_scheduled {
    ($test:expr, $task:ty $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::testing::Expected::<$task>::new()$(.$key($value))*.assert(&$test)
    };
}

/// Asserts that no such work has been scheduled; the descriptions are those of
/// [`assert_scheduled!`](crate::assert_scheduled), without `times`.
///
/// # Panics
/// Where there is such work.
#[macro_export]
macro_rules! assert_not_scheduled {
    ($test:expr, $task:ty $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::testing::Expected::<$task>::new()$(.$key($value))*.times(0).assert(&$test)
    };
}
