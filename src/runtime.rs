//! The threads for storage, HTTP and timers, which end in bounded time whatever they wait for: a name that nobody resolves keeps
//! a thread for as long as the system's resolver likes, and nothing of ours depends on it any more.

use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Handle};

/// For what is nearly done, such as a file on a local disk.
const END_WITHIN: Duration = Duration::from_millis(300);

pub(crate) struct Runtime {
    handle: Handle,
    /// Taken when it ends.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Runtime {
    /// Computing happens in the workers.
    ///
    /// # Errors
    /// If there are no more threads.
    pub(crate) fn new() -> anyhow::Result<Runtime> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("io")
            .enable_all()
            .build()
            .context("start the I/O threads")?;
        Ok(Runtime { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(END_WITHIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// As a name is resolved: on a thread of its own, that hears of nothing until the answer is there.
    #[test]
    fn a_thread_that_hangs_does_not_hold_up_the_end() {
        let runtime = Runtime::new().expect("threads");
        let (answer, question) = mpsc::sync_channel::<()>(1);
        let (begun, has_begun) = mpsc::sync_channel(1);
        runtime.handle().spawn_blocking(move || {
            begun.send(()).expect("the test waits");
            question.recv()
        });
        has_begun.recv().expect("the thread runs");
        assert_eq!(runtime.block_on(async { 7 }), 7);
        // Would never return: the thread waits for what comes only after.
        drop(runtime);
        drop(answer);
    }
}
