//! Names the holder of a store to a second opener (pure, apart from the program's name).
//!
//! Invariant: what the kernel says of a lock outweighs what a note says: the note may be that of a holder long gone, and a
//! hard link has no note beside it.

use super::os;
use super::owner::Owner;

/// The holder, for people.
pub(super) fn describe(note: Option<Owner>, locked_by: Option<u32>) -> String {
    match (note, locked_by) {
        (Some(note), None) => note.describe(),
        (Some(note), Some(pid)) if note.pid == pid => note.describe(),
        (_, Some(pid)) if pid == std::process::id() => format!("another scheduler in this process {pid}"),
        (_, Some(pid)) => match os::program_of(pid) {
            Some(program) => format!("process {pid} (`{program}`)"),
            None => format!("process {pid}"),
        },
        (None, None) => "another process, which left no note beside this path".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;

    #[test]
    fn the_kernel_outweighs_the_note() {
        let note = Owner {
            uuid: [0; 16],
            epoch: 1,
            pid: 999_999_999,
            program: "old".into(),
            since: WallTime::from_millis(0),
        };
        let text = "process 999999999 (`old`), since 1970-01-01 00:00:00 UTC";
        assert_eq!(describe(Some(note.clone()), None), text);
        assert_eq!(describe(Some(note.clone()), Some(999_999_999)), text);
        assert_eq!(describe(Some(note), Some(999_999_998)), "process 999999998");
        let ours = std::process::id();
        assert_eq!(describe(None, Some(ours)), format!("another scheduler in this process {ours}"));
        assert_eq!(describe(None, None), "another process, which left no note beside this path");
    }
}
