//! A plot of bars as SVG: a bar to the median, a line from the least to the most.

use std::fmt::Write as _;

/// A bar.
pub struct Bar {
    pub title: String,
    /// From the least to the most; not empty.
    pub values: Vec<f64>,
}

const LEFT: f64 = 330.0;
const WIDTH: f64 = 400.0;
const STEP: usize = 30;

/// The whole file. `limit` is drawn across all bars.
pub fn svg(title: &str, bars: &[Bar], limit: f64) -> String {
    let most = bars.iter().flat_map(|bar| bar.values.iter().copied()).fold(limit, f64::max);
    let x = |value: f64| LEFT + value / most * WIDTH;
    let height = (bars.len() + 2) * STEP;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"10\" y=\"20\">{title}</text>\n",
        LEFT + WIDTH + 90.0
    );
    for (row, Bar { title, values }) in (1..).zip(bars) {
        let (top, middle) = (row * STEP, values[values.len() / 2]);
        let (least, greatest) = (x(values[0]), x(values[values.len() - 1]));
        let line = top + STEP / 2;
        let _ = write!(
            text,
            "<text x=\"10\" y=\"{}\">{title}</text>\n\
             <rect x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" fill=\"#4a7ebb\"/>\n\
             <path d=\"M{least:.1} {line}H{greatest:.1}\" stroke=\"black\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{middle:.2}</text>\n",
            top + 20,
            top + 5,
            x(middle) - LEFT,
            STEP - 10,
            greatest + 6.0,
            top + 20,
        );
    }
    let _ = writeln!(
        text,
        "<path d=\"M{0:.1} {STEP}V{1}\" stroke=\"#c33\" stroke-dasharray=\"4\"/>\n\
         <text x=\"{0:.1}\" y=\"{2}\" fill=\"#c33\">at most {limit}</text>\n</svg>",
        x(limit),
        height - STEP,
        height - 12,
    );
    text
}
