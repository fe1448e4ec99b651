//! What the kernel says of this process and of its files.

use std::fs;
use std::path::Path;

/// Processor time of this process so far, user and system, in seconds.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    // Linux tells ticks of a hundredth on every architecture.
    ticks / 100.0
}

/// Memory that this process holds now, in bytes.
pub fn resident_bytes() -> u64 {
    status("VmRSS:").unwrap_or(0) * 1024
}

/// How often threads of this process have gone to sleep by themselves: each is a wake-up later.
pub fn voluntary_switches() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |path: &Path| field(&fs::read_to_string(path).ok()?, "voluntary_ctxt_switches:");
    tasks.filter_map(|task| of(&task.path().join("status"))).sum()
}

/// The bytes that the files in a directory take on the disk, all of them together.
pub fn size_of_files(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum()
}

fn status(name: &str) -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, name)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        assert!(resident_bytes() > 100_000);
        assert!(voluntary_switches() < 1_000_000_000);
        let before = cpu_seconds();
        let mut sum = 0_u64;
        while cpu_seconds() - before < 0.02 {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(sum > 0);
    }
}
