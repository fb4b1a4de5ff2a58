//! The driver: callbacks, merging, chains, shutdown.
