//! The real programs against real tmux servers, processes and files.
// So that clippy knows that what stands outside the test functions is test code too.
#![cfg(test)]

mod agreement;
mod case;
mod evidence;
mod harness;
mod hosts;
mod identity;
mod input;
mod manual;
mod paths;
mod recipe;
mod registry;
mod signals;
mod terminal;
mod tmux;
mod twice;
mod unattended;
mod world;
