//! What the agent is to cost at most, beside what it was measured to cost.

/// A figure with its limit.
pub struct Target {
    what: String,
    unit: &'static str,
    measured: f64,
    most: Option<f64>,
    aim: Option<f64>,
}

impl Target {
    /// What was `measured`, in `unit`, with what it is to be at most, and what is aimed at besides, where that is said.
    pub fn new(
        what: impl Into<String>,
        unit: &'static str,
        measured: f64,
        most: impl Into<Option<f64>>,
        aim: impl Into<Option<f64>>,
    ) -> Self {
        Self { what: what.into(), unit, measured, most: most.into(), aim: aim.into() }
    }

    /// A row of a table.
    fn row(&self) -> String {
        let Self { what, unit, measured, most, aim } = self;
        let is_within = |limit: &Option<f64>| limit.map(|limit| *measured <= limit);
        let verdict = match (is_within(most), is_within(aim)) {
            (_, Some(true)) => "met, and the aim",
            (Some(true), _) => "met",
            (Some(false), _) => "**not yet**",
            (None, _) => "",
        };
        let [most, aim] = [most, aim].map(|limit| limit.map_or_else(String::new, number));
        format!("| {what} | {} {unit} | {most} | {aim} | {verdict} |\n", number(*measured))
    }
}

/// A Markdown table of all.
pub fn table(targets: &[Target]) -> String {
    let rows: String = targets.iter().map(Target::row).collect();
    format!("| what | measured | at most | aim | |\n|---|---|---|---|---|\n{rows}")
}

/// With as many digits as say something.
pub fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
