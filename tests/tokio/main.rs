//! Futures on Tokio, and sources that submit for themselves.

mod common;
mod late;
mod operations;
mod seed_ports;
mod source;
