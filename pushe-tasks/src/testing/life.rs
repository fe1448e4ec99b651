//! What stands for a process: everything that an engine runs, and its sudden end.

use std::fmt;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::executor::{Executor, Running};
use crate::options::RunOn;

/// The tasks of one engine. Clones are the same process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    killed: CancellationToken,
    tasks: TaskTracker,
    by_hand: bool,
}

impl Life {
    /// A process that starts nothing by itself, if it is to be so.
    pub(super) fn new(by_hand: bool) -> Self {
        Self { by_hand, ..Self::default() }
    }

    /// The most pieces that it starts by itself.
    pub(crate) fn starts(&self) -> Option<u64> {
        self.by_hand.then_some(0)
    }

    /// Runs a future for as long as the process lives.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let killed = self.killed.clone();
        self.tasks.spawn(async move { killed.run_until_cancelled_owned(future).await });
    }

    /// Kills it: nothing of it is polled any more, and all of it has been dropped when this returns. A blocking body, which
    /// nobody can kill, goes on; nobody hears of it.
    pub(crate) async fn kill(&self) {
        self.killed.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Runs bodies on the runtime of the test. Those of `RunOn::Cpu` run there too: it is one thread.
pub(crate) struct LifeExecutor {
    pub(crate) life: Life,
    pub(crate) runtime: Handle,
}

impl Executor for LifeExecutor {
    fn run(&self, on: RunOn, body: Running) {
        match on {
            RunOn::Io | RunOn::Cpu => self.life.spawn(body),
            // Time stands still while it runs.
            RunOn::Blocking => {
                let runtime = self.runtime.clone();
                drop(self.runtime.spawn_blocking(move || runtime.block_on(body)));
            }
        }
    }
}

impl fmt::Debug for LifeExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LifeExecutor")
    }
}
