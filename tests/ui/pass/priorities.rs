use pushe_tasks::prelude::*;

#[pushe_task(priority = High)]
async fn high() {}

#[pushe_task(priority = 15)]
async fn sooner() {}

#[pushe_task(priority = -10080)]
async fn later() {}

#[pushe_task(expedited)]
async fn urgent() {}

#[pushe_task(every = "1h", expires = "1m", expedited,)]
async fn beat() {}

fn main() {
    let urgencies =
        [High::OPTIONS.urgency(), Sooner::OPTIONS.urgency(), Later::OPTIONS.urgency(), Urgent::OPTIONS.urgency()];
    let expected = [Priority::High, Priority::Minutes(15), Priority::Minutes(-10_080), Priority::Expedited];
    assert_eq!(urgencies, expected);
    assert_eq!(Beat::OPTIONS.check(), Ok(()));
}
