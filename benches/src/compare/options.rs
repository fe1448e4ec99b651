//! What `compare` is told on the command line.

use pushe_tasks_bench_protocol::Phase;

use crate::ours::Failure;

/// Peers that are measured where nothing else is said.
const PEERS: &str = "effectum,effectum-wal,apalis-sqlite";

/// What is compared, and how often.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) phases: Vec<Phase>,
    pub(super) rounds: usize,
    pub(super) peers: Vec<String>,
    pub(super) seconds: f64,
    /// Divides the counts of the phases that run once, for a quick look.
    pub(super) scale: usize,
    pub(super) json: bool,
}

impl Options {
    pub(super) fn from_args(args: Vec<String>) -> Result<Self, Failure> {
        let mut options = Self {
            phases: [
                Phase::A,
                Phase::B,
                Phase::C,
                Phase::D,
                Phase::E,
                Phase::G,
                Phase::F,
                Phase::H,
                Phase::I,
                Phase::J,
            ]
            .to_vec(),
            rounds: 5,
            peers: names(PEERS),
            seconds: 2.0,
            scale: 1,
            json: false,
        };
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            if name == "--json" {
                options.json = true;
                continue;
            }
            let value = args.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            let bad = || format!("`{name} {value}` cannot be read");
            match name.as_str() {
                "--phases" => {
                    let phases = value.split(',').map(|letter| Phase::from_letter(letter).ok_or_else(bad));
                    options.phases = phases.collect::<Result<_, _>>()?;
                }
                "--rounds" => options.rounds = value.parse().map_err(|_| bad())?,
                "--seconds" => options.seconds = value.parse().map_err(|_| bad())?,
                "--scale" => options.scale = value.parse().map_err(|_| bad())?,
                "--peers" => options.peers = names(&value),
                _ => return Err(format!("unknown argument `{name}`").into()),
            }
        }
        if options.rounds == 0 || options.scale == 0 || options.seconds.is_nan() || options.seconds <= 0.0 {
            return Err("`--rounds`, `--scale` and `--seconds` are more than zero".into());
        }
        Ok(options)
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "none")
        .map(str::to_owned)
        .collect()
}
