#![doc = include_str!("../COMING_FROM_WORKMANAGER.md")]

// What the page links to.
#[cfg(doc)]
use crate::*;
