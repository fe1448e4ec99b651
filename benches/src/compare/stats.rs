//! Medians, and ratios of pairs with their spread.

use pushe_tasks_bench_protocol::Phase;

use super::rounds::Round;
use super::sides::SideName;

/// The middle of the values; the lower one of an even number.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The values of one figure, in order of measurement.
pub(super) fn values(rounds: &[Round], phase: Phase, side: &SideName, figure: &str) -> Vec<f64> {
    let runs = rounds.iter().flat_map(|round| &round.runs);
    runs.filter(|run| run.phase == phase && run.side == *side).filter_map(|run| run.figure(figure)).collect()
}

/// Ratios of pairs: both values of each were measured in the same turn of the same round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) pairs: usize,
}

impl Ratio {
    pub(super) fn of(ratios: &[f64]) -> Option<Self> {
        let median = median(ratios)?;
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { median, least, most, pairs: ratios.len() })
    }
}

/// Our figure by theirs, pair by pair; noisy rounds are left out where calm ones are left.
pub(super) fn ratio(rounds: &[Round], phase: Phase, figure: &str, side: &SideName) -> Option<Ratio> {
    let calm = rounds.iter().any(|round| !round.noisy);
    let mut ratios = Vec::new();
    for round in rounds.iter().filter(|round| !calm || !round.noisy) {
        for pair in 0..2 {
            let find = |side: &SideName| {
                let mut runs = round.runs.iter();
                runs.find(|run| run.phase == phase && run.side == *side && run.pair == pair)?.figure(figure)
            };
            if let (Some(ours), Some(theirs)) = (find(&SideName::Ours), find(side))
                && theirs > 0.0
            {
                ratios.push(ours / theirs);
            }
        }
    }
    Ratio::of(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.0));
        let ratio = Ratio::of(&[0.5, 2.0, 1.0]).unwrap();
        assert_eq!((ratio.median, ratio.least, ratio.most, ratio.pairs), (1.0, 0.5, 2.0, 3));
    }
}
