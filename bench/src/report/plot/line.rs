//! Full and broken lines.

use plotters::prelude::*;

/// Draws a line of pixels as one path, or as dashes.
pub(super) fn stroke<E>(
    line: &[(i32, i32)],
    colour: RGBColor,
    dashed: bool,
    mut draw: impl FnMut(PathElement<(i32, i32)>) -> Result<(), E>,
) -> Result<(), E> {
    let style = colour.stroke_width(2);
    if !dashed {
        return draw(PathElement::new(line.to_vec(), style));
    }
    for dash in dashes(line, 9.0, 6.0) {
        draw(PathElement::new(dash, style))?;
    }
    Ok(())
}

/// Cuts a line into pieces of `on` pixels with gaps of `off` pixels, measured along it.
fn dashes(line: &[(i32, i32)], on: f64, off: f64) -> Vec<Vec<(i32, i32)>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut at = 0.0;
    for pair in line.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let length = dx.hypot(dy);
        // A pixel at a time: a step of the line may be longer than a dash.
        let steps = length.ceil().max(1.0);
        for step in 0..steps as u32 {
            let part = f64::from(step) / steps;
            if at % (on + off) < on {
                piece.push((from.0 + (dx * part).round() as i32, from.1 + (dy * part).round() as i32));
            } else if !piece.is_empty() {
                pieces.push(std::mem::take(&mut piece));
            }
            at += length / steps;
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_leave_gaps() {
        let pieces = dashes(&[(0, 0), (100, 0)], 10.0, 10.0);
        assert_eq!(pieces.len(), 5);
        assert!(pieces.iter().all(|piece| piece.last().unwrap().0 - piece[0].0 <= 10), "{pieces:?}");
    }
}
