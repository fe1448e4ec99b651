//! The sides of a comparison: programs that do one phase and say what they found.

use std::path::{Path, PathBuf};
use std::process::Command;

use pushe_tasks_bench_protocol::{Asked, Phase};

use super::options::Options;
use crate::ours::Failure;

/// Who was measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SideName {
    Ours,
    Raw,
    Peer(String),
}

impl SideName {
    pub(super) const fn is_ours(&self) -> bool {
        matches!(self, Self::Ours)
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Ours => "pushe-tasks",
            Self::Raw => "bare redb",
            Self::Peer(name) => name,
        }
    }
}

/// A program, ready to be begun.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) name: SideName,
    program: PathBuf,
    first: Option<&'static str>,
    variant: String,
    drains: usize,
    loads: usize,
    phases: &'static [Phase],
}

const OURS: &[Phase] = &Phase::ALL;
const RAW: &[Phase] = &[Phase::A, Phase::B, Phase::C, Phase::E];
const PEERS: &[Phase] = &[Phase::A, Phase::B, Phase::C, Phase::D, Phase::E, Phase::G];

/// A peer: its package, its variant, and the pieces that fill about three seconds of drain and of batches.
const KNOWN: &[(&str, &str, &str, usize, usize)] = &[
    ("effectum", "effectum", "", 60_000, 100_000),
    ("effectum-wal", "effectum", "wal", 100_000, 100_000),
    ("apalis-sqlite", "apalis-sqlite", "", 1_500, 50_000),
];

/// Builds what has to be built.
pub(super) fn prepare(options: &Options) -> Result<Vec<Side>, Failure> {
    let program = std::env::current_exe()?;
    let own = |name, first, phases| Side {
        name,
        program: program.clone(),
        first: Some(first),
        variant: String::new(),
        drains: 100_000,
        loads: 100_000,
        phases,
    };
    let mut sides = vec![own(SideName::Ours, "ours", OURS)];
    for name in &options.peers {
        sides.push(peer(name)?);
    }
    sides.push(own(SideName::Raw, "raw", RAW));
    Ok(sides)
}

fn peer(name: &str) -> Result<Side, Failure> {
    let Some((_, package, variant, drains, loads)) = KNOWN.iter().find(|known| known.0 == name) else {
        let known: Vec<_> = KNOWN.iter().map(|known| known.0).collect();
        return Err(format!("unknown peer `{name}`; expected one of {}", known.join(", ")).into());
    };
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(package).join("Cargo.toml");
    let target = target_dir()?.join("peers");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(manifest)
        .env("CARGO_TARGET_DIR", &target)
        .status()?;
    if !built.success() {
        return Err(format!("the peer `{name}` could not be built").into());
    }
    Ok(Side {
        name: SideName::Peer(name.to_owned()),
        program: target.join("release").join(format!("peer-{package}")),
        first: None,
        variant: (*variant).to_owned(),
        drains: *drains,
        loads: *loads,
        phases: PEERS,
    })
}

/// The target directory that this program stands in.
fn target_dir() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    Ok(program.ancestors().nth(2).ok_or("this program stands in no target directory")?.to_owned())
}

impl Side {
    pub(super) fn does(&self, phase: Phase) -> bool {
        self.phases.contains(&phase)
    }

    /// What it is asked in this phase.
    pub(super) fn asked(&self, phase: Phase, options: &Options, dir: &Path) -> Asked {
        let count = match phase {
            Phase::C => self.loads,
            Phase::D => self.drains,
            Phase::F => 1_000_000 / options.scale,
            Phase::H => 5_000_000 / options.scale,
            Phase::I => 3_000_000 / options.scale,
            _ => 0,
        };
        let length = std::time::Duration::from_secs_f64(options.seconds);
        Asked { phase, count, length, dir: dir.to_owned(), variant: self.variant.clone() }
    }

    /// The command that does it.
    pub(super) fn command(&self, asked: &Asked) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.first).args(asked.to_args());
        command
    }
}
