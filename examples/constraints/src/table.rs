//! The table as text.

use std::fmt::Write as _;

use crate::row::Line;

/// Lines before the first row.
pub(crate) const HEAD: usize = 2;
/// Columns of a reading that are shown, so that a row stays one line on most terminals.
const READING: usize = 110;

/// The rows under their head, each column as wide as its widest cell.
pub(crate) fn table(lines: impl Iterator<Item = Line>) -> String {
    let lines: Vec<_> = lines.collect();
    let width =
        |cell: fn(&Line) -> usize, head: &str| lines.iter().map(cell).max().unwrap_or(0).max(head.len());
    let name = width(|line| line.name.chars().count(), "constraint");
    let lasts = width(|line| line.lasts.len(), "for");
    let mut text = String::new();
    let _ = writeln!(text, "{:name$}  holds  {:>lasts$}  reading", "constraint", "for");
    let _ = writeln!(text, "{:-<name$}  -----  {:-<lasts$}  -------", "", "");
    for line in lines {
        let reading: String = line.reading.chars().take(READING).collect();
        let _ = writeln!(text, "{:name$}  {:5}  {:>lasts$}  {reading}", line.name, line.holds, line.lasts);
    }
    text
}
