#![doc = include_str!("../SEMANTICS.md")]
#![allow(
    clippy::doc_markdown,
    reason = "a page for people, which names a product of others as it is written"
)]
