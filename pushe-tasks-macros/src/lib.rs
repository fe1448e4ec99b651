//! The attribute of pushe-tasks.

use proc_macro::TokenStream;

/// Makes a task of a function.
#[proc_macro_attribute]
pub fn pushe_task(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}
