//! The latency panel.

use std::collections::BTreeSet;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::label::{percent, time};
use super::line::stroke;
use super::{Area, GRID, INK, Measured, colour, dashed, ink, within};
use crate::measure::Sample;

/// Latency curves end here: 99.99 %.
const NINES: f64 = 4.0;

/// Share of operations by the time within which they completed; the vertical axis counts nines, so that the
/// tail shows.
pub(super) fn draw(
    area: &Area<'_>,
    title: &str,
    measured: &[Measured<'_>],
    curves: &BTreeSet<usize>,
) -> Result<(), Box<dyn std::error::Error>> {
    let shown: Vec<_> = measured.iter().filter(|(case, _)| curves.contains(&case.depth)).collect();
    let low = shown.iter().map(|(_, sample)| sample.latency.min().max(1)).min().unwrap_or(1) as f64;
    let high =
        shown.iter().map(|(_, sample)| sample.latency.value_at_quantile(0.9999)).max().unwrap_or(1) as f64;
    // A curve needs room on both sides, and the axis a decade at least.
    let (low, high) = (low * 0.8, (high * 1.25).max(low * 10.0));
    let mut chart = ChartBuilder::on(area)
        .margin_left(16)
        .margin_right(24)
        .margin_bottom(22)
        .caption(format!("{title}: latency"), ink(18.0))
        .x_label_area_size(46)
        .y_label_area_size(80)
        .build_cartesian_2d((low..high).log_scale(), 0.0..NINES)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .label_style(ink(14.0))
        .axis_desc_style(ink(15.0))
        .x_labels(12)
        .x_label_formatter(&|nanos| time(*nanos))
        .x_desc("completed within")
        .y_labels(6)
        .y_label_formatter(&|nines| percent(*nines))
        .y_desc("operations")
        .draw()?;
    // The median has no whole number of nines.
    let half = -0.5_f64.log10();
    chart.draw_series([PathElement::new([(low, half), (high, half)], GRID)])?;
    let (x, y) = within(area, chart.backend_coord(&(low, half)));
    area.draw_text("50 %", &ink(14.0).pos(Pos::new(HPos::Right, VPos::Center)), (x - 10, y))?;
    for (case, sample) in shown {
        let points = curve(sample);
        let place = |(nanos, nines): &(f64, f64)| within(area, chart.backend_coord(&(*nanos, *nines)));
        let line: Vec<_> = points.iter().map(place).collect();
        stroke(&line, colour(case.engine), dashed(case.depth, curves), |line| area.draw(&line))?;
    }
    Ok(())
}

/// The distribution as points (nanoseconds, nines), both growing.
fn curve(sample: &Sample) -> Vec<(f64, f64)> {
    let total = sample.latency.len() as f64;
    let mut below = 0;
    let mut points = vec![(sample.latency.min().max(1) as f64, 0.0)];
    for step in sample.latency.iter_recorded() {
        below += step.count_since_last_iteration();
        let nines = -(1.0 - below as f64 / total).log10();
        let point = (step.value_iterated_to() as f64, nines.min(NINES));
        points.push(point);
        if nines >= NINES {
            break;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_rises_to_the_last_operation() {
        let report = crate::report::tests::example();
        let (_, sample) = report.measured().next().unwrap();
        let points = curve(sample);
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
        assert_eq!(points.last().unwrap().1, NINES);
        let (_, nines) = points.iter().find(|(nanos, _)| *nanos >= 90_000.0).unwrap();
        assert!((nines - 1.0).abs() < 0.01, "{nines}");
    }
}
