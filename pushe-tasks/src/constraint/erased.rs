//! Constraints and sources without their types, as the dispatcher holds them.
//!
//! Invariant: two keys are equal exactly when one monitor serves both, so a reading reaches every constraint that
//! looks at it and no other. No method of a constraint that panics gets further than this file.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use super::{Answer, Constraint, Damping, Reading, Source, Verdict, monitor};
use crate::clock::{Clock, WallTime};

/// A boxed future, as object-safe traits return it.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a monitor calls with each new reading. It must not block.
pub(crate) type Report = Box<dyn Fn(SourceKey, ErasedReading) + Send + Sync>;

/// The state of some source.
pub(crate) trait AnyState: Any + fmt::Debug + Send + Sync {}
impl<S: Any + fmt::Debug + Send + Sync> AnyState for S {}

/// What the monitor of a source says.
#[derive(Clone, Debug)]
pub(crate) enum ErasedReading {
    /// The state.
    Known(Arc<dyn AnyState>),
    /// Nothing was ever known, and why: each constraint has its own answer to that.
    Unknown(Cow<'static, str>),
    /// The source worked and then died, its last reading is too old to count: work is held until it is back.
    Lost(Cow<'static, str>),
}

impl<S: AnyState> From<Reading<S>> for ErasedReading {
    fn from(reading: Reading<S>) -> Self {
        match reading {
            Reading::Known(state) => Self::Known(Arc::new(state)),
            Reading::Unknown(why) => Self::Unknown(why),
        }
    }
}

/// Names one thing that is watched: a source's type and its key.
#[derive(Clone)]
pub(crate) struct SourceKey {
    source: TypeId,
    name: &'static str,
    key: Arc<dyn AnyKey>,
}

trait AnyKey: Any + fmt::Debug + Send + Sync {
    fn equals(&self, other: &dyn AnyKey) -> bool;
    fn feed(&self, hasher: &mut dyn Hasher);
}

impl<K: Eq + Hash + fmt::Debug + Send + Sync + 'static> AnyKey for K {
    fn equals(&self, other: &dyn AnyKey) -> bool {
        (other as &dyn Any).downcast_ref::<K>().is_some_and(|other| self == other)
    }

    fn feed(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}

impl SourceKey {
    /// The key of `S`, looking at `key`.
    pub(crate) fn new<S: Source>(key: S::Key) -> Self {
        Self { source: TypeId::of::<S>(), name: std::any::type_name::<S>(), key: Arc::new(key) }
    }

    /// The type of the source.
    pub(super) fn source(&self) -> TypeId {
        self.source
    }

    fn typed<K: 'static>(&self) -> &K {
        (&*self.key as &dyn Any).downcast_ref().expect("a key is used with the source that made it")
    }
}

impl PartialEq for SourceKey {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.key.equals(&*other.key)
    }
}

impl Eq for SourceKey {}

impl Hash for SourceKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
        self.key.feed(state);
    }
}

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.name, self.key)
    }
}

/// A stored constraint, ready to judge readings.
pub(crate) trait ErasedConstraint: fmt::Debug + Send + Sync {
    /// The kind it is stored under.
    fn kind(&self) -> &str;

    /// Its name for people, such as "network: Connected".
    fn describe(&self) -> Cow<'static, str>;

    /// How quickly its changes act.
    fn damping(&self) -> Damping;

    /// What must be watched for it; `None` where no reading can change its verdict.
    fn source(&self) -> Option<&SourceKey>;

    /// Judges a reading of its source; where it has no source, any reading gets the same answer.
    fn check(&self, reading: &ErasedReading, now: WallTime) -> Verdict;
}

/// A constraint of a registered kind.
#[derive(Debug)]
pub(super) struct Typed<C: Constraint> {
    constraint: C,
    key: SourceKey,
    /// What it answers where nothing is known; `None`: what its type says.
    answer: Option<Answer>,
}

impl<C: Constraint> Typed<C> {
    pub(super) fn new(constraint: C) -> Self {
        Self::answering(constraint, None)
    }

    pub(super) fn answering(constraint: C, answer: Option<Answer>) -> Self {
        let key = SourceKey::new::<C::Source>(constraint.key());
        Self { constraint, key, answer }
    }

    fn judge(&self, reading: &ErasedReading, now: WallTime) -> Verdict {
        match reading {
            ErasedReading::Known(state) => {
                let state =
                    (&**state as &dyn Any).downcast_ref().expect("a reading reaches its own constraints");
                self.constraint.check(state, now)
            }
            ErasedReading::Unknown(why) => match self.answer {
                Some(answer) => answer.verdict(why),
                None => self.constraint.unknown(why),
            },
            ErasedReading::Lost(why) => Verdict::hold(why.clone()),
        }
    }
}

/// What user code answers, or the text of its panic: the thread that asks serves all work.
pub(super) fn guarded<T>(ask: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(ask)).map_err(|panic| monitor::panic_text(&*panic).to_owned())
}

impl<C: Constraint> ErasedConstraint for Typed<C> {
    fn kind(&self) -> &str {
        C::KIND
    }

    fn describe(&self) -> Cow<'static, str> {
        guarded(|| self.constraint.describe()).unwrap_or(Cow::Borrowed(C::KIND))
    }

    fn damping(&self) -> Damping {
        // What breaks here is stopped as if nothing were said about it: by the defaults.
        guarded(|| self.constraint.damping()).unwrap_or(Damping::DEFAULT)
    }

    fn source(&self) -> Option<&SourceKey> {
        Some(&self.key)
    }

    fn check(&self, reading: &ErasedReading, now: WallTime) -> Verdict {
        guarded(|| self.judge(reading, now))
            .unwrap_or_else(|panic| Verdict::hold(format!("its check panicked: {panic}")))
    }
}

/// A constraint that nothing can meet in this process, and why.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) kind: String,
    pub(super) why: String,
}

impl ErasedConstraint for Held {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn describe(&self) -> Cow<'static, str> {
        Cow::Owned(self.kind.clone())
    }

    fn damping(&self) -> Damping {
        Damping::NONE
    }

    fn source(&self) -> Option<&SourceKey> {
        None
    }

    fn check(&self, _: &ErasedReading, _: WallTime) -> Verdict {
        Verdict::hold(self.why.clone())
    }
}

/// A source whose types are forgotten.
pub(crate) trait ErasedSource: Send + Sync {
    /// Reads the truth now; a panic counts as [`ErasedReading::Unknown`].
    fn read(&self, key: &SourceKey) -> BoxFuture<'static, ErasedReading>;

    /// Watches one key and reports every distinct reading, until dropped.
    fn monitor(&self, key: SourceKey, clock: Arc<dyn Clock>, report: Report) -> BoxFuture<'static, ()>;
}

/// `S` in the place of the declared source `D`.
pub(super) struct Standing<D, S> {
    source: Arc<S>,
    declared: PhantomData<fn() -> D>,
}

impl<D, S> Standing<D, S> {
    pub(super) fn new(source: S) -> Self {
        Self { source: Arc::new(source), declared: PhantomData }
    }
}

impl<D: Source, S: Source<Key = D::Key, State = D::State>> ErasedSource for Standing<D, S> {
    fn read(&self, key: &SourceKey) -> BoxFuture<'static, ErasedReading> {
        let (source, typed) = (Arc::clone(&self.source), key.typed::<S::Key>().clone());
        Box::pin(async move {
            match monitor::unwinding(async { source.read(&typed).await }).await {
                Ok(reading) => reading.into(),
                Err(why) => ErasedReading::Unknown(why),
            }
        })
    }

    fn monitor(&self, key: SourceKey, clock: Arc<dyn Clock>, report: Report) -> BoxFuture<'static, ()> {
        let (source, typed) = (Arc::clone(&self.source), key.typed::<S::Key>().clone());
        Box::pin(async move {
            monitor::monitor(&*source, &typed, &*clock, |reading| report(key.clone(), reading)).await;
        })
    }
}
