//! Parsing the texts of other programs and of the kernel; they are read elsewhere.

pub mod cgroup;
pub mod claude_environment;
pub mod claude_files;
pub mod fdinfo;
pub mod proc;
pub mod ps;
pub mod tmux;
