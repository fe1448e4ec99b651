//! What a side is asked to do.

use std::path::PathBuf;
use std::time::Duration;

/// A phase of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// One producer, each piece awaited.
    A,
    /// 64 producers, each piece awaited.
    B,
    /// Batches of 1,000.
    C,
    /// Drain of waiting pieces.
    D,
    /// Idle engine: from scheduling to the body's first instruction.
    E,
    /// Memory and file bytes of waiting pieces.
    F,
    /// 64 producers and the engine together.
    G,
    /// Growth of cost with what waits.
    H,
    /// Churn.
    I,
    /// Instructions, and wake-ups of an idle engine.
    J,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 10] =
        [Self::A, Self::B, Self::C, Self::D, Self::E, Self::F, Self::G, Self::H, Self::I, Self::J];

    /// Its letter.
    pub const fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
            Self::C => 'c',
            Self::D => 'd',
            Self::E => 'e',
            Self::F => 'f',
            Self::G => 'g',
            Self::H => 'h',
            Self::I => 'i',
            Self::J => 'j',
        }
    }

    /// The phase with this letter.
    pub fn from_letter(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| letter.trim() == phase.letter().to_string())
    }
}

/// One measurement of one side.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The phase.
    pub phase: Phase,
    /// The most pieces.
    pub count: usize,
    /// How long a phase that goes by time lasts.
    pub length: Duration,
    /// An empty directory for the side's files.
    pub dir: PathBuf,
    /// A variant of the side, such as another journal mode.
    pub variant: String,
}

impl Asked {
    /// Reads `--phase P --count N --seconds S --dir D [--variant V]`; says what is missing or unknown.
    pub fn from_args(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self {
            phase: Phase::A,
            count: 100_000,
            length: Duration::from_secs(2),
            dir: PathBuf::new(),
            variant: String::new(),
        };
        let mut phase = None;
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            let bad = || format!("`{name} {value}` cannot be read");
            match name.as_str() {
                "--phase" => phase = Some(Phase::from_letter(&value).ok_or_else(bad)?),
                "--count" => asked.count = value.parse().map_err(|_| bad())?,
                "--seconds" => {
                    let seconds = value.parse::<f64>().map_err(|_| bad())?;
                    asked.length = Duration::try_from_secs_f64(seconds).map_err(|_| bad())?;
                }
                "--dir" => asked.dir = value.into(),
                "--variant" => asked.variant = value,
                _ => return Err(format!("unknown argument `{name}`")),
            }
        }
        asked.phase = phase.ok_or("`--phase` is missing")?;
        if asked.dir.as_os_str().is_empty() {
            return Err("`--dir` is missing".to_owned());
        }
        Ok(asked)
    }

    /// The arguments that `from_args` reads.
    pub fn to_args(&self) -> Vec<String> {
        let mut args = vec![
            "--phase".to_owned(),
            self.phase.letter().to_string(),
            "--count".to_owned(),
            self.count.to_string(),
            "--seconds".to_owned(),
            self.length.as_secs_f64().to_string(),
            "--dir".to_owned(),
            self.dir.display().to_string(),
        ];
        if !self.variant.is_empty() {
            args.extend(["--variant".to_owned(), self.variant.clone()]);
        }
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_reads_back_and_nonsense_is_refused() {
        let asked = Asked {
            phase: Phase::G,
            count: 7,
            length: Duration::from_millis(1_500),
            dir: "/tmp/x".into(),
            variant: "wal".to_owned(),
        };
        assert_eq!(Asked::from_args(asked.to_args()), Ok(asked));
        let refused = |args: &[&str]| Asked::from_args(args.iter().map(|arg| (*arg).to_owned())).unwrap_err();
        assert_eq!(refused(&["--phase", "z"]), "`--phase z` cannot be read");
        assert_eq!(refused(&["--phase", "a"]), "`--dir` is missing");
        assert_eq!(refused(&["--fast", "yes"]), "unknown argument `--fast`");
        assert_eq!(refused(&["--count"]), "`--count` needs a value");
    }
}
