use pushe_tasks::prelude::*;

#[pushe_task(retry(max_attempts = 3), on_exhausted = give_up, retain = "30d")]
async fn send_it(_: u8) {}

async fn give_up(_: u8, error: String) -> Result<(), std::io::Error> {
    drop(error);
    Ok(())
}

#[pushe_task(every = "1h", retry(max_attempts = 3), on_exhausted = tell)]
async fn beat() {}

async fn tell(error: String) {
    drop(error);
}

fn main() {
    assert_eq!(SendIt::OPTIONS.check(), Ok(()));
    assert!(SendIt::OPTIONS.exhausted_hook().is_some() && Beat::OPTIONS.exhausted_hook().is_some());
    assert_eq!(SendIt::OPTIONS.retention(), Some(std::time::Duration::from_secs(30 * 86_400)));
}
