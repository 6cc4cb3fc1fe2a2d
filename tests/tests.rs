//! The real programs against real tmux servers, processes and files.
// So that clippy knows that what stands outside the test functions is test code too.
#![cfg(test)]

mod architecture;
mod completions;
mod evidence;
mod examples;
mod guide_case;
mod harness;
mod hazards;
mod holders;
mod hosts;
mod identity;
mod install;
mod left_behind;
mod manual;
mod manual_recipes;
mod paths;
mod proc_and_ps;
mod registry;
mod repeated_runs;
mod signals;
mod snapshots;
mod sqlite;
mod tables;
mod terminal;
mod tmux;
mod unattended;
mod usage_errors;
mod users;
mod world;
