//! What a store brings to light goes into the log, once each.

use pushe_tasks_store::StoreFacts;

/// Logs what was noticed after the first `told` findings; answers how many have been told of then.
pub(crate) fn tell_findings(facts: &StoreFacts, told: u64) -> u64 {
    let new = usize::try_from(facts.noticed.saturating_sub(told)).unwrap_or(usize::MAX);
    let old = facts.findings.len().saturating_sub(new);
    for finding in &facts.findings[old..] {
        if finding.is_ordinary() {
            crate::contain::tell!(info, store = %facts.place, "{finding}");
        } else {
            crate::contain::tell!(error, store = %facts.place, "{finding}");
        }
    }
    facts.noticed
}
