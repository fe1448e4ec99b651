#![doc = include_str!("../COMING_FROM_WORKMANAGER.md")]
#![expect(clippy::doc_markdown, reason = "prose that names another framework and its words")]

// What the page links to.
#[cfg(doc)]
use crate::*;
