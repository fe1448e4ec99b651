//! Naming work by what it is: queries, their pages, and cancelling all that is named (S9.1, S9.2).
//!
//! Invariant: nothing is read or cancelled in one long transaction. A page is put together from short looks, and a cancel
//! from short transactions.

use pushe_tasks_store::{Query, Target, WorkId, WorkState};

use crate::engine::message::{Read, Request, Write};
use crate::error::CallError;
use crate::info::WorkInfo;
use crate::pause::names;
use crate::scheduler::{TaskScheduler, WorkRef};

/// The most pieces on one page, the most names of one kind, and the most pieces that one transaction cancels.
const MOST: usize = 1_000;

/// Names work by its ids, task ids, tasks, tags and states.
///
/// Within one kind of name any of them will do, between kinds all must: two tags and a state name what bears either tag and is
/// in that state. A query that names nothing names all work.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use pushe_tasks::{WorkQuery, WorkState, prelude::*};
///
/// #[pushe_task(tags("photos"))]
/// async fn upload(_: u32) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
/// for number in 0..3 {
///     Upload::schedule(number).on(&scheduler).await?;
/// }
/// let mut query = WorkQuery::new().tag("photos").state(WorkState::Enqueued).limit(2);
/// let first = scheduler.query(&query).await?;
/// query = query.after(first.next.expect("there is more"));
/// let second = scheduler.query(&query).await?;
/// assert_eq!((first.works.len(), second.works.len(), second.next), (2, 1, None));
/// assert_eq!(scheduler.cancel(query).await?.len(), 3);
/// # scheduler.shutdown(Duration::ZERO).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkQuery {
    query: Query,
}

/// One page of what a query names.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WorkPage {
    /// The pieces of work, in order.
    pub works: Vec<WorkInfo>,
    /// What [`WorkQuery::after`] takes for the next page; `None` behind the last.
    pub next: Option<WorkId>,
}

impl WorkQuery {
    /// Names all work; a page holds 100 pieces, the oldest first.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the piece with this id.
    #[must_use]
    pub fn id(mut self, id: WorkId) -> Self {
        self.query.ids.push(id);
        self
    }

    /// Names what bears or bore this task id.
    #[must_use]
    pub fn task_id(mut self, task_id: impl Into<String>) -> Self {
        self.query.task_ids.push(task_id.into());
        self
    }

    /// Names work of the task with this stored name or alias.
    #[must_use]
    pub fn task(mut self, task: impl Into<String>) -> Self {
        self.query.tasks.push(task.into());
        self
    }

    /// Names what bears this tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.query.tags.push(tag.into());
        self
    }

    /// Names what is in this state.
    #[must_use]
    pub fn state(mut self, state: WorkState) -> Self {
        self.query.states.push(state);
        self
    }

    /// Shows at most this many pieces on a page: 1 to 1,000, and 100 where nothing is said.
    #[must_use]
    pub fn limit(mut self, pieces: usize) -> Self {
        self.query.limit = pieces;
        self
    }

    /// Shows the newest work first; else the oldest comes first. Work is ordered by its id, which grows with time.
    #[must_use]
    pub fn newest_first(mut self) -> Self {
        self.query.newest_first = true;
        self
    }

    /// Shows what stands behind a page, by its [`next`](WorkPage::next).
    #[must_use]
    pub fn after(mut self, id: WorkId) -> Self {
        self.query.after = Some(id);
        self
    }

    /// What the store is asked, with all names of each task.
    fn stored(&self, scheduler: &TaskScheduler) -> Result<Query, CallError> {
        let mut query = self.query.clone();
        let invalid = |problem: String| Err(CallError::Invalid { problem });
        if !(1..=MOST).contains(&query.limit) {
            return invalid(format!("a page holds 1 to {MOST} pieces, and not {}", query.limit));
        }
        let kinds = [query.ids.len(), query.task_ids.len(), query.tasks.len(), query.tags.len()];
        if let Some(many) = kinds.into_iter().find(|names| *names > MOST) {
            return invalid(format!(
                "a query names at most {MOST} of one kind, and this one {many}; split it"
            ));
        }
        let registry = &scheduler.shared().registry;
        query.tasks = query.tasks.iter().flat_map(|task| names(registry, task)).collect();
        Ok(query)
    }
}

/// Work that a call is about: one piece, or all that is named so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkSet {
    /// One piece.
    Work(WorkId),
    /// What bears this task id.
    TaskId(String),
    /// What bears this tag.
    Tag(String),
    /// What a query names; its limit, order and cursor do not count.
    Query(WorkQuery),
    /// All work.
    All,
}

impl From<WorkId> for WorkSet {
    fn from(id: WorkId) -> Self {
        Self::Work(id)
    }
}

impl From<&str> for WorkSet {
    fn from(task_id: &str) -> Self {
        Self::TaskId(task_id.to_owned())
    }
}

impl From<String> for WorkSet {
    fn from(task_id: String) -> Self {
        Self::TaskId(task_id)
    }
}

impl From<WorkRef> for WorkSet {
    fn from(work: WorkRef) -> Self {
        match work {
            WorkRef::Work(id) => Self::Work(id),
            WorkRef::TaskId(task_id) => Self::TaskId(task_id),
        }
    }
}

impl From<WorkQuery> for WorkSet {
    fn from(query: WorkQuery) -> Self {
        Self::Query(query)
    }
}

impl TaskScheduler {
    /// One page of the work that a query names.
    ///
    /// Each piece is shown as it stands while the page is made. Work that is there all the time, and is named all the time,
    /// stands on exactly one of the pages that follow each other, whatever is scheduled, finished and pruned between them. No
    /// page holds up the store for long.
    ///
    /// # Errors
    /// [`CallError::Invalid`] for a limit of 0 or more than 1,000, or more than 1,000 names of one kind;
    /// [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes changes nothing.
    ///
    /// # Examples
    /// See [`WorkQuery`].
    pub async fn query(&self, query: &WorkQuery) -> Result<WorkPage, CallError> {
        let mut asked = query.stored(self)?;
        let wanted = asked.limit;
        let mut page = WorkPage::default();
        loop {
            asked.limit = wanted - page.works.len();
            let look = asked.clone();
            let found = self.request(|reply| Request::Read(Read::Query(Box::new(look), reply))).await?;
            page.works.extend(found.works.into_iter().map(WorkInfo::from));
            page.next = found.next;
            match found.next {
                Some(next) if page.works.len() < wanted => asked.after = Some(next),
                _ => return Ok(page),
            }
        }
    }

    /// The pieces of work in one of these states, oldest first, at most `limit`; all states where none is named.
    ///
    /// # Errors
    /// [`CallError::Stopped`], [`CallError::Store`].
    pub async fn list(&self, states: &[WorkState], limit: usize) -> Result<Vec<WorkInfo>, CallError> {
        let mut query = states.iter().fold(WorkQuery::new(), |query, state| query.state(*state));
        let mut works = Vec::new();
        while works.len() < limit {
            query = query.limit((limit - works.len()).min(MOST));
            let page = self.query(&query).await?;
            works.extend(page.works);
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        Ok(works)
    }

    /// Cancels work that is not finished: a piece by its id, what bears a task id (given as a text), or a [`WorkSet`]: what
    /// bears a tag, what a [`WorkQuery`] names, all work. Answers what was cancelled.
    ///
    /// A body that runs is told to stop and dropped after its grace; whatever it answers, its work stays cancelled. Quarantined
    /// work is left as it is.
    ///
    /// A piece, and what bears a task id, is cancelled in one transaction. Tags, queries and all work are cancelled 1,000 pieces
    /// at a time, and work that is scheduled meanwhile is not meant.
    ///
    /// # Errors
    /// [`CallError::Invalid`] for a query with more than 1,000 names of one kind; [`CallError::Stopped`], [`CallError::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future before it completes leaves open whether the work, or what part of it, is cancelled.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use pushe_tasks::{WorkSet, prelude::*};
    ///
    /// #[pushe_task(id = "sync/{}")]
    /// async fn sync(folder: String) {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let scheduler = TaskScheduler::in_memory().detached().schedule_only().start().await?;
    /// let photos = Sync::schedule("photos".to_owned()).tag("manual").on(&scheduler).await?;
    /// let music = Sync::schedule("music".to_owned()).on(&scheduler).await?;
    /// assert_eq!(scheduler.cancel(WorkSet::Tag("manual".to_owned())).await?, [photos.id()]);
    /// assert_eq!(scheduler.cancel("sync/music").await?, [music.id()]);
    /// assert!(scheduler.cancel(WorkSet::All).await?.is_empty());
    /// # scheduler.shutdown(Duration::ZERO).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel(&self, work: impl Into<WorkSet>) -> Result<Vec<WorkId>, CallError> {
        let query = match work.into() {
            WorkSet::Work(id) => return self.cancel_target(Target::Work(id)).await,
            WorkSet::TaskId(task_id) => return self.cancel_target(Target::TaskId(task_id)).await,
            WorkSet::Tag(tag) => WorkQuery::new().tag(tag),
            WorkSet::Query(query) => query,
            WorkSet::All => WorkQuery::new(),
        };
        let mut query = query.limit(MOST).stored(self)?;
        query.after = None;
        let mut cancelled = Vec::new();
        loop {
            let step = Box::new(query.clone());
            let page = self.request(|reply| Request::Write(Write::CancelPage(step, reply))).await?;
            cancelled.extend(page.moved.into_iter().map(|moved| moved.attempt.work));
            query.until = query.until.or(page.newest);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(cancelled),
            }
        }
    }

    async fn cancel_target(&self, target: Target) -> Result<Vec<WorkId>, CallError> {
        let moved = self.request(|reply| Request::Write(Write::Cancel(target, reply))).await?;
        Ok(moved.into_iter().map(|moved| moved.attempt.work).collect())
    }
}
