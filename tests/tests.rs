//! The real programs against real tmux servers, processes and files.

mod case;
mod harness;
mod input;
mod world;
