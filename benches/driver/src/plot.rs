//! The results as SVG.

use std::fmt::Write;

use contender::Workload;

use crate::{database::Database, results::Cell, sizes::Cost};

const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const ROW: f64 = 16.0;
const LEFT: f64 = 190.0;
const WIDTH: f64 = 900.0;

/// A scale of powers: where a value is drawn.
struct Scale {
    least: f64,
    greatest: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Over all values, widened to whole powers of two.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (least, greatest) = values
            .filter(|value| value.is_finite() && *value > 0.0)
            .fold((1.0_f64, 1.0_f64), |(least, greatest), value| (least.min(value), greatest.max(value)));
        let (least, greatest) = (least.log2().floor(), greatest.log2().ceil().max(1.0));
        Self { least, greatest, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value.log2() - self.least) / (self.greatest - self.least) * (self.to - self.from)
    }

    /// The powers of two.
    fn marks(&self) -> impl Iterator<Item = f64> + use<> {
        (self.least as i32..=self.greatest as i32).map(|power| 2_f64.powi(power))
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#);
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), style: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(svg, r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" {style}/>"#);
}

fn dot(svg: &mut String, (x, y): (f64, f64), colour: &str) {
    let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#);
}

fn page(height: f64, title: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"18\" font-size=\"14\">{title}</text>\n{body}</svg>\n"
    )
}

fn legend(svg: &mut String, names: &[&str]) {
    let mut x = LEFT;
    for (name, colour) in names.iter().zip(COLOURS.iter().cycle()) {
        dot(svg, (x, 36.0), colour);
        text(svg, (x + 8.0, 40.0), "start", name);
        x += 24.0 + 7.0 * name.len() as f64;
    }
}

/// Larder's multiple of each peer's rate: a dot for the median, a bar from the least to the greatest.
pub(crate) fn ratios(database: Database, cells: &[&Cell]) -> String {
    let mut peers: Vec<&str> = Vec::new();
    for against in cells.iter().flat_map(|cell| &cell.ratios) {
        if !peers.contains(&against.contender.as_str()) {
            peers.push(&against.contender);
        }
    }
    let all = cells.iter().flat_map(|cell| &cell.ratios);
    let scale = Scale::over(all.flat_map(|one| [one.rate.least, one.rate.greatest]), LEFT, WIDTH - 20.0);
    let bottom = 60.0 + ROW * cells.len() as f64;
    let mut svg = String::new();
    legend(&mut svg, &peers);
    for mark in scale.marks() {
        let x = scale.place(mark);
        let style = if mark == 1.0 { r##"stroke="#333""## } else { r##"stroke="#ddd""## };
        line(&mut svg, (x, 50.0), (x, bottom), style);
        text(&mut svg, (x, bottom + 14.0), "middle", &format!("{mark}"));
    }
    for (row, cell) in cells.iter().enumerate() {
        let y = 60.0 + ROW * row as f64;
        let name = format!("{} × {}", cell.workload.name(), cell.callers);
        text(&mut svg, (LEFT - 12.0, y + 4.0), "end", &name);
        for against in &cell.ratios {
            let peer = peers.iter().position(|peer| *peer == against.contender).unwrap_or_default();
            let colour = COLOURS[peer % COLOURS.len()];
            let y = y + (peer as f64 - peers.len() as f64 / 2.0) * 1.5;
            let ends = ((scale.place(against.rate.least), y), (scale.place(against.rate.greatest), y));
            line(&mut svg, ends.0, ends.1, &format!(r#"stroke="{colour}" stroke-opacity="0.5""#));
            dot(&mut svg, (scale.place(against.rate.median), y), colour);
        }
    }
    let title = format!("{}: operations per second of larder, as multiples of the peer's", database.name());
    page(bottom + 30.0, &title, &svg)
}

/// The cost of a call against the number of jobs, as multiples of the cost at the least.
pub(crate) fn costs(database: Database, costs: &[&Cost]) -> String {
    const TOP: f64 = 60.0;
    const BOTTOM: f64 = 360.0;
    let mut series: Vec<(Workload, usize)> = costs.iter().map(|cost| (cost.workload, cost.callers)).collect();
    series.sort_unstable();
    series.dedup();
    let upwards = Scale::over(costs.iter().map(|cost| cost.ratio.unwrap_or(1.0)), BOTTOM, TOP);
    let sizes: Vec<f64> = costs.iter().map(|cost| cost.jobs as f64).collect();
    let least = sizes.iter().copied().fold(f64::INFINITY, f64::min);
    let across = Scale::over(sizes.iter().map(|size| size / least), LEFT - 120.0, WIDTH - 20.0);
    let mut svg = String::new();
    let names: Vec<_> =
        series.iter().map(|(workload, callers)| format!("{}×{callers}", workload.name())).collect();
    legend_of_series(&mut svg, &names);
    for mark in upwards.marks() {
        let y = upwards.place(mark);
        line(&mut svg, (across.from, y), (across.to, y), r##"stroke="#ddd""##);
        text(&mut svg, (across.from - 8.0, y + 4.0), "end", &format!("{mark}"));
    }
    for size in costs.iter().filter(|cost| (cost.workload, cost.callers) == series[0]).map(|cost| cost.jobs) {
        text(&mut svg, (across.place(size as f64 / least), BOTTOM + 16.0), "middle", &size.to_string());
    }
    for (number, one) in series.iter().enumerate() {
        let points: Vec<_> = costs
            .iter()
            .filter(|cost| (cost.workload, cost.callers) == *one)
            .map(|cost| (across.place(cost.jobs as f64 / least), upwards.place(cost.ratio.unwrap_or(1.0))))
            .collect();
        let (colour, dashes) = style(number);
        for ends in points.windows(2) {
            line(&mut svg, ends[0], ends[1], &format!(r#"stroke="{colour}" {dashes}"#));
        }
        for point in points {
            dot(&mut svg, point, colour);
        }
    }
    let title = format!("{}: cost of a call against the number of jobs, as multiples", database.name());
    page(BOTTOM + 40.0, &title, &svg)
}

/// One caller drawn through, many dashed: series come in pairs.
fn style(number: usize) -> (&'static str, &'static str) {
    let dashes = if number.is_multiple_of(2) { "" } else { r#"stroke-dasharray="5 3""# };
    (COLOURS[number / 2 % COLOURS.len()], dashes)
}

fn legend_of_series(svg: &mut String, names: &[String]) {
    let mut x = 20.0;
    for (number, name) in names.iter().enumerate() {
        let (colour, dashes) = style(number);
        line(svg, (x, 36.0), (x + 18.0, 36.0), &format!(r#"stroke="{colour}" {dashes}"#));
        text(svg, (x + 22.0, 40.0), "start", name);
        x += 30.0 + 6.0 * name.len() as f64;
    }
}
