//! The name of the type that a task gets.
//!
//! Invariant: the same function and options give the same name, whether or not anything is wrong.

use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Ident, Type};

use crate::item::{Item, bare};
use crate::options::Options;

/// The name that was given, else the function's in `UpperCamel`; none where that is no name.
pub(crate) fn type_name(options: &Options, item: &Item) -> Option<Ident> {
    if let Some(task) = &options.task {
        return Some(task.clone());
    }
    let function = item.name();
    let name = upper_camel(&function.unraw().to_string());
    let usable = name != "Self" && name.starts_with(|c: char| c == '_' || c.is_alphabetic());
    usable.then(|| Ident::new(&name, function.span()))
}

/// A name that clashes with nothing the attribute knows of, for a task that is reported as wrong.
pub(crate) fn fallback_name(options: &Options, item: &Item) -> Ident {
    let function = item.name();
    let given = type_name(options, item).unwrap_or_else(|| function.clone());
    let clashes = |name: &Ident| {
        name == function || is_common(name) || item.input.as_ref().is_some_and(|it| is_named(it, name))
    };
    if clashes(&given) {
        return format_ident!("{}Task", upper_camel(&given.unraw().to_string()), span = function.span());
    }
    given
}

/// Whether a type of this name would hide one that code around the task, the attribute's own included, uses without a path.
pub(crate) fn is_common(name: &Ident) -> bool {
    let common = ["Option", "Some", "None", "Result", "Ok", "Err", "Vec", "String", "Box"];
    common.iter().any(|word| name == word)
}

/// Whether the type is written as this one word.
pub(crate) fn is_named(ty: &Type, name: &Ident) -> bool {
    matches!(bare(ty), Type::Path(path) if path.qself.is_none() && path.path.is_ident(name))
}

fn upper_camel(snake: &str) -> String {
    let mut camel = String::new();
    for word in snake.split('_') {
        let mut chars = word.chars();
        if let Some(first) = chars.next() {
            camel.extend(first.to_uppercase());
            camel.push_str(chars.as_str());
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_names_become_type_names() {
        let check = |snake, camel| assert_eq!(upper_camel(snake), camel);
        check("awesome_task", "AwesomeTask");
        check("upload", "Upload");
        check("_private__x", "PrivateX");
        check("sync_v2", "SyncV2");
        check("already_Camel", "AlreadyCamel");
        check("__", "");
        check("über_task", "ÜberTask");
    }
}
