#![allow(clippy::doc_markdown, reason = "its names stand in tables and as those of another library")]
#![doc = include_str!("../SEMANTICS.md")]
#![expect(clippy::doc_markdown, reason = "prose that names another framework and its words")]
