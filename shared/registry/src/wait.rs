//! How long one run waits for registries that others keep locked.

use std::thread;
use std::time::{Duration, Instant};

/// The time between two tries.
const RETRY: Duration = Duration::from_millis(20);

/// The time that a run may spend waiting, over all its registries together. Only waiting
/// counts: a run that has much to read or to write does not run out of it.
#[derive(Debug)]
pub struct WaitBudget {
    left: Duration,
}

impl WaitBudget {
    /// The budget of a run that may wait as long as this.
    pub fn new(left: Duration) -> WaitBudget {
        WaitBudget { left }
    }

    /// How much is left.
    pub fn left(&self) -> Duration {
        self.left
    }

    /// Counts time that was spent waiting.
    pub fn spend(&mut self, waited: Duration) {
        self.left = self.left.saturating_sub(waited);
    }

    /// Waits until it is time to try again. Returns whether there was time left.
    pub fn pause(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let began = Instant::now();
        thread::sleep(RETRY.min(self.left));
        self.spend(began.elapsed());
        true
    }
}
