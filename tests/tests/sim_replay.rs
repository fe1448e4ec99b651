//! Replays the scripts of the corpus, each of which once showed a fault, and one seed of one's choice.

use std::path::Path;

use pushe_tasks_tests::sim::{self, Script};

fn check(name: &str, script: &Script) {
    let outcome = sim::run(script);
    let recent = outcome.recent.join("\n");
    assert!(outcome.violations.is_empty(), "{name}: {:#?}\nits last events:\n{recent}", outcome.violations);
}

#[test]
fn what_once_failed_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("sim-corpus");
    let mut replayed = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "script") {
            let script = Script::from_text(&std::fs::read_to_string(&path).unwrap()).unwrap();
            check(&path.display().to_string(), &script);
            replayed += 1;
        }
    }
    assert!(replayed > 0, "there is no script in {}", corpus.display());
}

/// `PUSHE_SIM_SEED=<n>` replays that seed; without it these few are run.
#[test]
fn seeds_hold() {
    let given = std::env::var("PUSHE_SIM_SEED").ok();
    let seeds = match given {
        Some(seed) => vec![seed.parse().expect("PUSHE_SIM_SEED is a number")],
        None => (1..=20).collect(),
    };
    for seed in seeds {
        check(&format!("seed {seed}"), &sim::script(seed));
    }
}

#[test]
fn one_script_has_one_trace() {
    for seed in 100..140 {
        let script = sim::script(seed);
        let (first, second) = (sim::run(&script), sim::run(&script));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.counts, second.counts, "seed {seed}");
        let written = Script::from_text(&script.to_text()).unwrap();
        assert_eq!(written, script, "seed {seed}");
    }
}
