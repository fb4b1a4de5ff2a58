//! From a request to an operation: finds a free place, makes the buffer, lays out the iovecs.

use crate::driven::{Extras, Way};
use crate::memory::{Block, Part};
use crate::op::{Action, Claim, Claims, Placed};
use crate::plan::{Kind, Place, Shape, Transfer, Twist, UNITS};
use crate::world::World;

/// A flag that no kernel knows.
const UNKNOWN_FLAG: i32 = 1 << 30;
/// One more than a request may have.
const TOO_MANY: usize = 1025;
/// Best effort, lowest level.
const PRIORITY: u16 = 2 << 13 | 7;
/// Where no file of ours reaches.
const FAR: u64 = 1 << 40;
/// Less than 0 for the kernel, and not the -1 that has a meaning of its own.
const NEGATIVE: u64 = 1 << 63 | 4096;

/// Where the body of the file ends.
pub(crate) fn body(kind: Kind) -> usize {
    UNITS * kind.unit()
}

/// Offset, length, and what they claim; `None` if that is not free now.
pub(crate) fn locate(kind: Kind, place: Place, claims: &Claims) -> Option<(u64, usize, Claim)> {
    let unit_len = kind.unit();
    Some(match place {
        Place::Body { unit, units, skew, cut } => {
            let units = claims.find(unit, units)?;
            let offset = (units.start * unit_len + skew) as u64;
            let len = units.len() * unit_len - skew - cut;
            (offset, len, Claim { units, ..Claim::default() })
        }
        Place::End { unit, units, skew, cut } => {
            let offset = (body(kind) + unit * unit_len + skew) as u64;
            (offset, units * unit_len - skew - cut, Claim { end: true, ..Claim::default() })
        }
        // A write does not go where the offset says.
        Place::Append { units, cut } => {
            (body(kind) as u64, units * unit_len - cut, Claim { end: true, ..Claim::default() })
        }
        Place::Far => (FAR, unit_len, Claim::default()),
        Place::Negative => (NEGATIVE, unit_len, Claim::default()),
    })
}

/// Makes an operation of a transfer that has its place. The content of what it writes tells its number.
pub(crate) fn place(
    kind: Kind,
    request: &Transfer,
    (offset, len): (u64, usize),
    id: u64,
    world: &mut World,
) -> Action {
    // One thing that goes wrong is enough: with two, which of them is told is nobody's promise.
    let is_wrong = matches!(request.place, Place::Negative)
        || kind == Kind::Direct && !(offset as usize | len).is_multiple_of(kind.unit())
        // Direct reads may or may not look at memory for what lies behind the end.
        || kind == Kind::Direct && request.twist == Twist::Inaccessible && offset as usize >= body(kind);
    let twist = if is_wrong { Twist::Nothing } else { request.twist };
    let (write, append) = match request.place {
        Place::Append { .. } => (true, libc::RWF_APPEND),
        Place::Far => (false, 0),
        _ => (request.write, 0),
    };
    let extras = Extras {
        flags: append
            | match twist {
                Twist::Dsync => libc::RWF_DSYNC,
                Twist::UnknownFlag => UNKNOWN_FLAG,
                _ => 0,
            },
        priority: (twist == Twist::Priority).then_some(PRIORITY),
    };
    let len = if twist == Twist::Empty { 0 } else { len };
    let skew = match kind {
        Kind::Buffered => offset as usize % 61,
        Kind::Direct => 0,
    };
    let registered = if matches!(request.shape, Shape::Registered) && twist != Twist::TooMany {
        world.registered.pop()
    } else {
        None
    };
    let (way, mut block) = match (registered, request.shape) {
        (Some((index, block)), _) => (Way::Registered(index), block),
        (None, Shape::Vectored { iter: true, .. }) => (Way::Iter, Block::new(skew + len)),
        (None, Shape::Vectored { .. }) => (Way::Vector, Block::new(skew + len)),
        _ if twist == Twist::TooMany => (Way::Vector, Block::new(skew + len)),
        _ => (Way::Plain, Block::new(skew + len)),
    };
    block.prepare(skew, len);
    if write {
        block.fill(id);
    }
    let layout = layout(kind, request.shape, twist, len);
    Action::Transfer(Placed { kind, write, way, twist, offset, extras, block, layout })
}

/// Cuts a length into parts, the first of the file last in memory.
fn layout(kind: Kind, shape: Shape, twist: Twist, len: usize) -> Vec<Part> {
    let grain = match kind {
        Kind::Buffered => 1,
        Kind::Direct => kind.unit(),
    };
    let parts = if let Shape::Vectored { parts, .. } = shape { parts } else { 1 };
    let usual = (len / parts / grain * grain).max(grain);
    let mut layout = Vec::new();
    let mut rest = len;
    for nth in 0..parts {
        let part = if nth + 1 == parts { rest } else { usual.min(rest) };
        rest -= part;
        layout.push(Part { at: Some(rest), len: part });
    }
    if parts > 2 {
        layout.insert(1, Part { at: Some(0), len: 0 });
    }
    match twist {
        Twist::TooMany => layout.resize(TOO_MANY, Part { at: Some(0), len: 0 }),
        // What a direct transfer does before it comes to the part that is not there depends on the disk.
        Twist::Inaccessible if kind == Kind::Direct => layout.iter_mut().for_each(|part| part.at = None),
        Twist::Inaccessible => layout.last_mut().expect("a part").at = None,
        _ => {}
    }
    layout
}
