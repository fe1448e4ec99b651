#![allow(
    clippy::doc_markdown,
    reason = "its names are those of another library, and stand in tables of them"
)]
#![doc = include_str!("../COMING_FROM_WORKMANAGER.md")]

// What the page links to.
#[cfg(doc)]
use crate::*;
