//! Signals that wait while something is done that must come to its end.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Keeps the signals that end a program waiting, as long as it lives.
#[derive(Debug)]
pub struct SignalsWait {
    before: Option<SigSet>,
}

impl SignalsWait {
    /// From now on they wait.
    pub fn begin() -> SignalsWait {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
            signals.add(signal);
        }
        SignalsWait { before: signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok() }
    }
}

impl Drop for SignalsWait {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = before.thread_set_mask();
        }
    }
}
