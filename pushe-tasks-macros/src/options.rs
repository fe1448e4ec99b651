//! Reads the list of options.
//!
//! Invariant: an entry that cannot be read hides no other: reading goes on behind the next comma, and
//! every value is read as an expression before anyone judges it.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use pushe_tasks_syntax::words::nearest;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, LitStr, Path, Token};

use crate::diag::{Diagnostics, one_of};
use crate::messages;
use crate::period::Period;
use crate::requires::{self, Requirement};
use crate::value::{Number, Priority, Time, Word, read};

/// A key of the list: its name, what it takes, and how it is written.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) example: &'static str,
}

const fn key(name: &'static str, kind: &'static str, example: &'static str) -> Key {
    Key { name, kind, example }
}

const TEXT: &str = "a text in quotes";
const WORD: &str = "one word";
const TIME: &str = "a duration in quotes";
const NUMBER: &str = "a whole number";

static KEYS: &[Key] = &[
    key("name", TEXT, "name = \"...\""),
    key("aliases", "a list of texts in quotes", "aliases(\"...\")"),
    key("task", "the name of a type", "task = OtherName"),
    key("id", "a text in quotes or the path of a function", "id = \"...\""),
    key("policy", WORD, "policy = Keep"),
    key("network", WORD, "network = Connected"),
    key("requires", "a list of constraints", "requires(Charging)"),
    key("on_lost", WORD, "on_lost = Finish"),
    key("retry", "a list of options", "retry(max_attempts = 8)"),
    key("retry_if", "the path of a function", "retry_if = is_temporary"),
    key("timeout", TIME, "timeout = \"10m\""),
    key("delay", TIME, "delay = \"5s\""),
    key("priority", "`Low`, `Normal`, `High` or whole minutes", "priority = High"),
    key("expedited", "no value", "expedited"),
    key("expires", TIME, "expires = \"1d\""),
    key("every", TIME, "every = \"1h\""),
    key("flex", TIME, "flex = \"10m\""),
    key("cron", TEXT, "cron = \"30 4 * * *\""),
    key("tz", TEXT, "tz = \"Europe/Paris\""),
    key("missed", WORD, "missed = Once"),
    key("min_gap", TIME, "min_gap = \"30m\""),
    key("stop_after", NUMBER, "stop_after = 5"),
    key("tags", "a list of texts in quotes", "tags(\"...\")"),
    key("concurrency", NUMBER, "concurrency = 4"),
    key("run_on", WORD, "run_on = Cpu"),
    key("crate", "a path", "crate = ::pushe_tasks"),
];

static RETRY_KEYS: &[Key] = &[
    key("max_attempts", NUMBER, "max_attempts = 8"),
    key("backoff", WORD, "backoff = Exponential"),
    key("delay", TIME, "delay = \"30s\""),
    key("max_delay", TIME, "max_delay = \"5h\""),
    key("jitter", "a number", "jitter = 0.1"),
];

static POLICIES: &[&str] = &["Keep", "Replace", "Append", "AppendAfterSuccess"];

static NETWORKS: &[&str] =
    &["NotRequired", "Connected", "Unmetered", "NotRoaming", "Metered", "TemporarilyUnmetered"];

/// What follows a key.
pub(crate) enum Value {
    Nothing,
    Expr(Expr),
    List(Group),
}

/// One entry of the list.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) spec: &'static Key,
    pub(crate) value: Value,
}

/// Where the id comes from.
pub(crate) enum Id {
    Text(LitStr),
    Function(Path),
}

/// The options of `retry(..)`.
#[derive(Default)]
pub(crate) struct RetryOptions {
    pub(crate) max_attempts: Option<Number<u32>>,
    pub(crate) backoff: Option<Word>,
    pub(crate) delay: Option<Time>,
    pub(crate) max_delay: Option<Time>,
    pub(crate) jitter: Option<Number<f64>>,
}

/// The options of a task, as far as they could be read.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) task: Option<Ident>,
    pub(crate) id: Option<Id>,
    /// Whether an id was meant, readable or not.
    pub(crate) has_id: bool,
    /// The key, for the rule that is about the option and not its value.
    pub(crate) policy_key: Option<Ident>,
    pub(crate) policy: Option<Word>,
    pub(crate) network: Option<Word>,
    pub(crate) requires: Vec<Requirement>,
    /// Whether a constraint was meant, readable or not.
    pub(crate) has_constraint: bool,
    /// The key, for the rule that is about the option and not its value.
    pub(crate) on_lost_key: Option<Ident>,
    pub(crate) on_lost: Option<Word>,
    pub(crate) retry: Option<RetryOptions>,
    pub(crate) retry_if: Option<(Ident, Path)>,
    pub(crate) timeout: Option<Time>,
    pub(crate) delay: Option<Time>,
    pub(crate) priority: Option<Priority>,
    /// The keys of `priority` and `expedited`, in their order.
    pub(crate) urgency_keys: Vec<Ident>,
    pub(crate) expires: Option<Time>,
    pub(crate) period: Period,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) concurrency: Option<Number<u32>>,
    pub(crate) run_on: Option<Word>,
    /// Whether `run_on` was meant, readable or not.
    pub(crate) has_run_on: bool,
    pub(crate) krate: Option<Path>,
}

impl Options {
    /// Reads what stands in the parentheses of the attribute.
    pub(crate) fn read(tokens: TokenStream, diag: &mut Diagnostics) -> Self {
        let mut options = Self::default();
        for entry in entries(tokens, KEYS, diag) {
            match entry.spec.name {
                "name" => options.name = read::text(&entry, diag),
                "aliases" => options.aliases = read::texts(&entry, diag),
                "task" => options.task = read::ident(&entry, diag),
                "id" => {
                    options.has_id = true;
                    options.id = read::id(&entry, diag);
                }
                "policy" => {
                    options.policy = read::word(&entry, "policy", POLICIES, diag);
                    options.policy_key = Some(entry.key);
                }
                "network" => {
                    options.network = read::word(&entry, "network type", NETWORKS, diag);
                    let none = options.network.as_ref().is_some_and(|network| network.is("NotRequired"));
                    options.has_constraint |= !none;
                }
                "requires" => {
                    options.has_constraint = true;
                    options.requires = requires::read(&entry, diag);
                }
                "on_lost" => {
                    options.on_lost = read::word(&entry, "answer to a loss", &["Stop", "Finish"], diag);
                    options.on_lost_key = Some(entry.key);
                }
                "retry" => options.retry = RetryOptions::read(&entry, diag),
                "retry_if" => options.retry_if = read::path(&entry, diag).map(|path| (entry.key, path)),
                "timeout" => options.timeout = read::time(&entry, diag),
                "delay" => options.delay = read::time(&entry, diag),
                "priority" => {
                    options.priority = read::priority(&entry, diag);
                    options.urgency_keys.push(entry.key);
                }
                "expedited" => {
                    options.priority = read::flag(&entry, diag).then_some(Priority::Expedited);
                    options.urgency_keys.push(entry.key);
                }
                "expires" => options.expires = read::time(&entry, diag),
                "every" | "flex" | "cron" | "tz" | "missed" | "min_gap" | "stop_after" => {
                    options.period.read(entry, diag);
                }
                "tags" => options.tags = read::texts(&entry, diag),
                "concurrency" => options.concurrency = read::whole(&entry, diag),
                "run_on" => {
                    options.has_run_on = true;
                    options.run_on = read::word(&entry, "executor", &["Io", "Cpu", "Blocking"], diag);
                }
                _ => options.krate = read::path(&entry, diag),
            }
        }
        options
    }

    /// What a task without any options has, in the same crate and under the same type name.
    pub(crate) fn without_values(self) -> Self {
        Self { task: self.task, krate: self.krate, ..Self::default() }
    }
}

impl RetryOptions {
    fn read(entry: &Entry, diag: &mut Diagnostics) -> Option<Self> {
        let list = read::list(entry, diag)?;
        let mut options = Self::default();
        for entry in entries(list.stream(), RETRY_KEYS, diag) {
            match entry.spec.name {
                "max_attempts" => options.max_attempts = read::whole(&entry, diag),
                "backoff" => {
                    let known = ["Exponential", "Linear", "Fixed"];
                    options.backoff = read::word(&entry, "back-off", &known, diag);
                }
                "delay" => options.delay = read::time(&entry, diag),
                "max_delay" => options.max_delay = read::time(&entry, diag),
                _ => options.jitter = read::fraction(&entry, diag),
            }
        }
        Some(options)
    }
}

/// Cuts a list into entries of known keys, each at most once.
fn entries(tokens: TokenStream, known: &'static [Key], diag: &mut Diagnostics) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            if let Some(entry) = entry(input, known, diag) {
                if found.iter().any(|other| other.spec.name == entry.spec.name) {
                    diag.on(&entry.key, messages::option_twice(entry.spec.name));
                } else {
                    found.push(entry);
                }
            }
            skip_past_comma(input);
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        diag.syntax(error);
    }
    found
}

/// Reads one entry up to its comma.
fn entry(input: ParseStream<'_>, known: &'static [Key], diag: &mut Diagnostics) -> Option<Entry> {
    let Ok(key) = input.call(Ident::parse_any) else {
        diag.at(input.span(), messages::expected_option());
        return None;
    };
    let name = key.unraw().to_string();
    let names = || known.iter().map(|key| key.name);
    let spec = known.iter().find(|key| key.name == name);
    let Some(spec) = spec else {
        diag.on(
            &key,
            match nearest(&name, names()) {
                Some(near) => messages::unknown_option_near(name, near),
                None => messages::unknown_option(name, one_of(names())),
            },
        );
        return None;
    };
    let value = value(input, &key, spec, diag)?;
    if !input.is_empty() && !input.peek(Token![,]) {
        diag.at(input.span(), messages::expected_comma());
    }
    Some(Entry { key, spec, value })
}

fn value(input: ParseStream<'_>, key: &Ident, spec: &Key, diag: &mut Diagnostics) -> Option<Value> {
    if input.peek(syn::token::Paren) {
        return input.parse().ok().map(Value::List);
    }
    if input.parse::<Option<Token![=]>>().ok()?.is_none() {
        return Some(Value::Nothing);
    }
    if input.is_empty() || input.peek(Token![,]) {
        diag.on(key, messages::needs_value(spec.name, spec.example));
        return None;
    }
    let span = input.span();
    let value = input.parse().ok().map(Value::Expr);
    if value.is_none() {
        diag.at(span, messages::takes(spec.name, spec.kind, spec.example));
    }
    value
}

fn skip_past_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
    // Nothing is left, or a comma.
    let _ = input.parse::<Option<Token![,]>>();
}

impl Entry {
    /// Says that the value is not what the option takes.
    pub(crate) fn refuse(&self, diag: &mut Diagnostics) {
        let Key { name, kind, example } = self.spec;
        match &self.value {
            Value::Nothing => diag.on(&self.key, messages::needs_value(name, example)),
            Value::Expr(value) => diag.on(value, messages::takes(name, kind, example)),
            Value::List(list) => diag.on(list, messages::takes(name, kind, example)),
        }
    }
}

impl ToTokens for Id {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Text(text) => text.to_tokens(tokens),
            Self::Function(path) => path.to_tokens(tokens),
        }
    }
}

/// The place of a whole list, for a rule about what it lacks.
pub(crate) fn list_span(list: &Group) -> Span {
    list.span_open()
}
