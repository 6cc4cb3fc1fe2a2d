//! What the evidence does not carry is not concluded, and what has changed since is left
//! alone.

mod birth;
mod change;
mod corrupt;
mod cut;
mod malformed;
mod reborn;
mod unasked;
mod unnamed;
mod users;
