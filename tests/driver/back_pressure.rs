//! A full driver makes its users wait, and no longer than that.

use std::sync::Arc;
use std::time::Duration;

use tests::late::Disk;
use tests::or_skip;

use crate::common::*;
use crate::each_backend;

#[test]
fn a_full_driver_gives_back_what_is_only_tried_and_blocks_what_is_not() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(64 * BLOCK));
        let file = Arc::new(disk.open());
        let driver = driver(&options(kind, 2).queue(3));
        let results = Results::new();
        for block in 0..5 {
            if block == 2 {
                disk.wait_for_requests(2);
            }
            driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
        }
        let refused = driver.try_submit(read(&file, BLOCK, 7 * BLOCK), results.tagged(7)).unwrap_err();
        assert!(matches!(refused.error, Error::Full));
        let (operation, callback) = refused.operation;
        let Operations::Read(back) = operation else { panic!("another operation") };
        assert_eq!(back.offset, 7 * BLOCK as u64);
        let (sender, accepted) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let (driver, file) = (&driver, &file);
            let tagged = results.sender_only();
            scope.spawn(move || {
                driver.submit(read(file, BLOCK, 5 * BLOCK), tagged.tagged(5)).unwrap();
                sender.send(()).unwrap();
            });
            // Not a measurement: a driver that does not block is caught here if it is quick, and by the next line always.
            assert!(accepted.recv_timeout(Duration::from_millis(50)).is_err(), "room in a full driver");
            assert_eq!(driver.stats().submitted, 5);
            disk.release_nr(1);
            accepted.recv_timeout(PATIENCE).expect("room after one is done");
            disk.release();
        });
        driver.submit(back, callback).unwrap();
        let tags: Vec<_> = results.take(7).into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags, [0, 1, 2, 3, 4, 5, 7]);
    }
}

#[test]
fn who_waits_for_room_is_sent_away_with_everything_at_the_end() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(64 * BLOCK));
        let file = Arc::new(disk.open());
        let driver = driver(&options(kind, 1).queue(1));
        let results = Results::new();
        driver.submit(read(&file, BLOCK, 0), results.tagged(0)).unwrap();
        disk.wait_for_requests(1);
        driver.submit(read(&file, BLOCK, BLOCK), results.tagged(1)).unwrap();
        let waiting: Vec<_> = (2..5)
            .map(|block| {
                let (driver, file, tagged) = (driver.clone(), file.clone(), results.sender_only());
                std::thread::spawn(move || {
                    driver.submit(read(&file, BLOCK, block * BLOCK), tagged.tagged(block))
                })
            })
            .collect();
        let ended = std::thread::spawn(move || driver.shutdown());
        for (thread, block) in waiting.into_iter().zip(2..) {
            let refused = in_time(move || thread.join().unwrap()).unwrap_err();
            assert!(matches!(refused.error, Error::Closed));
            let Operations::Read(back) = refused.operation.0 else { panic!("another operation") };
            assert_eq!(back.offset, (block * BLOCK) as u64);
        }
        disk.release();
        in_time(move || ended.join().unwrap()).unwrap();
        assert_eq!(results.all_once(2).len(), 2);
    }
}

#[test]
fn slow_callbacks_hold_up_who_submits_and_not_each_other() {
    for kind in each_backend!() {
        let (_temporary, file) = temporary(64 * BLOCK);
        let driver = driver(&options(kind, 2).queue(2).workers(2));
        let (open, opened) = std::sync::mpsc::channel::<()>();
        let opened = Arc::new(std::sync::Mutex::new(opened));
        let results = Results::new();
        let mut accepted = 0;
        // Two with the workers, two that wait for them, one that the I/O thread has in its hand, two in flight, two that
        // wait: there is an end to it.
        let full = loop {
            let (gate, tagged) = (opened.clone(), results.tagged(accepted));
            let callback = Box::new(move |outcome| {
                let _ = gate.lock().unwrap().recv();
                tagged(outcome);
            });
            match driver.try_submit(read(&file, BLOCK, 0), callback) {
                Ok(()) => accepted += 1,
                Err(_) if accepted >= 7 => break accepted,
                Err(_) => std::thread::yield_now(),
            }
        };
        assert!(full <= 9, "{full} are accepted while no callback returns");
        drop(open);
        shut_down(driver);
        assert_eq!(results.all_once(full).len(), full);
    }
}
