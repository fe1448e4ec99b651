//! The attribute of pushe-tasks.
//!
//! Invariant: it only translates. It checks, then emits a few lines that call `pushe_tasks::__private`; it knows no store
//! and no runtime.

mod check;
mod diag;
mod expand;
mod id;
mod item;
mod messages;
mod options;
mod value;

use proc_macro::TokenStream;

/// Makes a task of a function.
///
/// `async fn upload_photo` stays callable as it was written; beside it stand the type `UploadPhoto`, its options
/// `UploadPhoto::OPTIONS` and `UploadPhoto::schedule(input)`, which begins to schedule one piece of work. A task without
/// input has `schedule()`.
///
/// | option | what it says | default |
/// |---|---|---|
/// | `name = "..."` | the stored name, by which the code is found again | the type's name |
/// | `aliases("...")` | earlier stored names | none |
/// | `task = OtherName` | the name of the generated type | the function's, in upper camel case |
/// | `id = "upload/{album}"` | the unique id, formatted from the input's fields | none: every call is its own work |
/// | `id = path` | a function from `&Input` to `String` that makes the id | |
/// | `policy = Keep` | what scheduling does when unfinished work bears the id: `Keep`, `Replace`, `Append` | `Append` |
/// | `network = Connected` | the network that it needs: `Connected`, `NotRequired` | `NotRequired` |
/// | `retry(..)` | `max_attempts`, `backoff = Exponential`, `delay`, `max_delay`, `jitter` | no end, 30 s, 5 h, 0.1 |
/// | `retry_if = path` | a function from `&Error` to `bool`; `false` fails at once | every error is retried |
/// | `timeout = "10m"` | how long an attempt may take | no limit |
/// | `delay = "5s"` | the earliest start, counted from `schedule` | at once |
/// | `concurrency = 4` | the most bodies of this task at once | the scheduler's limit |
/// | `run_on = Cpu` | `Io`, `Cpu` (one thread), or `Blocking` for a plain `fn` | `Io` |
/// | `crate = ::path` | where `pushe_tasks` is | `::pushe_tasks` |
///
/// The first argument is the input unless its type is `State`, `TaskContext` or `CancellationToken`, or it bears
/// `#[extract]`; `#[input]` says the other way. Arguments after it are extracted.
#[proc_macro_attribute]
pub fn pushe_task(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::task(options.into(), item.into()).into()
}
