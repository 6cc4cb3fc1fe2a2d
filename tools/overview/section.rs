//! A heading with a list below it, cut where there is no room for all of it.

use cli::{TableStyle, Tone, cut, painted};

/// How many items a list shows at most.
const MOST: usize = 10;

/// How many lines a heading, an item and the number of the others take.
const SHORT: usize = 4;

/// One item: its lines, and for how many things it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its lines, without the indent.
    pub lines: Vec<String>,
    /// For how many things it stands.
    pub count: usize,
}

impl Item {
    /// An item of one thing.
    pub fn new(lines: impl IntoIterator<Item = String>) -> Item {
        Item { lines: lines.into_iter().collect(), count: 1 }
    }
}

/// A heading with its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    heading: String,
    tone: Tone,
    items: Vec<Item>,
    shown: usize,
}

impl Section {
    /// All of it.
    pub fn new(heading: &str, tone: Tone, items: Vec<Item>) -> Section {
        Section { heading: heading.to_owned(), tone, shown: items.len(), items }
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn rest(&self) -> usize {
        self.items[self.shown..].iter().map(|item| item.count).sum()
    }

    fn is_cut(&self) -> bool {
        self.shown < self.items.len()
    }

    fn height(&self) -> usize {
        let items: usize = self.items[..self.shown].iter().map(|item| item.lines.len()).sum();
        1 + items + usize::from(self.is_cut() && self.shown > 0)
    }

    /// Its lines.
    pub fn text(&self, style: &TableStyle) -> String {
        let all: usize = self.items.iter().map(|item| item.count).sum();
        let heading = painted(&self.heading, self.tone, style.colour);
        let mut text = format!("{heading} ({})", thousands(all));
        text.push_str(if self.shown > 0 { ":\n" } else { "\n" });
        let fit = |line: String| match style.width {
            Some(width) => cut(&line, width),
            None => line,
        };
        for line in self.items[..self.shown].iter().flat_map(|item| &item.lines) {
            text += &fit(format!("  {line}"));
            text.push('\n');
        }
        if self.is_cut() && self.shown > 0 {
            text += &format!("  … and {} more\n", thousands(self.rest()));
        }
        text
    }
}

/// Cuts the longest lists first until all sections fit into this many lines; then the last ones, so
/// that of what would be done something is shown as long as there is room. Without a limit, nothing
/// is cut. Returns whether anything was.
pub fn cut_to(sections: &mut [Section], height: Option<usize>) -> bool {
    let Some(height) = height else { return false };
    for section in sections.iter_mut() {
        section.shown = section.shown.min(MOST);
    }
    while sections.iter().map(Section::height).sum::<usize>() > height {
        let can_be_cut = sections.iter_mut().filter(|section| section.shown > 0);
        let Some(section) = can_be_cut.max_by_key(|section| section.height().max(SHORT)) else {
            break;
        };
        section.shown -= 1;
    }
    sections.iter().any(Section::is_cut)
}

/// A number in groups of three digits, as `1,990`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(heading: &str, items: usize, lines: usize) -> Section {
        let item = |at: usize| Item::new((0..lines).map(|line| format!("{heading} {at}.{line}")));
        Section::new(heading, Tone::Plain, (0..items).map(item).collect())
    }

    fn style(width: usize) -> TableStyle {
        TableStyle { width: Some(width), colour: false, headings: true, indent: "", now: None }
    }

    #[test]
    fn digits_in_groups_of_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1990, "1,990"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    /// For every height down to one line for each heading.
    #[test]
    fn sections_fit_any_number_of_lines_and_lose_no_count() {
        for height in 4..60 {
            let mut sections = [
                section("a", 3, 2),
                section("b", 1, 2),
                section("c", 2000, 1),
                section("d", 30, 1),
            ];
            assert!(cut_to(&mut sections, Some(height)));
            let text: String = sections.iter().map(|section| section.text(&style(80))).collect();
            assert!(text.lines().count() <= height, "{height}: {text}");
            for heading in ["a (3)", "b (1)", "c (2,000)", "d (30)"] {
                assert!(text.contains(heading), "{height}: {text}");
            }
        }
        let mut all = [section("c", 2000, 1)];
        assert!(!cut_to(&mut all, None));
        assert_eq!(all[0].text(&style(80)).lines().count(), 2001);
    }

    #[test]
    fn of_what_would_be_done_something_is_shown_before_what_is_kept() {
        let mut sections = [section("end", 3, 2), section("kept", 30, 1)];
        cut_to(&mut sections, Some(5));
        let text: String = sections.iter().map(|section| section.text(&style(80))).collect();
        assert_eq!(text, "end (3):\n  end 0.0\n  end 0.1\n  … and 2 more\nkept (30)\n");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = Section::new("a", Tone::Plain, vec![Item::new(["x".repeat(300)])]);
        assert!(long.text(&style(40)).lines().all(|line| line.chars().count() <= 40));
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let groups = vec![
            Item { lines: vec!["x".to_owned()], count: 40 },
            Item { lines: vec!["y".to_owned()], count: 7 },
        ];
        let mut sections = [Section::new("entries", Tone::Plain, groups)];
        cut_to(&mut sections, Some(3));
        assert_eq!(sections[0].text(&style(80)), "entries (47):\n  x\n  y\n");
        cut_to(&mut sections, Some(2));
        assert_eq!(sections[0].text(&style(80)), "entries (47)\n");
        let mut sections = [section("b", 3, 1)];
        cut_to(&mut sections, Some(3));
        assert_eq!(sections[0].text(&style(80)), "b (3):\n  b 0.0\n  … and 2 more\n");
    }
}
