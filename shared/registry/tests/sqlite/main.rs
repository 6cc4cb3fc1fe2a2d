//! Databases as Python's sqlite3 writes them, in the orchestrator's manner.
#![cfg(test)]

mod database;
mod reading;
