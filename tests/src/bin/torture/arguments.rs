//! The options that every command takes.
//!
//! Invariant: an option that is not understood is an error before anything is touched.

use std::time::Duration;

use pushe_tasks::clock::{Clock as _, MonoTime, SystemClock};

/// What a call asks for.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) seed: u64,
    pub(crate) cycles: u64,
    pub(crate) seconds: u64,
    clock: SystemClock,
}

/// After so many seconds a command ends, and says that it did not come to its end.
const SECONDS: u64 = 3_600;

impl Arguments {
    /// Reads `--seed`, `--cycles` and `--seconds`, each with a number.
    pub(crate) fn read(mut words: impl Iterator<Item = String>, cycles: u64) -> Result<Self, String> {
        let mut arguments = Self { seed: 1, cycles, seconds: SECONDS, clock: SystemClock::new() };
        while let Some(word) = words.next() {
            let place = match word.as_str() {
                "--seed" => &mut arguments.seed,
                "--cycles" => &mut arguments.cycles,
                "--seconds" => &mut arguments.seconds,
                _ => {
                    return Err(format!(
                        "`{word}` is no option; write `--seed`, `--cycles` or `--seconds` and a number"
                    ));
                }
            };
            let number = words.next().unwrap_or_default();
            *place = number.parse().map_err(|_| format!("`{word} {number}`: write a number"))?;
        }
        Ok(arguments)
    }

    /// Whether the time is up.
    pub(crate) fn is_late(&self) -> bool {
        self.clock.mono() > MonoTime::from_origin(Duration::from_secs(self.seconds))
    }

    /// How long the command has run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.mono().since_origin()
    }
}
