//! Plots as SVG, written by hand: lines over an x and a y axis.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
/// The area of the plot: left, top, right, bottom.
const AREA: [f64; 4] = [62.0, 44.0, 590.0, 330.0];

/// Colours that colour-blind readers can tell apart: Okabe and Ito, "Color universal design", 2008.
/// They are lighter on a dark background. The dashes distinguish the lines without any colour.
const STYLE: &str = "\
text{font-family:system-ui,sans-serif;font-size:12px;fill:#24292f}.t{font-size:15px;font-weight:600}.m{text-anchor:middle}\
.e{text-anchor:end}.b{fill:#fff;stroke:#d0d7de}.g{stroke:#d8dee4}.p{fill:#eef1f4}.n{font-size:11px;fill:#57606a}\
.l{fill:none;stroke-width:1.8;stroke-linejoin:round}\
.s0{stroke:#57606a;stroke-dasharray:5 3}.s1{stroke:#d55e00}.s2{stroke:#0072b2}.s3{stroke:#009e73}\
.s4{stroke:#b5569a;stroke-dasharray:7 2 2 2}.s5{stroke:#c58a00;stroke-dasharray:2 2}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.b{fill:#161b22;stroke:#30363d}.g{stroke:#30363d}\
.p{fill:#21262d}.n{fill:#9aa4af}.s0{stroke:#9aa4af}.s1{stroke:#ff8a3d}.s2{stroke:#58b0f0}.s3{stroke:#2fc79a}\
.s4{stroke:#e08cc6}.s5{stroke:#f0b93a}}";

/// An axis of a plot, from its first mark to its last.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) title: &'static str,
    pub(crate) marks: Vec<f64>,
    /// True if equal steps of the axis are equal factors.
    pub(crate) logarithmic: bool,
}

impl Axis {
    pub(crate) fn linear(title: &'static str, marks: impl Into<Vec<f64>>) -> Self {
        let marks = marks.into();
        Self {
            title,
            marks,
            logarithmic: false,
        }
    }

    pub(crate) fn logarithmic(title: &'static str, marks: impl Into<Vec<f64>>) -> Self {
        Self {
            logarithmic: true,
            ..Self::linear(title, marks)
        }
    }

    /// Returns the position of `value`: 0 at the first mark, 1 at the last, and the nearer of these
    /// outside.
    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.ln() } else { value };
        let (first, last) = (self.marks[0], self.marks[self.marks.len() - 1]);
        let value = value.clamp(first, last);
        (scale(value) - scale(first)) / (scale(last) - scale(first))
    }
}

/// A line of a plot, with its name.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A plot with up to six lines, which is the number of distinguishable colours.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// Named parts of the x axis, of which every other one has a background.
    pub(crate) parts: Vec<(f64, f64, &'static str)>,
    pub(crate) lines: Vec<Line>,
}

impl Plot {
    /// Returns the plot as the text of an SVG file.
    pub(crate) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\">\n<style>{STYLE}</style>\n\
             <rect class=\"b\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
             <text class=\"t\" x=\"{}\" y=\"26\">{title}</text>\n",
            WIDTH - 1.0,
            HEIGHT - 1.0,
            AREA[0],
            title = self.title,
        );
        self.add_parts(&mut svg);
        self.add_axes(&mut svg);
        self.add_lines(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn at_x(&self, value: f64) -> f64 {
        AREA[0] + self.x.place(value) * (AREA[2] - AREA[0])
    }

    fn at_y(&self, value: f64) -> f64 {
        AREA[3] - self.y.place(value) * (AREA[3] - AREA[1])
    }

    fn add_parts(&self, svg: &mut String) {
        let [_, top, _, bottom] = AREA;
        for (number, (from, until, name)) in self.parts.iter().enumerate() {
            let (from, until) = (self.at_x(*from), self.at_x(*until));
            if number % 2 == 1 {
                let (width, height) = (until - from, bottom - top);
                add(
                    svg,
                    format_args!(
                        "<rect class=\"p\" x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"/>"
                    ),
                );
            }
            let (middle, y) = ((from + until) / 2.0, top - 4.0);
            add(
                svg,
                format_args!("<text class=\"n m\" x=\"{middle:.1}\" y=\"{y}\">{name}</text>"),
            );
        }
    }

    fn add_axes(&self, svg: &mut String) {
        let [left, top, right, bottom] = AREA;
        for mark in &self.y.marks {
            let y = self.at_y(*mark);
            add(
                svg,
                format_args!("<path class=\"g\" d=\"M{left} {y:.1}H{right}\"/>"),
            );
            add(
                svg,
                format_args!(
                    "<text class=\"e\" x=\"{}\" y=\"{:.1}\">{mark}</text>",
                    left - 6.0,
                    y + 4.0
                ),
            );
        }
        for mark in &self.x.marks {
            let x = self.at_x(*mark);
            add(
                svg,
                format_args!("<path class=\"g\" d=\"M{x:.1} {bottom}v5\"/>"),
            );
            add(
                svg,
                format_args!(
                    "<text class=\"m\" x=\"{x:.1}\" y=\"{}\">{mark}</text>",
                    bottom + 19.0
                ),
            );
        }
        let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
        add(
            svg,
            format_args!(
                "<text class=\"m\" x=\"{x}\" y=\"{}\">{}</text>",
                bottom + 39.0,
                self.x.title
            ),
        );
        add(
            svg,
            format_args!(
                "<text class=\"m\" transform=\"translate(16 {y})rotate(-90)\">{}</text>",
                self.y.title
            ),
        );
    }

    fn add_lines(&self, svg: &mut String) {
        for (number, line) in self.lines.iter().enumerate() {
            let y = AREA[1] + 12.0 + 22.0 * number as f64;
            let x = AREA[2] + 14.0;
            let mut points = String::new();
            for (x, y) in &line.points {
                let (x, y) = (self.at_x(*x), self.at_y(*y));
                write!(points, "{x:.1},{y:.1} ").expect("a string takes everything");
            }
            add(
                svg,
                format_args!(
                    "<polyline class=\"l s{number}\" points=\"{}\"/>",
                    points.trim_end()
                ),
            );
            add(
                svg,
                format_args!("<path class=\"l s{number}\" d=\"M{x} {y}h24\"/>"),
            );
            add(
                svg,
                format_args!(
                    "<text x=\"{}\" y=\"{}\">{}</text>",
                    x + 30.0,
                    y + 4.0,
                    line.name
                ),
            );
        }
    }
}

fn add(svg: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(svg, "{element}").expect("a string takes everything");
}

/// Returns a link definition that contains the picture itself, for a page that cannot refer to
/// files.
pub(crate) fn definition(name: &str, svg: &str) -> String {
    let mut link = format!("[{name}]: data:image/svg+xml,");
    for character in svg.trim_end().chars() {
        match character {
            '<' | '>' | '#' | '%' | '"' | ' ' | '\n' | '(' | ')' | '{' | '}' | '\\' => {
                write!(link, "%{:02X}", character as u32).expect("a string takes everything");
            }
            other => link.push(other),
        }
    }
    link + "\n"
}
