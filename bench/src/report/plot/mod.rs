//! A chart of a run: for each operation and mode the latency distribution on the left, IOPS by depth on the
//! right.

mod label;
mod latency;
mod line;

use std::collections::BTreeSet;

use anyhow::{anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use self::label::short;
use self::line::stroke;
use super::Report;
use super::table::bytes;
use crate::case::{Case, EngineKind, Mode, Op};
use crate::measure::Sample;

const WIDTH: u32 = 1240;
const HEAD: u32 = 108;
const ROW: u32 = 380;
const LATENCY_WIDTH: u32 = 740;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// With more depths than this, bars are too narrow to carry their value.
const LABELLED_DEPTHS: usize = 3;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Measured<'a> = (Case, &'a Sample);

/// Draws what was measured.
pub(crate) fn svg(report: &Report) -> anyhow::Result<String> {
    let measured: Vec<_> = report.measured().collect();
    ensure!(!measured.is_empty(), "nothing was measured, so there is nothing to draw");
    let groups: BTreeSet<_> = measured.iter().map(|(case, _)| (case.op, case.mode)).collect();
    let mut text = String::new();
    {
        let size = (WIDTH, HEAD + ROW * groups.len() as u32);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&root, report, &measured, &groups).map_err(|error| anyhow!("drawing the chart: {error}"))?;
        root.present()?;
    }
    Ok(text)
}

fn draw(
    root: &Area<'_>,
    report: &Report,
    measured: &[Measured<'_>],
    groups: &BTreeSet<(Op, Mode)>,
) -> Result<(), Box<dyn std::error::Error>> {
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(HEAD);
    // Curves of two depths can be told apart; of more, the outermost are shown.
    let depths: BTreeSet<_> = measured.iter().map(|(case, _)| case.depth).collect();
    let curves: BTreeSet<_> = depths.first().into_iter().chain(depths.last()).copied().collect();
    headline(&head, report, measured, &curves)?;
    for (area, group) in body.split_evenly((groups.len(), 1)).iter().zip(groups) {
        let of_group: Vec<_> =
            measured.iter().copied().filter(|(case, _)| (case.op, case.mode) == *group).collect();
        let (left, right) = area.split_horizontally(LATENCY_WIDTH);
        let name = match group.0 {
            Op::Read => "reads",
            Op::Write => "writes",
        };
        let title = format!("{} {name}", capital(group.1.name()));
        latency::draw(&left, &title, &of_group, &curves)?;
        throughput(&right, &title, &of_group)?;
    }
    Ok(())
}

/// Title, and the legend, above all panels.
fn headline(
    area: &Area<'_>,
    report: &Report,
    measured: &[Measured<'_>],
    curves: &BTreeSet<usize>,
) -> Result<(), Box<dyn std::error::Error>> {
    let title = format!(
        "Random blocks of {} on {} ({})",
        bytes(report.block_size),
        report.file_system,
        bytes(report.size),
    );
    area.draw_text(&title, &ink(22.0), (24, 18))?;
    let host = format!("Linux {}, {} CPUs; every byte verified", report.host.kernel, report.host.cpus);
    area.draw_text(&host, &ink(15.0), (24, 48))?;
    let engines: BTreeSet<_> = measured.iter().map(|(case, _)| case.engine).collect();
    let mut x = 24;
    for engine in engines {
        let swatch = [(x, 81), (x + 22, 95)];
        area.draw(&Rectangle::new(swatch, colour(engine).filled()))?;
        area.draw_text(engine.name(), &ink(15.0), (x + 30, 80))?;
        x += 128;
    }
    for depth in curves {
        let line: Vec<_> = (x..=x + 44).map(|x| (x, 88)).collect();
        stroke(&line, INK, dashed(*depth, curves), |line| area.draw(&line))?;
        area.draw_text(&format!("depth {depth}"), &ink(15.0), (x + 54, 80))?;
        x += 150;
    }
    Ok(())
}

fn throughput(
    area: &Area<'_>,
    title: &str,
    measured: &[Measured<'_>],
) -> Result<(), Box<dyn std::error::Error>> {
    let depths: Vec<_> =
        measured.iter().map(|(case, _)| case.depth).collect::<BTreeSet<_>>().into_iter().collect();
    let iops = |sample: &Sample| sample.ops as f64 / sample.elapsed.as_secs_f64();
    let top = measured.iter().map(|(_, sample)| iops(sample)).fold(1.0, f64::max) * 1.15;
    let width = depths.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_left(16)
        .margin_right(24)
        .margin_bottom(22)
        .caption(format!("{title}: IOPS by depth"), ink(18.0))
        .x_label_area_size(46)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..width, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .label_style(ink(14.0))
        .axis_desc_style(ink(15.0))
        .x_labels(0)
        .x_desc("requests in flight")
        .y_labels(6)
        .y_label_formatter(&|iops| short(*iops))
        .draw()?;
    let centred = |size| ink(size).pos(Pos::new(HPos::Center, VPos::Bottom));
    for (index, depth) in depths.iter().enumerate() {
        let bars: Vec<_> = measured.iter().filter(|(case, _)| case.depth == *depth).collect();
        // Bars of one width everywhere, the group in the middle of its place.
        let bar = 0.24;
        let start = index as f64 + 0.5 - bar * bars.len() as f64 / 2.0;
        for (place, (case, sample)) in bars.iter().enumerate() {
            let (left, value) = (start + bar * place as f64, iops(sample));
            let corners = [(left + 0.01, 0.0), (left + bar - 0.01, value)];
            chart.draw_series([Rectangle::new(corners, colour(case.engine).filled())])?;
            if depths.len() <= LABELLED_DEPTHS {
                let (x, y) = chart.backend_coord(&(left + bar / 2.0, value));
                area.draw_text(&short(value), &centred(14.0), within(area, (x, y - 4)))?;
            }
        }
        let (x, y) = chart.backend_coord(&(index as f64 + 0.5, 0.0));
        area.draw_text(&depth.to_string(), &centred(14.0), within(area, (x, y + 20)))?;
    }
    Ok(())
}

/// Turns a place that a chart gave, which counts from the corner of the picture, into one of the area.
fn within(area: &Area<'_>, (x, y): (i32, i32)) -> (i32, i32) {
    let (left, top) = area.get_base_pixel();
    (x - left, y - top)
}

/// The first of two depths is a full line, the other one is broken.
fn dashed(depth: usize, curves: &BTreeSet<usize>) -> bool {
    curves.first() != Some(&depth)
}

/// Colours that people with any kind of colour vision tell apart.
fn colour(engine: EngineKind) -> RGBColor {
    match engine {
        EngineKind::Pread => RGBColor(0x6b, 0x6b, 0x6b),
        EngineKind::Aio => RGBColor(0xe0, 0x8a, 0x00),
        EngineKind::Uring => RGBColor(0x00, 0x66, 0xb3),
        EngineKind::Engine => RGBColor(0xa0, 0x30, 0x80),
    }
}

fn ink(size: f64) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_names_what_was_measured_and_nothing_else() {
        let svg = svg(&super::super::tests::example()).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for text in ["Buffered reads: latency", "pread", "aio", "99.9 %", "20 k", "depth 32"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(!svg.contains("io_uring") && !svg.contains("Direct"));
    }

    #[test]
    fn a_run_without_a_measurement_cannot_be_drawn() {
        let mut report = super::super::tests::example();
        report.outcomes.truncate(0);
        assert!(svg(&report).is_err());
    }
}
