//! Requests on sockets, against what the system call does.

mod common;

mod accept;
mod command;
mod message;
mod multishot;
mod send;
mod socket;
mod zc;
