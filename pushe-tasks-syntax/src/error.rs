//! What can be wrong with the value of an option.
//!
//! Invariant: every text is written in the one table below, and `TEXTS` lists them all.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use crate::cron::CronError;
use crate::limits::{ID_BYTES, NAME_BYTES, PRIORITY_MINUTES};
use crate::zone::ZoneError;

/// Makes an enum, its texts and the list of them from one table.
macro_rules! texts {
    ($(#[$outer:meta])* $enum:ident {
        $($(#[$doc:meta])* $name:ident $({ $($field:ident: $type:ty),+ })? => $text:literal,)+
    }) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $enum {
            $($(#[$doc])* $name $({
                $(
                    #[doc = concat!("The `", stringify!($field), "` that the text names.")]
                    $field: $type,
                )+
            })?,)+
        }

        impl $enum {
            /// The texts of all errors, with their fields in braces.
            #[doc(hidden)]
            pub const TEXTS: &'static [&'static str] = &[$($text),+];
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name $({ $($field),+ })? => write!(f, $text),)+
                }
            }
        }

        impl Error for $enum {}
    };
}

pub(crate) use texts;

texts! {
    /// A value that an option cannot have.
    ///
    /// The text names what is wrong and, after a semicolon, what to write instead.
    OptionError {
        /// A duration without any text.
        DurationEmpty => "a duration cannot be empty; write a number and a unit such as `30s` or `1h 30m`",
        /// A unit, or something else, where a number must stand.
        DurationNumber { found: String } => "expected a whole number before `{found}`; write for example `30s` or `1h 30m`",
        /// A number without a unit.
        DurationUnitMissing { number: String } => "`{number}` has no unit; write for example `{number}s`",
        /// A unit that does not exist.
        DurationUnit { unit: String } => "unknown unit `{unit}`; use `ms`, `s`, `m`, `h` or `d`",
        /// Units that do not go from large to small.
        DurationOrder { unit: String, previous: String } => "`{unit}` cannot follow `{previous}`; write each unit once, the larger one first",
        /// More than a hundred years.
        DurationTooLong => "the duration is longer than 100 years; write a shorter one",

        /// A brace that nothing closes.
        BraceOpen => "this `{{` is never closed; write `}}` after the placeholder, or `{{{{` for a brace in the id",
        /// A closing brace that nothing opens.
        BraceClosed => "this `}}` closes nothing; write `}}}}` for a brace in the id",
        /// A brace inside a placeholder.
        BraceNested => "a placeholder cannot hold another brace; close it first",
        /// A placeholder that is no field path.
        Placeholder { found: String } => "`{found}` is not a field of the input; write a field path such as `album`, `user.id` or `0`, or nothing for the input itself",
        /// A format that asks for further arguments.
        FormatArgument { found: String } => "the format `{found}` takes a width or precision from an argument; write it as a number",

        /// An id of no characters.
        IdEmpty => "an id cannot be empty; write 1 to 512 bytes or leave `id` out",
        /// An id that is too long.
        IdTooLong { bytes: usize } => "an id cannot be longer than 512 bytes, and this one has {bytes}; shorten it",
        /// A name of no characters.
        NameEmpty => "a task name cannot be empty; write 1 to 512 bytes",
        /// A name that is too long.
        NameTooLong { bytes: usize } => "a task name cannot be longer than 512 bytes, and this one has {bytes}; shorten it",
        /// An alias that is the name.
        AliasIsName { alias: String } => "`{alias}` is the task's own name; an alias is an earlier one, so remove it",
        /// An alias that is given twice.
        AliasTwice { alias: String } => "the alias `{alias}` is given twice; keep one",
        /// A tag of no characters.
        TagEmpty => "a tag cannot be empty; write 1 to 128 bytes",
        /// A tag that is too long.
        TagTooLong { bytes: usize } => "a tag cannot be longer than 128 bytes, and this one has {bytes}; shorten it",
        /// A tag that is given twice.
        TagTwice { tag: String } => "the tag `{tag}` is given twice; keep one",
        /// More tags than one piece of work may bear.
        TooManyTags { tags: usize } => "work cannot bear more than 32 tags, and this has {tags}; leave some out",
        /// A duration of nothing.
        ZeroDuration { option: &'static str } => "`{option}` cannot be zero; write a longer duration or leave `{option}` out",
        /// No attempt at all.
        ZeroAttempts => "`max_attempts` cannot be 0; write at least 1, or leave it out for no limit",
        /// A random part that is no fraction.
        Jitter => "`jitter` is a fraction; write a number from 0 to 1",
        /// A first back-off longer than the longest one.
        DelayAboveMax => "`delay` is longer than `max_delay`; write a shorter `delay` or a longer `max_delay`",
        /// Nothing may run.
        ZeroConcurrency => "`concurrency` cannot be 0; write at least 1, or leave it out for no limit",
        /// A place that is no host and port.
        HostAndPort { found: String } => "`{found}` is no host and port; write for example `db.local:5432` or `[::1]:80`",
        /// Something to do on the loss of a constraint where there is none.
        OnLostWithoutConstraint => "`on_lost` has no effect without a constraint; add `network` or `requires(..)`, or remove `on_lost`",
        /// A policy that has nothing to act on.
        PolicyWithoutId => "`policy` has no effect without `id`; add `id = \"...\"` or remove `policy`",
        /// A place in the queue that is too far off.
        PriorityTooFar => "`priority` is at most a week off; write minutes from -10080 to 10080",
        /// Two priorities.
        ExpeditedAndPriority => "`expedited` is a priority of its own; keep it or `priority`",
        /// Work that nobody may ever start.
        ExpiresBeforeStart => "`expires` passes before the work may start; write a longer `expires` or an earlier start",
        /// A period that is too short.
        EveryTooShort => "`every` is shorter than a second; write `1s` or longer",
        /// Two rhythms.
        EveryAndCron => "`every` and `cron` both say when it runs; keep one",
        /// A window of nothing.
        FlexWithoutEvery => "`flex` has no effect without `every`; add `every = \"...\"` or remove `flex`",
        /// A window that is longer than the period.
        FlexAboveEvery => "`flex` is longer than `every`; write a shorter `flex`",
        /// A zone for no clock.
        TzWithoutCron => "`tz` has no effect without `cron`; add `cron = \"...\"` or remove `tz`",
        /// An option of periodic work on other work.
        WithoutPeriod { option: &'static str } => "`{option}` has no effect without a period; add `every` or `cron`, or remove `{option}`",
        /// An end before the beginning.
        ZeroStopAfter => "`stop_after` cannot be 0; write at least 1, or leave it out for no end",
        /// A queue behind work that never ends.
        AppendPeriodic => "periodic work cannot be appended, since the work before it never ends; write `Keep` or `Replace`",
        /// A text that is no cron text.
        WrongCron { error: CronError } => "`cron`: {error}",
        /// A text that is no name of a time zone.
        WrongZone { error: ZoneError } => "`tz`: {error}",
    }
}

// The texts above write these numbers out.
const _: () = assert!(ID_BYTES == 512 && NAME_BYTES == 512 && PRIORITY_MINUTES == 10_080);

/// An error at a place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError<E = OptionError> {
    /// What is wrong.
    pub error: E,
    /// Where, in bytes of the text.
    pub at: Range<usize>,
}

impl<E> TextError<E> {
    pub(crate) fn new(error: E, at: Range<usize>) -> Self {
        Self { error, at }
    }

    /// The text with a line of carets under the wrong part.
    ///
    /// # Examples
    /// ```
    /// let error = pushe_tasks_syntax::duration::parse("1h 5x").unwrap_err();
    /// assert_eq!(error.caret("1h 5x"), "  1h 5x\n      ^");
    /// ```
    pub fn caret(&self, text: &str) -> String {
        // A text of several lines, or with tabs in it, is shown as one line so that the carets fit.
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let count = |part: Option<&str>| part.map_or(0, |part| part.chars().count());
        let before = count(text.get(..self.at.start));
        let under = count(text.get(self.at.clone())).max(1);
        format!("  {line}\n  {}{}", " ".repeat(before), "^".repeat(under))
    }
}

impl<E: fmt::Display> fmt::Display for TextError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: Error> Error for TextError<E> {}
