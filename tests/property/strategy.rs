//! Makes plans by chance. What comes first among the alternatives is what a case shrinks to.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::plan::{
    Ending, How, Kind, MOST_UNITS, Mode, PIPES, Place, Plan, Pollable, Request, Setup, Shape, Step, Syncable,
    Take, Transfer, Twist, UNITS,
};

/// Makes cases; those for io_uring have what only io_uring can do.
pub(crate) fn plan(kind: Kind, uring: bool) -> impl Strategy<Value = Plan> {
    let setup = (1..=16_usize, any::<bool>(), any::<bool>(), prop::bool::weighted(0.25));
    let setup = setup.prop_map(move |(entries, least_completions, otherwise, shared_names)| Setup {
        kind,
        entries,
        least_completions,
        otherwise,
        shared_names,
    });
    let ending = prop_oneof![2 => Just(Ending::Drain), 1 => Just(Ending::Drop)];
    // In batches, of which whole ones are left out first as a case shrinks.
    let steps = vec(vec(step(kind, uring), 0..40), 0..40).prop_map(|batches| batches.concat());
    (setup, steps, ending).prop_map(|(setup, steps, ending)| Plan { setup, steps, ending })
}

fn step(kind: Kind, uring: bool) -> BoxedStrategy<Step> {
    prop_oneof![
        40 => request(kind, uring).prop_map(Step::Add),
        1 => request(kind, uring).prop_map(Step::Fill),
        8 => Just(Step::Submit),
        14 => take().prop_map(Step::Take),
        1 => Just(Step::Drain),
        4 => (0..2 * PIPES).prop_map(Step::Kick),
        2 => (0..2 * PIPES).prop_map(Step::Quiet),
        1 => Just(Step::Readiness),
    ]
    .boxed()
}

fn take() -> impl Strategy<Value = Take> {
    let how = prop_oneof![
        3 => Just(How::Completions),
        3 => Just(How::Wait),
        3 => (0..20_usize).prop_map(How::WaitNr),
        2 => Just(How::WaitTimeout { millis: 0 }),
        1 => Just(How::WaitTimeout { millis: 1 }),
    ];
    let most = option::weighted(0.3, 0..5_usize);
    (how, most, prop::bool::weighted(0.1)).prop_map(|(how, most, leak)| Take { how, most, leak })
}

fn request(kind: Kind, uring: bool) -> BoxedStrategy<Request> {
    let poll_only = any::<bool>();
    let common = prop_oneof![
        2 => (any::<bool>(), syncable()).prop_map(|(data_only, on)| Request::Sync { data_only, on }),
        28 => transfer(kind, uring).prop_map(Request::Transfer),
        5 => pollable().prop_map(Request::Poll),
        4 => (0..64_usize, poll_only).prop_map(|(nth, poll_only)| Request::Cancel { nth, poll_only }),
        1 => poll_only.prop_map(|poll_only| Request::CancelNothing { poll_only }),
    ];
    if !uring {
        return common.boxed();
    }
    let mode = prop_oneof![Just(Mode::Extend), Just(Mode::KeepSize), Just(Mode::PunchHole)];
    prop_oneof![
        40 => common,
        3 => Just(Request::Nop),
        2 => prop::bool::weighted(0.3).prop_map(|long| Request::Timeout { long }),
        3 => (PIPES..2 * PIPES).prop_map(Request::PipeRead),
        1 => (allocation(kind), mode).prop_map(|(place, mode)| Request::Allocate { place, mode }),
    ]
    .boxed()
}

fn syncable() -> impl Strategy<Value = Syncable> {
    prop_oneof![
        Just(Syncable::File),
        Just(Syncable::ReadOnly),
        Just(Syncable::NameOnly),
        Just(Syncable::NotOpen),
        Just(Syncable::Pipe),
    ]
}

fn pollable() -> impl Strategy<Value = Pollable> {
    prop_oneof![
        4 => (0..PIPES).prop_map(Pollable::Pipe),
        1 => (0..PIPES).prop_map(Pollable::Writable),
        1 => Just(Pollable::HungUp),
        1 => Just(Pollable::File),
        1 => Just(Pollable::NotOpen),
    ]
}

fn transfer(kind: Kind, uring: bool) -> impl Strategy<Value = Transfer> {
    let vectored = (1..=6_usize, any::<bool>()).prop_map(|(parts, iter)| Shape::Vectored { parts, iter });
    let shape = if uring {
        prop_oneof![3 => Just(Shape::Plain), 3 => vectored, 1 => Just(Shape::Registered)].boxed()
    } else {
        prop_oneof![Just(Shape::Plain), vectored].boxed()
    };
    (any::<bool>(), shape, place(kind), twist(uring)).prop_map(|(write, shape, place, twist)| Transfer {
        write,
        shape,
        place,
        twist,
    })
}

fn body(kind: Kind) -> BoxedStrategy<Place> {
    let margin = || match kind {
        Kind::Buffered => (0..kind.unit() / 2).boxed(),
        // Some are not aligned.
        Kind::Direct => prop_oneof![15 => Just(0), 1 => 1..kind.unit() / 2].boxed(),
    };
    (0..UNITS, 1..=MOST_UNITS, margin(), margin())
        .prop_map(|(unit, units, skew, cut)| Place::Body { unit, units, skew, cut })
        .boxed()
}

/// All aligned, if direct: the end of a file that is written directly stays so. What is not aligned may go well where
/// nothing is allocated, and this depends on more than the file.
fn end(kind: Kind) -> BoxedStrategy<Place> {
    let margin = || match kind {
        Kind::Buffered => (0..kind.unit() / 2).boxed(),
        Kind::Direct => Just(0).boxed(),
    };
    prop_oneof![
        4 => (0..6_usize, 1..=MOST_UNITS, margin(), margin())
            .prop_map(|(unit, units, skew, cut)| Place::End { unit, units, skew, cut }),
        1 => (1..=MOST_UNITS, margin()).prop_map(|(units, cut)| Place::Append { units, cut }),
    ]
    .boxed()
}

/// Behind the body only, if direct: the body stays allocated, for the same reason.
fn allocation(kind: Kind) -> BoxedStrategy<Place> {
    match kind {
        Kind::Buffered => prop_oneof![body(kind), end(kind)].boxed(),
        Kind::Direct => end(kind),
    }
}

fn place(kind: Kind) -> BoxedStrategy<Place> {
    prop_oneof![
        20 => body(kind),
        5 => end(kind),
        1 => Just(Place::Far),
        1 => Just(Place::Negative),
    ]
    .boxed()
}

fn twist(uring: bool) -> BoxedStrategy<Twist> {
    let common = prop_oneof![
        30 => Just(Twist::Nothing),
        2 => Just(Twist::OneWay),
        1 => Just(Twist::Dsync),
        1 => Just(Twist::Priority),
        1 => Just(Twist::WrongWay),
        1 => Just(Twist::NameOnly),
        1 => Just(Twist::NotOpen),
        2 => Just(Twist::Inaccessible),
        2 => Just(Twist::Empty),
        1 => Just(Twist::UnknownFlag),
        1 => Just(Twist::TooMany),
    ];
    if !uring {
        return common.boxed();
    }
    prop_oneof![12 => common, 1 => Just(Twist::Registered), 1 => Just(Twist::BeyondTable)].boxed()
}
