//! What is in flight, by `user_data`, where the kernel cannot cancel without being told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::UserData;

/// Counts requests by `user_data` on kernels before 5.19, which cancel only what they are given the
/// `user_data` of. Newer ones know "any", and this does not exist there.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<UserData, usize>>);

impl Ledger {
    pub(super) fn add(&self, user_data: UserData) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(user_data).or_default() += 1;
    }

    pub(super) fn remove(&self, user_data: UserData) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&user_data) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&user_data);
            }
        }
    }

    /// The `user_data` of each request that was added and not taken, once for each of them.
    pub(crate) fn outstanding(&self) -> Vec<UserData> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().flat_map(|(&user_data, &count)| std::iter::repeat_n(user_data, count)).collect()
    }
}
