//! The user for whom this process runs.

/// The uid of the user for whom this process looks and acts.
pub fn uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}
