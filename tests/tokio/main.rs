//! Futures on Tokio, and sources that submit for themselves.
