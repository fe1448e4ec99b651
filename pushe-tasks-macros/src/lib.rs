//! The attribute of pushe-tasks; use it through that crate.
//!
//! Invariant: it knows no store and nothing of the runtime but `pushe_tasks::__private`. It reads, checks
//! and writes a few lines; anything that can live in the runtime lives there.

mod check;
mod diag;
mod expand;
mod id_format;
mod item;
mod messages;
mod naming;
mod options;
mod period;
mod requires;
mod value;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use diag::Diagnostics;
use expand::Task;
use item::Item;
use options::Options;

/// Makes a task of a function.
///
/// The function stays as it is and can be called. Beside it stands a type with the function's name in
/// `UpperCamel`, its visibility and its documentation, which implements `Task`, holds the options as
/// `OPTIONS`, and schedules work with `schedule(input)`; a task without input has `schedule()`.
///
/// The first argument is the input, unless its type is `State`, `TaskContext` or `CancellationToken` or
/// it bears `#[extract]`; `#[input]` says the other way. Every further argument is extracted.
///
/// # Options
/// | option | meaning | default |
/// |---|---|---|
/// | `name = "..."` | the name stored with the work | the type's name |
/// | `aliases("...", ..)` | earlier names, under which stored work is still found | none |
/// | `task = OtherName` | the name of the type | the function's name |
/// | `id = "a/{field}"`, `id = path::to_fn` | the id of the work, made from its input | none |
/// | `policy = Keep`, `Replace`, `Append`, `AppendAfterSuccess` | what happens to unfinished work with that id | `Append`, of periodic work `Keep` |
/// | `network = Connected`, `NotRequired` | the network that the work needs | `NotRequired` |
/// | `retry(max_attempts = 8, backoff = Exponential, delay = "30s", max_delay = "5h", jitter = 0.1)` | how failed attempts are made again | as written, any number of attempts |
/// | `retry_if = path::to_fn` | `fn(&E) -> bool`; an error it refuses fails at once | none |
/// | `timeout = "10m"` | how long an attempt may take before it is told to stop; after `stop_grace` it is dropped | none |
/// | `delay = "5s"` | the least time from scheduling to the first attempt | none |
/// | `priority = Low`, `Normal`, `High`, `15`, or `expedited` | how far it jumps the queue: 10 minutes down or up, so many minutes, an hour | `Normal` |
/// | `expires = "1d"` | how long after it was scheduled, or after its slot, it is not started any more | never |
/// | `every = "1h"` with `flex = "10m"`, or `cron = "30 4 * * *"` with `tz = "Europe/Paris"` | when it runs again and again | once |
/// | `missed = Once`, `Skip`, `All`; `min_gap = "30m"`; `stop_after = 5` | what becomes of missed slots; the least time between two runs; the most failed periods in a row | `Once`; none; none |
/// | `concurrency = 4` | how many pieces of its work run at a time | no limit |
/// | `run_on = Io`, `Cpu`, `Blocking` | where the body runs; `Blocking` takes a plain `fn` | `Io` |
/// | `crate = ::path` | where this crate is found | `::pushe_tasks` |
#[proc_macro_attribute]
pub fn pushe_task(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    task(options.into(), &item.into()).into()
}

fn task(options: TokenStream, tokens: &TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    let options = Options::read(options, &mut diag);
    let Some(item) = Item::read(tokens.clone(), &mut diag) else {
        let errors = diag.into_items();
        return quote!(#tokens #errors);
    };
    let usable = check::signature(&item, &mut diag);
    check::options(&options, &item, &mut diag);

    let registered = diag.is_empty();
    let name = naming::fallback_name(&options, &item);
    let options = if registered { options } else { options.without_values() };
    let beside =
        (!item.is_method).then(|| Task { item: &item, options: &options, name, usable, registered }.expand());
    let errors = diag.into_items();
    quote!(#item #beside #errors)
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, sig, body, .. } = self;
        tokens.extend(quote!(#(#attrs)* #vis #sig #body));
    }
}
