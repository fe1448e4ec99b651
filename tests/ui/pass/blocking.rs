use pushe_tasks::prelude::*;

#[pushe_task(run_on = Blocking)]
fn compress(path: String, _: CancellationToken) -> Result<usize, TaskError> {
    Ok(path.len())
}

fn main() {
    assert_eq!(Compress::OPTIONS.runs_on(), RunOn::Blocking);
    assert_eq!(compress("abc".into(), CancellationToken::new()).unwrap(), 3);
}
