//! The question after the plan.

use std::io::{self, Write};

/// Asks whether to proceed. Only `yes` is consent. Whoever answers `y` is asked once more.
///
/// # Errors
/// When the question cannot be written, or `answer` fails.
pub fn consent(
    out: &mut impl Write,
    mut answer: impl FnMut() -> io::Result<Vec<u8>>,
) -> io::Result<bool> {
    write!(out, "Do you want to proceed? (yes/no): ")?;
    out.flush()?;
    let mut given = answer()?;
    if matches!(&*given.trim_ascii().to_ascii_lowercase(), b"y" | b"ye") {
        write!(out, "Type yes in full: ")?;
        out.flush()?;
        given = answer()?;
    }
    Ok(given == b"yes\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_in_full_is_consent() {
        for (answers, expected) in [
            (&["yes\n"][..], true),
            (&["y\n", "yes\n"], true),
            (&["Y\n", "y\n", "yes\n"], false),
            (&["y\n", "no\n"], false),
            (&["YES\n"], false),
            (&["yes please\n"], false),
            (&["yes"], false),
            (&["no\n"], false),
            (&["\n"], false),
            (&[""], false),
        ] {
            let mut given = answers.iter();
            let answer = || Ok(given.next().map_or(Vec::new(), |text| text.as_bytes().to_vec()));
            assert_eq!(consent(&mut Vec::new(), answer).unwrap(), expected, "{answers:?}");
        }
    }
}
