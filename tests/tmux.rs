//! tmux as it is found: absent, broken, elsewhere, nested, with odd names in it.

mod names;
mod none;
mod other_programs;
mod servers;
mod trouble;
mod working;
