//! What holds a process: the real thing, asked of the functions that `lsclaude` asks.
#![cfg(all(feature = "proc", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod background;
mod files;
mod lines;
mod pipes;
mod reapers;
mod sockets;
mod watchers;
mod world;
