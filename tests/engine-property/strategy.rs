//! How cases are made.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::plan::{
    BEYOND, Control, DIRECT_UNIT, Door, How, Kind, PIPES, Place, Plan, Rates, Request, SIZE, Scoped,
    ScopedRequest, Setup, Step, Take, Way, When,
};

/// Makes cases.
pub(crate) fn plan(kind: Kind) -> impl Strategy<Value = Plan> {
    let setup = (1..=16_usize, rates(), any::<u64>(), any::<bool>())
        .prop_map(move |(depth, rates, seed, registered)| Setup { kind, depth, rates, seed, registered });
    // In batches, of which whole ones are left out first as a case shrinks.
    let steps = vec(vec(step(kind), 0..40), 0..40).prop_map(|batches| batches.concat());
    (setup, steps, any::<bool>()).prop_map(|(setup, steps, drain)| Plan { setup, steps, drain })
}

/// None of a sort, few of them, or many.
fn rate() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(0), 3 => 1..10_u8, 3 => 10..60_u8, 1 => 60..200_u8]
}

/// A fault of this sort may end an operation, so there are never too many.
fn rare() -> impl Strategy<Value = u8> {
    prop_oneof![1 => Just(0), 2 => 1..30_u8]
}

fn rates() -> impl Strategy<Value = Rates> {
    (rate(), rare(), rare(), rate(), rare(), rate(), rare()).prop_map(
        |(short, answer, spoil, full, refuse, late, calls)| Rates {
            short,
            answer,
            spoil,
            full,
            refuse,
            late,
            calls,
        },
    )
}

fn step(kind: Kind) -> BoxedStrategy<Step> {
    prop_oneof![
        400 => request(kind).prop_map(Step::Add),
        20 => request(kind).prop_map(Step::Fill),
        60 => Just(Step::Submit),
        160 => take().prop_map(Step::Take),
        10 => Just(Step::Drain),
        30 => (0..64_usize).prop_map(Step::Cancel),
        5 => (0..64_usize).prop_map(Step::CancelStale),
        2 => Just(Step::CancelAll),
        30 => (0..PIPES).prop_map(Step::Kick),
        20 => (0..PIPES).prop_map(Step::Quiet),
        20 => scoped(kind).prop_map(Step::Scope),
        3 => prop::bool::weighted(0.3).prop_map(|close| Step::Renew { close }),
    ]
    .boxed()
}

fn take() -> impl Strategy<Value = Take> {
    let how = prop_oneof![
        3 => Just(How::Completions),
        3 => Just(How::Wait),
        4 => (0..20_usize).prop_map(How::WaitNr),
        1 => (0..2_u64).prop_map(|millis| How::WaitTimeout { millis }),
    ];
    let way = prop_oneof![
        12 => Just(Way::Next),
        6 => Just(Way::IntoCompletion),
        4 => Just(Way::Drop),
        6 => (0..3 * DIRECT_UNIT as u64).prop_map(|shift| Way::Again { shift }),
        1 => prop_oneof![6 => Just(Way::Next), 1 => Just(Way::Forget)],
    ];
    let most = option::weighted(0.3, 0..5_usize);
    (how, most, way).prop_map(|(how, most, way)| Take { how, most, way })
}

fn request(kind: Kind) -> BoxedStrategy<Request> {
    let control = prop_oneof![
        Just(Control::Allocate),
        Just(Control::PunchHole),
        Just(Control::Discard),
        any::<bool>().prop_map(|unmap| Control::WriteZeroes { unmap }),
    ];
    prop_oneof![
        60 => (any::<bool>(), place(kind), parts(), door())
            .prop_map(|(write, place, parts, door)| Request::Transfer { write, place, parts, door }),
        4 => (any::<bool>(), door()).prop_map(|(data_only, door)| Request::Sync { data_only, door }),
        5 => (control, place(kind), door())
            .prop_map(|(what, place, door)| Request::Control { what, place, door }),
        6 => (0..PIPES, door()).prop_map(|(pipe, door)| Request::Poll { pipe, door }),
    ]
    .boxed()
}

fn parts() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 2 => 1..=6_usize]
}

fn door() -> impl Strategy<Value = Door> {
    prop_oneof![
        20 => Just(Door::Usual),
        2 => Just(Door::OneWay),
        1 => Just(Door::WrongWay),
        1 => Just(Door::NameOnly),
    ]
}

fn place(kind: Kind) -> BoxedStrategy<Place> {
    let unit = kind.unit();
    let most = (SIZE + BEYOND) / unit;
    let offset = prop_oneof![6 => 0..most, 1 => (SIZE / unit - 2)..(SIZE / unit + 2)];
    let len = match kind {
        Kind::Buffered => prop_oneof![1 => Just(0), 4 => 1..50_usize, 8 => 1..6000_usize].boxed(),
        Kind::Direct => prop_oneof![1 => Just(0), 12 => 1..=3_usize].boxed(),
    };
    (offset, len)
        .prop_map(move |(offset, len)| Place { offset: (offset * unit) as u64, len: len * unit })
        .boxed()
}

fn scoped(kind: Kind) -> impl Strategy<Value = Scoped> {
    let when = prop_oneof![1 => Just(When::AtOnce), 3 => Just(When::Later), 1 => Just(When::Never)];
    let request = (any::<bool>(), place(kind), parts(), prop::bool::weighted(0.1), when)
        .prop_map(|(write, place, parts, cancel, wait)| ScopedRequest { write, place, parts, cancel, wait });
    (vec(request, 0..12), prop::bool::weighted(0.1)).prop_map(|(requests, panic)| Scoped { requests, panic })
}
