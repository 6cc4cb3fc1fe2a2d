//! The table of results.

use super::race::Times;

/// The wanted ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At least so many times faster than the other.
    Faster(f64),
    /// At most so many times the other's time.
    Within(f64),
    /// None: for comparison only.
    None,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    work: String,
    ours: String,
    other: String,
    theirs: String,
    /// What ours takes, divided by what the other takes.
    share: f64,
    target: Target,
}

impl Row {
    /// The work of the tools beside that of another.
    pub fn of_times(work: &str, ours: &Times, other: &str, theirs: &Times, target: Target) -> Row {
        let share = ours.median() / theirs.median();
        Row::new(work, ours.to_string(), other, theirs.to_string(), share, target)
    }

    /// A comparison of measurements that are text already.
    pub fn new(
        work: &str,
        ours: String,
        other: &str,
        theirs: String,
        share: f64,
        target: Target,
    ) -> Row {
        Row { work: work.to_owned(), ours, other: other.to_owned(), theirs, share, target }
    }

    /// The same, for comparison only.
    pub fn without_target(self) -> Row {
        Row { target: Target::None, ..self }
    }

    fn cells(&self) -> [String; 7] {
        let faster = 1.0 / self.share;
        let faster = |digits| format!("{faster:.digits$}× faster");
        let speed = if self.share > 0.1 { faster(1) } else { faster(0) };
        let share = format!("{:.2}×", self.share);
        let (ratio, target, met) = match self.target {
            Target::Faster(least) => {
                (speed, format!("≥ {least}× faster"), self.share * least <= 1.0)
            }
            Target::Within(most) => (share, format!("≤ {most}×"), self.share <= most),
            Target::None => (if self.share < 1.0 { speed } else { share }, String::new(), true),
        };
        let met = match (self.target, met) {
            (Target::None, _) => "",
            (_, true) => "yes",
            (_, false) => "**no**",
        };
        [&self.work, &self.ours, &self.other, &self.theirs, &ratio, &target, met]
            .map(ToString::to_string)
    }
}

const HEAD: [&str; 7] = ["work", "time", "beside", "its time", "ratio", "target", "met"];

/// A Markdown table with aligned columns.
pub fn markdown(rows: &[Row]) -> String {
    let mut cells = vec![HEAD.map(str::to_owned)];
    cells.extend(rows.iter().map(Row::cells));
    let width = |column: usize| {
        cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 7] = std::array::from_fn(width);
    cells.insert(1, widths.map(|width| "-".repeat(width)));
    let mut text = String::new();
    for row in &cells {
        for (cell, width) in row.iter().zip(widths) {
            text += &format!("| {cell:width$} ");
        }
        text += "|\n";
    }
    text
}
