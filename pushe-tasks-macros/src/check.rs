//! The rules, one function each, in reading order.
//!
//! Invariant: a rule only looks and reports; what is emitted then is decided elsewhere.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use pushe_tasks_syntax::id_format::{self, Piece};
use pushe_tasks_syntax::{limits, rules};
use quote::ToTokens;
use syn::{GenericArgument, LitStr, PathArguments, ReturnType, Safety, Type};

use crate::diag::Diagnostics;
use crate::item::{Item, bare, last_segment};
use crate::messages;
use crate::naming;
use crate::options::{Id, Options, RetryOptions};
use crate::value::{Priority, Time};

/// Judges the function; whether its types can stand in the task's implementation.
pub(crate) fn signature(item: &Item, diag: &mut Diagnostics) -> Usable {
    let plain = modifiers(item, diag);
    receiver(item, diag);
    let generic = generic(item, diag);
    let input = input_type(item, diag);
    let extracted = extracted_types(item, diag);
    let output = return_type(item, diag);
    let call = plain && extracted && item.marks_fit && !generic;
    Usable { input: input && !generic, call, output: output && !generic }
}

/// Which parts of the signature the implementation can name.
#[derive(Clone, Copy)]
pub(crate) struct Usable {
    pub(crate) input: bool,
    pub(crate) call: bool,
    pub(crate) output: bool,
}

/// Judges the options, alone, against each other and against the function.
pub(crate) fn options(options: &Options, item: &Item, diag: &mut Diagnostics) {
    names(options, item, diag);
    type_name(options, item, diag);
    id(options, item, diag);
    policy(options, diag);
    on_lost(options, diag);
    if let Some(retry) = &options.retry {
        self::retry(retry, diag);
    }
    retry_if(options, item, diag);
    not_zero("timeout", options.timeout.as_ref(), diag);
    not_zero("delay", options.delay.as_ref(), diag);
    urgency(options, diag);
    expires(options, diag);
    options.period.check(diag);
    tags(options, diag);
    if let Some(limit) = &options.concurrency {
        diag.judge(limit, rules::concurrency(limit.value.into()));
    }
    run_on(options, item, diag);
}

fn tags(options: &Options, diag: &mut Diagnostics) {
    let mut earlier = Vec::new();
    for (index, tag) in options.tags.iter().enumerate() {
        let value = tag.value();
        diag.judge(tag, rules::tag_among(&value, &earlier));
        // Said once, on the first that is too many.
        if index == limits::TAGS {
            diag.judge(tag, rules::tags(options.tags.len()));
        }
        earlier.push(value);
    }
}

fn modifiers(item: &Item, diag: &mut Diagnostics) -> bool {
    let sig = &item.sig;
    if let Some(token) = &sig.constness {
        diag.on(token, messages::modifier("const"));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        diag.on(token, messages::modifier("unsafe"));
    }
    if let Some(abi) = &sig.abi {
        diag.on(&abi.extern_token, messages::modifier("extern"));
    }
    sig.constness.is_none() && matches!(sig.safety, Safety::Default) && sig.abi.is_none()
}

fn receiver(item: &Item, diag: &mut Diagnostics) {
    if let Some(receiver) = item.sig.receiver() {
        diag.on(receiver, messages::receiver());
    }
}

fn generic(item: &Item, diag: &mut Diagnostics) -> bool {
    let generics = &item.sig.generics;
    if !generics.params.is_empty() {
        diag.on(generics, messages::generic());
    }
    !generics.params.is_empty()
}

fn input_type(item: &Item, diag: &mut Diagnostics) -> bool {
    let Some(input) = &item.input else { return true };
    if let Type::ImplTrait(_) = bare(input) {
        diag.on(input, messages::impl_argument());
        return false;
    }
    // With parameters of its own the function is refused for those, and their lifetimes with it.
    let borrowed = item.sig.generics.params.is_empty() && (is_borrowed(input) || is_reference(input));
    if borrowed {
        diag.on(input, messages::borrowed_input());
    }
    !borrowed
}

fn extracted_types(item: &Item, diag: &mut Diagnostics) -> bool {
    let mut usable = true;
    for extracted in &item.extracted {
        match bare(extracted) {
            Type::ImplTrait(_) => diag.on(extracted, messages::impl_argument()),
            Type::Reference(_) => diag.on(extracted, messages::borrowed_extract()),
            _ => continue,
        }
        usable = false;
    }
    usable
}

fn return_type(item: &Item, diag: &mut Diagnostics) -> bool {
    let ReturnType::Type(_, returned) = &item.sig.output else { return true };
    let has_impl = any_token(
        returned.to_token_stream(),
        &|token| matches!(token, TokenTree::Ident(word) if word == "impl"),
    );
    if has_impl {
        diag.on(returned, messages::impl_return());
        return false;
    }
    if let Some(found) = no_outcome(returned) {
        diag.on(returned, messages::no_outcome(found));
        return false;
    }
    let borrowed = item.sig.generics.params.is_empty()
        && (is_borrowed(returned) || answer(returned).is_some_and(is_reference));
    if borrowed {
        diag.on(returned, messages::borrowed_return());
    }
    !borrowed
}

/// How a type is called that is plainly no outcome; what an alias stands for, only the compiler knows.
fn no_outcome(returned: &Type) -> Option<String> {
    const KNOWN: [&str; 20] = [
        "String", "Option", "Vec", "Box", "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8",
        "i16", "i32", "i64", "i128", "isize", "f32", "f64",
    ];
    match bare(returned) {
        Type::Tuple(tuple) => (!tuple.elems.is_empty()).then(|| "(..)".to_owned()),
        Type::Array(_) => Some("[..]".to_owned()),
        _ => last_segment(returned).map(ToString::to_string).filter(|last| KNOWN.contains(&last.as_str())),
    }
}

fn is_reference(ty: &Type) -> bool {
    matches!(bare(ty), Type::Reference(_))
}

/// The `T` of `Outcome<T>`, `Result<T, E>` and `Result<Outcome<T>, E>`, as far as it is written out.
fn answer(returned: &Type) -> Option<&Type> {
    let Type::Path(path) = bare(returned) else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let Some(GenericArgument::Type(first)) = arguments.args.first() else { return None };
    let known = last.ident == "Result" || last.ident == "Outcome";
    known.then(|| answer(first).unwrap_or(first))
}

/// Whether a reference or a lifetime other than `'static` stands in the type.
fn is_borrowed(ty: &Type) -> bool {
    let mut previous_is_quote = false;
    let mut found = false;
    let mut tokens = flat(ty.to_token_stream()).into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Punct(mark) if mark.as_char() == '\'' => {
                previous_is_quote = true;
                continue;
            }
            TokenTree::Ident(lifetime) if previous_is_quote => found |= lifetime != "static",
            TokenTree::Punct(mark) if mark.as_char() == '&' => {
                let named = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'');
                found |= !named;
            }
            _ => {}
        }
        previous_is_quote = false;
    }
    found
}

fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => all.extend(flat(group.stream())),
            other => all.push(other),
        }
    }
    all
}

fn any_token(tokens: TokenStream, wanted: &impl Fn(&TokenTree) -> bool) -> bool {
    flat(tokens).iter().any(wanted)
}

fn names(options: &Options, item: &Item, diag: &mut Diagnostics) {
    if let Some(name) = &options.name {
        diag.judge(name, rules::name(&name.value()));
    }
    let own = match &options.name {
        Some(name) => name.value(),
        None => naming::type_name(options, item).map(|name| name.to_string()).unwrap_or_default(),
    };
    let mut earlier: Vec<String> = Vec::new();
    for alias in &options.aliases {
        diag.judge(alias, rules::alias(&alias.value(), &own, &earlier));
        earlier.push(alias.value());
    }
}

fn type_name(options: &Options, item: &Item, diag: &mut Diagnostics) {
    let function = item.name();
    let Some(name) = naming::type_name(options, item) else {
        diag.on(function, messages::no_type_name(function));
        return;
    };
    if name == *function {
        match &options.task {
            Some(task) => diag.on(task, messages::same_as_function(task)),
            None => diag.on(function, messages::same_as_function(function)),
        }
    } else if naming::is_common(&name) {
        diag.on(options.task.as_ref().unwrap_or(function), messages::same_as_common(&name));
    } else if let Some(input) = item.input.as_ref().filter(|input| naming::is_named(input, &name)) {
        diag.on(input, messages::same_as_input(name));
    }
}

fn id(options: &Options, item: &Item, diag: &mut Diagnostics) {
    match &options.id {
        Some(Id::Text(text)) => id_text(text, item, diag),
        Some(Id::Function(path)) if item.input.is_none() => {
            diag.on(path, messages::id_function_without_input());
        }
        _ => {}
    }
}

fn id_text(text: &LitStr, item: &Item, diag: &mut Diagnostics) {
    let written = text.value();
    let pieces = match id_format::parse(&written) {
        Ok(pieces) => pieces,
        Err(error) => {
            let caret = error.caret(&written);
            diag.on(text, messages::wrong_text("id", error, caret));
            return;
        }
    };
    let plain: String = pieces
        .iter()
        .filter_map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None })
        .collect();
    let has_placeholder = pieces.iter().any(|piece| matches!(piece, Piece::Placeholder { .. }));
    if has_placeholder && item.input.is_none() && item.sig.receiver().is_none() {
        diag.on(text, messages::placeholder_without_input());
    }
    // What a placeholder adds is known only when work is scheduled.
    if !has_placeholder || plain.len() > limits::ID_BYTES {
        diag.judge(text, rules::id(&plain));
    }
}

fn policy(options: &Options, diag: &mut Diagnostics) {
    if let Some(key) = &options.policy_key {
        // A word that is unknown has been reported; the option is one mistake, not two.
        if options.policy.is_some() {
            diag.judge(key, rules::policy(true, options.has_id || options.period.is_meant()));
        }
    }
    if let Some(policy) = &options.policy {
        let appends = policy.is("Append") || policy.is("AppendAfterSuccess");
        diag.judge(policy, rules::periodic_policy(appends, options.period.is_meant()));
    }
}

fn on_lost(options: &Options, diag: &mut Diagnostics) {
    if let Some(key) = &options.on_lost_key {
        // A word that is unknown has been reported; the option is one mistake, not two.
        if options.on_lost.is_some() {
            diag.judge(key, rules::on_lost(true, options.has_constraint));
        }
    }
}

fn urgency(options: &Options, diag: &mut Diagnostics) {
    if let Some(Priority::Minutes { value, token }) = &options.priority {
        diag.judge(token, rules::priority(*value));
    }
    // The second of the two is the one too many.
    if let [_, second] = &*options.urgency_keys {
        diag.judge(second, rules::urgency(true, true));
    }
}

fn expires(options: &Options, diag: &mut Diagnostics) {
    if not_zero("expires", options.expires.as_ref(), diag) {
        return;
    }
    if let Some(expires) = &options.expires {
        let delay = options.delay.as_ref().map_or(Duration::ZERO, |delay| delay.value);
        diag.judge(expires, rules::expires(Some(expires.value), delay, options.period.is_meant()));
    }
}

fn retry(retry: &RetryOptions, diag: &mut Diagnostics) {
    if let Some(attempts) = &retry.max_attempts {
        diag.judge(attempts, rules::max_attempts(attempts.value.into()));
    }
    let zero =
        not_zero("delay", retry.delay.as_ref(), diag) | not_zero("max_delay", retry.max_delay.as_ref(), diag);
    if let Some(jitter) = &retry.jitter {
        diag.judge(jitter, rules::jitter(jitter.value));
    }
    if zero {
        return;
    }
    let delay = retry.delay.as_ref().map_or(limits::RETRY_DELAY, |delay| delay.value);
    let max_delay = retry.max_delay.as_ref().map_or(limits::RETRY_MAX_DELAY, |delay| delay.value);
    if let Some(wrong) = retry.delay.as_ref().or(retry.max_delay.as_ref()) {
        diag.judge(wrong, rules::backoff(delay, max_delay));
    }
}

/// Refuses a duration of zero, and answers whether it did.
pub(crate) fn not_zero(option: &'static str, value: Option<&Time>, diag: &mut Diagnostics) -> bool {
    let Some(time) = value else { return false };
    diag.judge(time, rules::not_zero(option, time.value));
    time.value.is_zero()
}

fn retry_if(options: &Options, item: &Item, diag: &mut Diagnostics) {
    let Some((key, _)) = &options.retry_if else { return };
    // An alias of `Result` may have any name, so only what is plainly none is refused here.
    let none = match &item.sig.output {
        ReturnType::Default => true,
        ReturnType::Type(_, returned) => match bare(returned) {
            Type::Tuple(_) => true,
            _ => last_segment(returned).is_some_and(|last| last == "Outcome"),
        },
    };
    if none {
        diag.on(key, messages::retry_if_without_result(item.name()));
    }
}

fn run_on(options: &Options, item: &Item, diag: &mut Diagnostics) {
    let blocking = options.run_on.as_ref().is_some_and(|run_on| run_on.is("Blocking"));
    if item.sig.asyncness.is_none() {
        // A word that is unknown has been reported, and may have meant `Blocking`.
        let unknown = options.has_run_on && options.run_on.is_none();
        if !blocking && !unknown {
            diag.on(&item.sig.fn_token, messages::not_async(item.name()));
        }
    } else if let Some(run_on) = options.run_on.as_ref().filter(|_| blocking) {
        diag.on(run_on, messages::blocking_async());
    }
}
