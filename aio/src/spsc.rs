//! A queue from one half of the context to the other, without locks.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The shared part: the cells, and how many have ever been written.
///
/// Invariant: one [`Producer`] and one [`Consumer`] belong to it, and what is in it never exceeds the capacity
/// that it was made for, because each value stands for a slot of the context and a slot is in one place. That
/// is why a producer never asks how much has been read.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Queue {
    tail: AtomicU32,
    cells: Box<[AtomicU64]>,
}

/// The writing end; `tail` runs freely over 2³².
#[derive(Debug)]
pub(crate) struct Producer {
    tail: u32,
}

/// The reading end; `head` and `tail`, the latter as last seen, run freely over 2³².
#[derive(Debug)]
pub(crate) struct Consumer {
    head: u32,
    tail: u32,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> (Self, Producer, Consumer) {
        Self::starting_at(0, capacity)
    }

    fn starting_at(start: u32, capacity: usize) -> (Self, Producer, Consumer) {
        let queue = Self {
            tail: AtomicU32::new(start),
            cells: (0..capacity.next_power_of_two()).map(|_| AtomicU64::new(0)).collect(),
        };
        let (head, tail) = (start, start);
        (queue, Producer { tail }, Consumer { head, tail })
    }

    /// The one place where an index is masked.
    #[inline]
    fn cell(&self, index: u32) -> &AtomicU64 {
        &self.cells[index as usize & (self.cells.len() - 1)]
    }

    /// The consumer sees the cells before the tail that counts them; its partner is [`Queue::observe`].
    #[inline]
    fn publish(&self, tail: u32) {
        self.tail.store(tail, Ordering::Release);
    }

    /// Whoever sees this tail sees the cells below it; its partner is [`Queue::publish`].
    #[inline]
    fn observe(&self) -> u32 {
        self.tail.load(Ordering::Acquire)
    }
}

impl Producer {
    #[inline]
    pub(crate) fn push(&mut self, queue: &Queue, value: u64) {
        queue.cell(self.tail).store(value, Ordering::Relaxed);
        self.tail = self.tail.wrapping_add(1);
        queue.publish(self.tail);
    }
}

impl Consumer {
    /// Takes the oldest of the values that were there at the last [`look`](Self::look).
    #[inline]
    pub(crate) fn pop_seen(&mut self, queue: &Queue) -> Option<u64> {
        if self.seen() == 0 {
            return None;
        }
        let value = queue.cell(self.head).load(Ordering::Relaxed);
        self.head = self.head.wrapping_add(1);
        Some(value)
    }

    #[inline]
    pub(crate) fn look(&mut self, queue: &Queue) {
        self.tail = queue.observe();
    }

    #[inline]
    pub(crate) fn seen(&self) -> usize {
        self.tail.wrapping_sub(self.head) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn pop(consumer: &mut Consumer, queue: &Queue) -> Option<u64> {
        consumer.look(queue);
        consumer.pop_seen(queue)
    }

    #[test]
    fn order_and_count_hold_when_the_indices_pass_two_to_the_32() {
        let (queue, mut producer, mut consumer) = Queue::starting_at(u32::MAX - 2, 5);
        for round in 0..4 {
            assert_eq!(pop(&mut consumer, &queue), None);
            for n in 0..5 {
                producer.push(&queue, round * 10 + n);
            }
            consumer.look(&queue);
            assert_eq!(consumer.seen(), 5);
            for n in 0..5 {
                assert_eq!(pop(&mut consumer, &queue), Some(round * 10 + n));
            }
        }
    }

    #[test]
    fn what_was_not_looked_at_is_not_popped() {
        let (queue, mut producer, mut consumer) = Queue::new(2);
        producer.push(&queue, 1);
        consumer.look(&queue);
        producer.push(&queue, 2);
        assert_eq!(consumer.pop_seen(&queue), Some(1));
        assert_eq!(consumer.pop_seen(&queue), None);
        assert_eq!(pop(&mut consumer, &queue), Some(2));
    }

    #[test]
    fn every_value_crosses_threads_once_and_in_order() {
        // Two queues in a circle, as the context has them: what is in them never exceeds the capacity.
        const ROUNDS: u64 = if cfg!(miri) { 100 } else { 100_000 };
        let (there, mut send, mut receive) = Queue::starting_at(u32::MAX - 50, 4);
        let (back, mut put, mut take) = Queue::starting_at(u32::MAX - 70, 4);
        (0..4).for_each(|n| put.push(&back, n));
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    let slot = loop {
                        match pop(&mut take, &back) {
                            Some(slot) => break slot,
                            None => thread::yield_now(),
                        }
                    };
                    send.push(&there, round << 8 | slot);
                }
            });
            for round in 0..ROUNDS {
                let value = loop {
                    match pop(&mut receive, &there) {
                        Some(value) => break value,
                        None => thread::yield_now(),
                    }
                };
                assert_eq!(value >> 8, round);
                put.push(&back, value & 0xff);
            }
        });
    }
}
