//! The real programs against real tmux servers, processes and files.
// So that clippy knows that what stands outside the test functions is test code too.
#![cfg(test)]

mod agreement;
mod case;
mod completions;
mod evidence;
mod examples;
mod harness;
mod hosts;
mod identity;
mod input;
mod install;
mod manual;
mod paths;
mod recipe;
mod registry;
mod signals;
mod sqlite;
mod tables;
mod terminal;
mod tmux;
mod twice;
mod unattended;
mod world;
