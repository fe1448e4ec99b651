// The usual path leads to another crate here, so that one that is left over does not compile.
extern crate pushe_tasks as tasks;
extern crate std as pushe_tasks;

use tasks::prelude::*;

#[pushe_task(
    crate = ::tasks,
    id = "{}",
    policy = Keep,
    network = Connected,
    retry(backoff = Fixed, delay = "1s"),
    timeout = "1m",
    run_on = Io
)]
async fn awesome_task(_: u8, _: TaskContext) -> Result<(), TaskError> {
    Ok(())
}

mod inner {
    pub extern crate pushe_tasks as under_here;

    #[tasks::pushe_task(crate = crate::inner::under_here)]
    pub async fn nested() {}
}

fn main() {
    let _ = AwesomeTask::schedule(1);
    let _ = inner::Nested::schedule();
}
