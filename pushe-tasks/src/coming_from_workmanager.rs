#![doc = include_str!("../COMING_FROM_WORKMANAGER.md")]
#![allow(
    clippy::doc_markdown,
    reason = "a page for people, which names a product of others as it is written"
)]

// What the page links to.
#[cfg(doc)]
use crate::*;
