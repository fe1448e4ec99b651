//! What the attribute says when something is wrong.
//!
//! Invariant: a [`Message`] is made here and nowhere else, and `TEXTS` lists every text, so that a test
//! can find the one that no case produces. Values have texts of their own in the crate of their rules.

use std::fmt::Display;

use pushe_tasks_syntax::OptionError;

/// The text of one error.
pub(crate) struct Message(String);

impl Message {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl From<OptionError> for Message {
    fn from(error: OptionError) -> Self {
        Self(error.to_string())
    }
}

/// Makes a function for each message, and the list of all texts.
macro_rules! messages {
    ($($name:ident($($field:ident),*) => $text:literal,)+) => {
        $(
            pub(crate) fn $name($($field: impl Display),*) -> Message {
                Message(format!($text))
            }
        )+

        /// All texts, with their fields in braces.
        #[allow(dead_code, reason = "read by the test of messages, which includes this file")]
        pub(crate) const TEXTS: &[&str] = &[$($text),+];
    };
}

messages! {
    // The list of options.
    expected_option() => "expected the name of an option",
    expected_comma() => "expected a comma between two options",
    unknown_option_near(found, near) => "unknown option `{found}`; did you mean `{near}`?",
    unknown_option(found, known) => "unknown option `{found}`; expected one of {known}",
    option_twice(option) => "option `{option}` is given twice; keep one",

    // One value.
    needs_value(option, example) => "option `{option}` needs a value; write `{example}`",
    takes(option, kind, example) => "`{option}` takes {kind}; write `{example}`",
    number_too_large(option) => "`{option}` is too large; write at most 4294967295",
    unknown_word_near(option, found, near) => "unknown {option} `{found}`; did you mean `{near}`?",
    unknown_word(option, found, known) => "unknown {option} `{found}`; expected one of {known}",
    wrong_text(option, error, caret) => "`{option}`: {error}\n\n{caret}\n",
    empty_list(option, example) => "`{option}` lists nothing; write `{example}` or leave `{option}` out",

    constraint_twice(name) => "the constraint `{name}` is given twice; keep one",
    constraint_without_value(name) => "`{name}` takes no value; write `{name}`",
    storage_without_value() => "`StorageNotLow` takes no value; write `StorageNotLow` for the directory of the store, or `pushe_tasks::constraint::StorageNotLow::at(\"/path\")` for another",
    reach_needs_place() => "`Reach` names a host and port in quotes; write `Reach(\"db.local:5432\")`, or `pushe_tasks::constraint::Reach::new(..)` for a place that is computed",

    // Options against the function.
    placeholder_without_input() => "the id has a placeholder, but the task takes no input; give it an input or write the id without placeholders",
    id_function_without_input() => "`id` names a function of the input, but the task takes no input; give it an input or write the id as a text",
    retry_if_without_result(function) => "`retry_if` needs an error to look at; let `{function}` return a `Result` or remove `retry_if`",
    blocking_async() => "`run_on = Blocking` needs a plain `fn`; remove `async` or `run_on`",

    // The function.
    not_a_function() => "a task is made of a function; put `#[pushe_task]` on an `async fn`",
    no_body(function) => "a task needs a body; write `{function}(..) {{ .. }}`",
    attribute_twice() => "`#[pushe_task]` is given twice; keep one",
    not_async(function) => "a task must be an `async fn`; write `async fn {function}` or add `run_on = Blocking`",
    modifier(word) => "a task cannot be `{word}`; the engine calls it as an ordinary function",
    receiver() => "a task is a free function; it cannot take `self`",
    generic() => "a task cannot be generic; its stored record must name one input type",
    impl_argument() => "a task cannot take `impl Trait`; its stored record must name one input type",
    impl_return() => "a task cannot return `impl Trait`; its stored record must name one output type",
    borrowed_input() => "a task's input cannot be borrowed; it is read back from the store, so take an owned type such as `String`",
    borrowed_extract() => "an extracted argument cannot be borrowed; take it by value",
    no_outcome(found) => "a task cannot return `{found}`; return `()`, `Outcome<T>`, `Result<T, E>` or `Result<Outcome<T>, E>`",
    borrowed_return() => "a task cannot return a reference; its output is stored, so return an owned type",

    // Its arguments.
    cfg_argument() => "an argument of a task cannot be under `cfg`; put the `cfg` on the function",
    mark_takes_nothing(mark) => "`#[{mark}]` takes no value; write `#[{mark}]`",
    mark_twice(mark) => "`#[{mark}]` is given twice; keep one",
    input_and_extract() => "an argument is either `#[input]` or `#[extract]`; keep one",
    input_not_first() => "the input is the first argument; move it to the front",

    // Its type.
    no_type_name(function) => "no type name can be made of `{function}`; add `task = OtherName`",
    same_as_function(name) => "the task's type `{name}` would bear the name of its function; add `task = OtherName` with another name",
    same_as_common(name) => "the task's type `{name}` would hide the type of that name that all code uses; add `task = {name}Task`",
    same_as_input(name) => "the task's type and its input are both called `{name}`; add `task = {name}Task`",
}
