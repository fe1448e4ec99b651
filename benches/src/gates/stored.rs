//! The stored figures: `benches/gates.toml`, one `name = number` a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::{Bound, Figure};
use crate::ours::Failure;

const HEAD: &str = "\
# Figures that `pushe-tasks-bench gates` holds a change against; `gates --store` writes them.
# Instructions and allocations are counted by valgrind, bytes and syncs by the store.
";

pub(super) fn read(file: &Path) -> Result<BTreeMap<String, f64>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<BTreeMap<String, f64>, Failure> {
    let mut figures = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.split_once('=').ok_or_else(|| format!("`{line}` is no `name = number`"))?;
        let value = value.trim().parse().map_err(|_| format!("`{line}` is no `name = number`"))?;
        figures.insert(name.trim().to_owned(), value);
    }
    Ok(figures)
}

pub(super) fn write(file: &Path, figures: &[Figure]) -> Result<(), Failure> {
    let mut text = HEAD.to_owned();
    for figure in figures.iter().filter(|figure| figure.bound == Bound::Stored) {
        writeln!(text, "{} = {:.2}", figure.name, figure.value)?;
    }
    Ok(std::fs::write(file, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_back_and_nonsense_is_refused() {
        let figures = parse("# head\n\nbytes = 301.50\ncalls=2\n").unwrap();
        assert_eq!(figures.into_iter().collect::<Vec<_>>(), [("bytes".into(), 301.5), ("calls".into(), 2.0)]);
        for bad in ["bytes", "bytes = many", "= ="] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
