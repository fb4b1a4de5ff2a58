//! Numbers as labels.

use crate::report::table::number;

/// The label of a count of nines: 2 is 99 %.
pub(super) fn percent(nines: f64) -> String {
    let share = 100.0 * (1.0 - 10_f64.powf(-nines));
    let decimals = (nines.round() as usize).saturating_sub(2);
    format!("{share:.decimals$} %")
}

pub(super) fn time(nanos: f64) -> String {
    match nanos {
        nanos if nanos < 999.5 => format!("{nanos:.0} ns"),
        nanos if nanos < 999_500.0 => format!("{} µs", trimmed(nanos / 1e3)),
        nanos if nanos < 999_500_000.0 => format!("{} ms", trimmed(nanos / 1e6)),
        nanos => format!("{} s", trimmed(nanos / 1e9)),
    }
}

pub(super) fn short(value: f64) -> String {
    match value {
        value if value < 999.5 => format!("{value:.0}"),
        value if value < 999_500.0 => format!("{} k", trimmed(value / 1e3)),
        value => format!("{} M", trimmed(value / 1e6)),
    }
}

/// Three digits, without zeros that say nothing.
fn trimmed(value: f64) -> String {
    let text = number(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        assert_eq!(
            (percent(0.0), percent(1.0), percent(4.0)),
            ("0 %".into(), "90 %".into(), "99.99 %".into())
        );
        assert_eq!(
            (time(200.0), time(1000.0), time(1.5e6)),
            ("200 ns".into(), "1 µs".into(), "1.5 ms".into())
        );
        assert_eq!(
            (short(950.0), short(123_400.0), short(2e6)),
            ("950".into(), "123 k".into(), "2 M".into())
        );
    }
}
