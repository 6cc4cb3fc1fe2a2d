//! Holding signals back while something is done that must not be interrupted.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Holds back the signals that would end the program, as long as this value lives.
#[derive(Debug)]
pub struct SignalsWait {
    before: Option<SigSet>,
}

impl SignalsWait {
    /// Holds them back from now on.
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
