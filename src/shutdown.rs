//! One flag that every loop looks at, set by a signal, by a failure, or by a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// The exit status of what was stopped before it had done its work.
pub(crate) const STOPPED: u8 = 130;

/// Asks for an orderly stop. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    requested: Arc<AtomicBool>,
    /// Somebody asked for a stop.
    asked: Arc<AtomicBool>,
    /// Nothing is under way that wants an orderly end.
    only_starting: Arc<AtomicBool>,
}

impl Shutdown {
    /// Requests it on SIGTERM and SIGINT, from now on; a second signal ends the process at once.
    pub(crate) fn on_signals(runtime: &tokio::runtime::Handle) -> Self {
        let shutdown = Shutdown::default();
        let heard = shutdown.clone();
        let _inside = runtime.enter();
        // Not in the task: until a thread got round to it, a signal would leave a view's terminal as it is.
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else { return shutdown };
        runtime.spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                heard.stop();
            }
        });
        shutdown
    }

    /// What a signal asks for, and somebody at a view's keyboard: an orderly stop, or the end at once where nothing has to be
    /// brought to one, and when it is asked for again.
    pub(crate) fn stop(&self) {
        if self.only_starting.load(Ordering::Acquire) {
            crate::terminal::give_back();
            tracing::info!("stopped: nothing had begun");
            crate::telemetry::finish();
            std::process::exit(STOPPED.into());
        }
        if self.asked.swap(true, Ordering::AcqRel) {
            crate::terminal::give_back();
            std::process::exit(STOPPED.into());
        }
        tracing::info!("stopping: reading has ended, what is due is being committed");
        self.request();
    }

    /// Until [`begin_work`](Self::begin_work) the first signal ends the process at once: a start can hang for as long as a
    /// store does, and has nothing to bring to an end.
    pub(crate) fn only_starting(&self) {
        self.only_starting.store(true, Ordering::Release);
    }

    /// All is done that wants an orderly end: the first signal ends the process at once.
    pub(crate) fn only_ending(&self) {
        self.only_starting();
    }

    /// From now on the end has to be an orderly one.
    pub(crate) fn begin_work(&self) {
        self.only_starting.store(false, Ordering::Release);
    }

    pub(crate) fn request(&self) {
        self.requested.store(true, Ordering::Release);
    }

    #[must_use]
    pub(crate) fn requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Requests shutdown when dropped, unless the condition holds then.
    pub(crate) fn stop_on_drop_unless<F: Fn() -> bool>(&self, condition: F) -> StopOnDrop<'_, F> {
        StopOnDrop { shutdown: self, condition }
    }
}

pub struct StopOnDrop<'a, F: Fn() -> bool> {
    shutdown: &'a Shutdown,
    condition: F,
}

impl<F: Fn() -> bool> Drop for StopOnDrop<'_, F> {
    fn drop(&mut self) {
        if !(self.condition)() {
            self.shutdown.request();
        }
    }
}
