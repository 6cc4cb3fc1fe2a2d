//! tmux as it is found: absent, broken, elsewhere, nested, with odd names in it.

mod left_its_pane;
mod names;
mod none;
mod other_programs;
mod servers;
mod shells;
mod trouble;
mod working;
