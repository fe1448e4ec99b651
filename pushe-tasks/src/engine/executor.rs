//! The executor seam: where bodies run.
//!
//! Invariant: an executor runs what it is given to its end and decides nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::contain::tell;
use crate::options::RunOn;

/// A body with everything around it, ready to be run.
pub(crate) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs futures on the kinds of thread that tasks ask for.
pub(crate) trait Executor: fmt::Debug + Send + Sync {
    fn run(&self, on: RunOn, body: Running);
}

/// Runs bodies on the runtime that the engine was started on, so that its pools and clients work in them.
#[derive(Clone)]
pub(crate) struct TokioExecutor {
    runtime: Handle,
    /// The one thread of `RunOn::Cpu`, from its first use on.
    cpu: Arc<Mutex<Option<mpsc::UnboundedSender<Running>>>>,
}

impl TokioExecutor {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, cpu: Arc::default() }
    }

    fn run_on_cpu(&self, body: Running) {
        let mut cpu = self.cpu.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A thread that has gone is begun anew, and the body goes to that one.
        let body = match &*cpu {
            None => body,
            Some(sender) => match sender.send(body) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
        };
        self.start_cpu(&mut cpu, body);
    }

    fn start_cpu(&self, cpu: &mut Option<mpsc::UnboundedSender<Running>>, body: Running) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let _ = sender.send(body);
        let runtime = self.runtime.clone();
        let thread = std::thread::Builder::new().name("pushe-cpu".to_owned());
        match thread.spawn(move || runtime.block_on(cpu_thread(receiver))) {
            Ok(_) => *cpu = Some(sender),
            Err(error) => tell!(error, %error, "the cpu thread could not be started"),
        }
    }
}

/// Interleaves all bodies on the calling thread until nobody can send another.
async fn cpu_thread(mut bodies: mpsc::UnboundedReceiver<Running>) {
    let local = LocalSet::new();
    local
        .run_until(async {
            while let Some(body) = bodies.recv().await {
                tokio::task::spawn_local(body);
            }
        })
        .await;
    local.await;
}

impl Executor for TokioExecutor {
    fn run(&self, on: RunOn, body: Running) {
        match on {
            RunOn::Io => drop(self.runtime.spawn(body)),
            RunOn::Cpu => self.run_on_cpu(body),
            RunOn::Blocking => {
                let runtime = self.runtime.clone();
                drop(self.runtime.spawn_blocking(move || runtime.block_on(body)));
            }
        }
    }
}

impl fmt::Debug for TokioExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokioExecutor")
    }
}
