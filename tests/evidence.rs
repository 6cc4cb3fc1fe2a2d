//! What the evidence does not carry is not concluded, and what has changed since is left
//! alone.

mod birth;
mod change;
mod corrupt;
mod cut;
mod entries;
mod keep;
mod malformed;
mod reborn;
mod twice;
mod unasked;
mod unnamed;
mod users;

pub use twice::earlier;
