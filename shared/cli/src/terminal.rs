//! What a terminal can show.

use std::env;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use clap::ColorChoice;

/// How many columns a table may have: `COLUMNS` of the environment, as watch(1) sets it, else
/// the width of the terminal; `None` if `out` is not a terminal.
pub fn width(out: impl AsFd) -> Option<usize> {
    let wanted = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size_of(out).map(|(width, _)| width.0.into());
    wanted.filter(|columns| *columns > 0).or_else(terminal)
}

/// How many lines a screen has: `LINES` of the environment, as watch(1) sets it, else those of the
/// terminal; `None` if `out` is not a terminal.
pub fn height(out: impl AsFd) -> Option<usize> {
    let wanted = env::var("LINES").ok().and_then(|lines| lines.parse().ok());
    let terminal = || terminal_size::terminal_size_of(out).map(|(_, height)| height.0.into());
    wanted.filter(|lines| *lines > 0).or_else(terminal)
}

/// Whether `out` is a terminal on which a line can be overwritten.
pub fn rewrites(out: &impl IsTerminal) -> bool {
    out.is_terminal() && anstyle_query::term_supports_ansi_color()
}

/// Whether to colour. `Auto`: on a terminal that can, unless `NO_COLOR` is set
/// (<https://no-color.org>).
pub fn colour(choice: ColorChoice, is_terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            is_terminal && !anstyle_query::no_color() && anstyle_query::term_supports_ansi_color()
        }
    }
}
