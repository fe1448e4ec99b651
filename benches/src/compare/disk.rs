//! How calm the disk is: 1,500 syncs of 4 KiB into a prewritten file.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use pushe_tasks_bench_protocol::now;

use crate::ours::Failure;
use crate::rate;

const SYNCS: u64 = 1_500;

/// Syncs a second.
pub(super) fn syncs_per_second(dir: &Path) -> Result<f64, Failure> {
    let block = [7; 4096];
    let mut file = File::create(dir.join("syncs"))?;
    for _ in 0..SYNCS {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let begun = now();
    for number in 0..SYNCS {
        file.seek(SeekFrom::Start(number * block.len() as u64))?;
        file.write_all(&block)?;
        file.sync_data()?;
    }
    Ok(rate(SYNCS, begun.elapsed()))
}
