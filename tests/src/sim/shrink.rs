//! Makes a failing script small: what is left out and lowered changes the failure no more.
//!
//! Invariant: what it answers fails with an invariant of the same name as what it was given.

use super::run::{Outcome, run};
use super::script::{Call, Op, Script};

/// So many runs it may take.
const MOST_RUNS: usize = 1_500;

/// The invariant that a violation names: what stands before its first colon.
pub fn name_of(violation: &str) -> &str {
    violation.split(':').next().unwrap_or(violation)
}

/// A smaller script that fails in the same way.
pub fn shrink(script: &Script) -> Script {
    let Some(name) = failure(&run(script)) else { return script.clone() };
    let mut smaller = Shrinking { best: script.clone(), name, runs: 0 };
    loop {
        let before = smaller.best.clone();
        smaller.drop_ops();
        smaller.drop_calls();
        smaller.lower();
        if smaller.best == before || smaller.runs >= MOST_RUNS {
            return smaller.best;
        }
    }
}

fn failure(outcome: &Outcome) -> Option<String> {
    outcome.violations.first().map(|first| name_of(first).to_owned())
}

struct Shrinking {
    best: Script,
    name: String,
    runs: usize,
}

impl Shrinking {
    /// Takes the candidate if it fails in the same way.
    fn take(&mut self, candidate: Script) -> bool {
        if self.runs >= MOST_RUNS || candidate == self.best {
            return false;
        }
        self.runs += 1;
        let fails = failure(&run(&candidate)).as_deref() == Some(self.name.as_str());
        if fails {
            self.best = candidate;
        }
        fails
    }

    /// Leaves out chunks of operations, halving their size.
    fn drop_ops(&mut self) {
        let mut chunk = self.best.ops.len().max(1);
        loop {
            let mut at = 0;
            while at < self.best.ops.len() {
                let mut candidate = self.best.clone();
                let end = (at + chunk).min(candidate.ops.len());
                candidate.ops.drain(at..end);
                if !self.take(candidate) {
                    at += chunk;
                }
            }
            if chunk == 1 {
                return;
            }
            chunk = chunk.div_ceil(2);
        }
    }

    /// Leaves out calls of races and batches.
    fn drop_calls(&mut self) {
        for at in 0..self.best.ops.len() {
            let mut call = 0;
            while let Op::Race(calls) | Op::Many(calls) = &self.best.ops[at]
                && call < calls.len()
            {
                let mut candidate = self.best.clone();
                if let Op::Race(calls) | Op::Many(calls) = &mut candidate.ops[at] {
                    calls.remove(call);
                }
                if !self.take(candidate) {
                    call += 1;
                }
            }
        }
    }

    /// Lowers numbers and plans.
    fn lower(&mut self) {
        for at in 0..self.best.ops.len() {
            let changes: [fn(&mut Call); 8] = [
                |call| call.plan.clear(),
                |call| call.plan.truncate(call.plan.len().saturating_sub(1)),
                |call| call.filler = 0,
                |call| call.delay = 0,
                |call| call.attempts = None,
                |call| call.timeout = None,
                |call| call.network = false,
                |call| call.key = None,
            ];
            for change in changes {
                let mut candidate = self.best.clone();
                each_call(&mut candidate.ops[at], change);
                self.take(candidate);
            }
            for _ in 0..24 {
                let mut candidate = self.best.clone();
                if !halve(&mut candidate.ops[at]) || !self.take(candidate) {
                    break;
                }
            }
        }
    }
}

fn each_call(op: &mut Op, change: fn(&mut Call)) {
    match op {
        Op::Schedule(call) | Op::CancelRace(_, call) | Op::Shutdown(_, call) => change(call),
        Op::Race(calls) | Op::Many(calls) => calls.iter_mut().for_each(change),
        _ => {}
    }
}

/// Halves the number of an operation; answers whether it had one that could be.
fn halve(op: &mut Op) -> bool {
    match op {
        Op::Advance(number) | Op::Suspend(number) | Op::Shutdown(number, _) => {
            *number /= 2;
            *number > 0
        }
        Op::Jump(number) => {
            *number /= 2;
            *number != 0
        }
        Op::CrashInRecovery(_, number) | Op::CrashInCreation(_, number) | Op::CrashInReopen(_, number) => {
            *number = number.saturating_sub(1);
            *number > 0
        }
        Op::Days(number) | Op::Flap(number) | Op::Full(number) => {
            *number /= 2;
            *number > 0
        }
        _ => false,
    }
}
