//! Parsing the texts of other programs and of the kernel; they are read elsewhere.

pub mod proc;
pub mod ps;
pub mod tmux;
