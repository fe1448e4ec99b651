#![doc = include_str!("../SEMANTICS.md")]
#![expect(clippy::doc_markdown, reason = "prose that names another framework and its words")]
