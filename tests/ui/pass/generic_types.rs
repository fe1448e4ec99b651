//! Types with parameters, and paths to types.
use std::collections::BTreeMap;

use pushe_tasks::prelude::*;

type Answer<T> = Result<T, TaskError>;

#[pushe_task]
async fn table(input: BTreeMap<String, Vec<Option<(u8, i64)>>>) -> Answer<usize> {
    Ok(input.len())
}

#[pushe_task]
async fn by_path(input: std::path::PathBuf, cx: pushe_tasks::TaskContext) -> std::result::Result<u8, std::io::Error> {
    let _ = (input, cx);
    Ok(1)
}

fn main() {
    let _ = (Table::schedule(BTreeMap::new()), ByPath::NAME);
}
