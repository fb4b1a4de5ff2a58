//! Which faults there are, and what the engine was told: shared by the back end that makes the faults and the model.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::plan::Setup;

pub(crate) type Shared = Rc<RefCell<Script>>;

/// Numbers an operation.
pub(crate) type Tag = u64;
/// A result, or its errno.
pub(crate) type Answer = Result<u32, i32>;

/// What an operation's request has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Result {
        answer: Answer,
        injected: bool,
    },
    /// A further request was not taken.
    Refused(i32),
}

/// What has become of an operation so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) events: Vec<Event>,
    /// Bytes that were transferred, also when something else was said.
    pub(crate) reached: usize,
    /// What is no transfer was done, whatever was said.
    pub(crate) happened: bool,
    /// Bytes that were said to be transferred.
    pub(crate) told: usize,
    /// It is told to try again for ever.
    pub(crate) stuck: bool,
}

/// A fault of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    None,
    Full,
    Refuse(i32),
    Answer(Answer),
    /// Only so many bytes, and what is then said if not their number.
    Pass {
        short: Option<usize>,
        spoil: Option<i32>,
    },
}

/// What a request is, as far as faults are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) user_data: u64,
    /// Of a transfer.
    pub(crate) len: Option<usize>,
    /// Something that ends by itself is in flight, so that there will be room.
    pub(crate) busy: bool,
}

const AGAIN: [i32; 2] = [libc::EINTR, libc::EAGAIN];
const FATAL: [i32; 3] = [libc::EIO, libc::ENOSPC, libc::EINVAL];

#[derive(Debug)]
pub(crate) struct Script {
    setup: Setup,
    random: u64,
    /// Whose request it is that is made next for the first time.
    pub(crate) tag: Tag,
    names: HashMap<u64, Tag>,
    pub(crate) records: HashMap<Tag, Record>,
    /// No call fails: nobody could try again.
    pub(crate) calm: bool,
    fulls: u32,
    /// Whose request was just not taken for want of room.
    pub(crate) last_full: Option<u64>,
    /// Whose request is made once more after that and a submit.
    pub(crate) second: Option<u64>,
    failed_before: bool,
    pub(crate) complaint: Option<String>,
}

impl Script {
    pub(crate) fn new(setup: Setup) -> Shared {
        Rc::new(RefCell::new(Script {
            setup,
            random: setup.seed,
            tag: 0,
            names: HashMap::new(),
            records: HashMap::new(),
            calm: false,
            fulls: 0,
            last_full: None,
            second: None,
            failed_before: false,
            complaint: None,
        }))
    }

    /// Another engine is made, with names of its own.
    pub(crate) fn renew(&mut self) {
        self.names.clear();
        (self.last_full, self.second) = (None, None);
    }

    /// As `splitmix64`.
    pub(crate) fn random(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below.max(1) as u64) as usize
    }

    fn chance(&mut self, rate: u8) -> bool {
        self.random(256) < usize::from(rate)
    }

    fn one_of(&mut self, errnos: &[i32]) -> i32 {
        errnos[self.random(errnos.len())]
    }

    /// Chooses what becomes of a request.
    pub(crate) fn fault(&mut self, target: Target) -> Fault {
        let rates = self.setup.rates;
        // Somebody who is told twice that there is no room gets some.
        if target.busy && self.fulls < 2 && self.chance(rates.full) {
            self.fulls += 1;
            return Fault::Full;
        }
        self.fulls = 0;
        if self.chance(rates.refuse) {
            return Fault::Refuse(self.one_of(&[libc::ENOMEM, libc::EAGAIN, libc::EIO]));
        }
        if self.record(target.user_data).is_some_and(|record| record.stuck) {
            return Fault::Answer(Err(libc::EAGAIN));
        }
        if self.chance(rates.answer) {
            return Fault::Answer(self.answer(target));
        }
        let unit = self.setup.kind.unit();
        let short = match target.len {
            Some(len) if len > unit && self.chance(rates.short) => {
                Some(unit * (1 + self.random((len - 1) / unit)))
            }
            _ => None,
        };
        let spoil = self.chance(rates.spoil).then(|| {
            let errnos = if self.random(3) > 0 { &AGAIN[..] } else { &FATAL[..] };
            self.one_of(errnos)
        });
        if short.is_some() || spoil.is_some() { Fault::Pass { short, spoil } } else { Fault::None }
    }

    fn answer(&mut self, target: Target) -> Answer {
        match self.random(16) {
            0 => {
                let tag = self.names.get(&target.user_data).copied().unwrap_or(self.tag);
                self.records.entry(tag).or_default().stuck = true;
                Err(libc::EAGAIN)
            }
            // As at the end of a file, or of a disk.
            1 if target.len.is_some() => Ok(0),
            2..6 => Err(self.one_of(&FATAL)),
            _ => Err(self.one_of(&AGAIN)),
        }
    }

    fn record(&mut self, user_data: u64) -> Option<&mut Record> {
        self.names.get(&user_data).and_then(|tag| self.records.get_mut(tag))
    }

    /// A request was taken.
    pub(crate) fn taken(&mut self, user_data: u64) {
        let tag = self.tag;
        if self.names.contains_key(&user_data) {
            return;
        }
        self.names.insert(user_data, tag);
        self.records.entry(tag).or_default();
    }

    /// A request was refused, which an operation notices that had one before.
    pub(crate) fn refused(&mut self, user_data: u64, errno: i32) {
        if let Some(record) = self.record(user_data) {
            record.events.push(Event::Refused(errno));
        }
    }

    /// A request was done.
    pub(crate) fn done(&mut self, user_data: u64, count: u32) {
        if let Some(record) = self.record(user_data) {
            record.reached = record.reached.max(record.told + count as usize);
            record.happened = true;
        }
    }

    /// Something is said of a request.
    pub(crate) fn say(&mut self, user_data: u64, answer: Answer, injected: bool) {
        if let Some(record) = self.record(user_data) {
            record.told += answer.unwrap_or(0) as usize;
            record.events.push(Event::Result { answer, injected });
        }
    }

    /// Whether a submit, a wait or a cancellation fails now; never twice in a row.
    pub(crate) fn call_fails(&mut self) -> Option<i32> {
        self.failed_before = !self.calm && !self.failed_before && self.chance(self.setup.rates.calls);
        self.failed_before.then(|| self.one_of(&[libc::EINTR, libc::EAGAIN, libc::ENOMEM]))
    }

    /// How many looks a completion is held back.
    pub(crate) fn delay(&mut self) -> usize {
        if self.chance(self.setup.rates.late) { 1 + self.random(12) } else { 0 }
    }
}
