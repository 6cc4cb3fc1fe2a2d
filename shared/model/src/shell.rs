//! Which programs are shells, and what their arguments make them do.

use crate::claude::base_name;

/// Names of the shells that may be left in a session in which nothing works.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"];

/// Executables of shells that read commands with a line editor. While one waits for a command,
/// the mode of the terminal shows it. Debian's dash has none: it reads a command in the same
/// way as `read` reads a line.
const WITH_LINE_EDITOR: [&str; 7] = ["bash", "zsh", "fish", "ksh", "mksh", "ash", "busybox"];

/// Whether this is the name of a shell.
pub fn is_shell(name: &str) -> bool {
    SHELLS.contains(&name)
}

/// Whether the shell of this executable, a base name, shows by the mode of its terminal that
/// it waits for a command.
pub fn has_line_editor(executable: &str) -> bool {
    WITH_LINE_EDITOR.contains(&executable)
}

/// Where a shell takes its commands from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commands {
    /// From standard input, with a prompt if that is a terminal.
    Input,
    /// From this text, the argument of `-c`.
    Text(String),
    /// From a script, or in a way that is not known here.
    Other,
}

/// Where a shell with these arguments, the name first, takes its commands from. One that was
/// started with `-s` counts as unknown: it takes them from standard input although it has
/// arguments, as for a script that is piped into it.
pub fn commands(args: &[&[u8]]) -> Commands {
    let mut rest = args.iter().enumerate().skip(1);
    while let Some((at, arg)) = rest.next() {
        match **arg {
            [b'-', b'-'] => return Commands::Other,
            [b'-', b'-', ref name @ ..] => {
                if name.starts_with(b"command") {
                    return Commands::Other;
                }
                if matches!(name, b"rcfile" | b"init-file") {
                    rest.next();
                }
            }
            [b'-', ref letters @ ..] if letters.contains(&b'c') => {
                // More options may follow: `bash -c -l TEXT`.
                let text = args[at + 1..].iter().find(|arg| !arg.starts_with(b"-"));
                let text = text.map(|text| String::from_utf8_lossy(text).into_owned());
                return text.map_or(Commands::Other, Commands::Text);
            }
            [b'-', ref letters @ ..] if letters.contains(&b's') => return Commands::Other,
            [b'-', b'o' | b'O'] => drop(rest.next()),
            [b'-', ..] => {}
            _ => return Commands::Other,
        }
    }
    Commands::Input
}

/// The same as [`only_waits`], where arguments are known only as words, as ps shows them: a line
/// break between two commands may look like a space between two words. So the words behind `-c`
/// must be those of the only child.
pub fn only_waits_by_words(words: &[&[u8]], children: &[Vec<Vec<u8>>]) -> bool {
    let Commands::Text(first) = commands(words) else { return false };
    let Some(at) = words.iter().position(|word| *word == first.as_bytes()) else { return false };
    let [child] = children else { return false };
    let is_plain = |c: &u8| c.is_ascii_alphanumeric() || b"._/-=:,".contains(c);
    words[at..].iter().all(|word| word.iter().all(is_plain)) && words[at..] == *child
}

/// Whether a shell that was given this text only waits for its children and then ends: the
/// text is one pipeline of programs, after a `cd` perhaps, and each child is one of them.
/// `children`: the names of each living child.
///
/// What is not understood is answered with false.
pub fn only_waits(text: &str, children: &[Vec<String>]) -> bool {
    let Some(programs) = pipeline(text) else { return false };
    let is_named = |child: &Vec<String>| child.iter().any(|name| programs.contains(name));
    !children.is_empty() && children.iter().all(is_named)
}

/// The base names of the programs of a pipeline; `None` for anything else, such as a list, a
/// loop, a group, or a text with substitutions.
fn pipeline(text: &str) -> Option<Vec<String>> {
    let mut programs = Vec::new();
    let mut word = String::new();
    let mut is_word = false;
    // The first word of the current command.
    let mut first: Option<String> = None;
    let end_of_word = |word: &mut String, is_word: &mut bool, first: &mut Option<String>| {
        if std::mem::take(is_word) {
            let word = std::mem::take(word);
            first.get_or_insert(word);
        }
    };
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                is_word = true;
                loop {
                    match rest.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                is_word = true;
                loop {
                    match rest.next()? {
                        '"' => break,
                        '$' | '`' => return None,
                        '\\' => word.push(rest.next()?),
                        c => word.push(c),
                    }
                }
            }
            '\\' => {
                is_word = true;
                word.push(rest.next()?);
            }
            ' ' | '\t' => end_of_word(&mut word, &mut is_word, &mut first),
            '|' => {
                end_of_word(&mut word, &mut is_word, &mut first);
                if matches!(rest.peek(), Some('|' | '&')) {
                    return None;
                }
                programs.push(first.take()?);
            }
            '&' => {
                end_of_word(&mut word, &mut is_word, &mut first);
                let is_after_cd = programs.is_empty() && first.take().as_deref() == Some("cd");
                if rest.next() != Some('&') || !is_after_cd {
                    return None;
                }
            }
            ';' | '\n' | '(' | ')' | '{' | '}' | '<' | '>' | '$' | '`' | '#' | '!' => return None,
            c => {
                is_word = true;
                word.push(c);
            }
        }
    }
    end_of_word(&mut word, &mut is_word, &mut first);
    programs.push(first?);
    Some(programs.iter().map(|program| base_name(program).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands_of(args: &str) -> Commands {
        let words: Vec<&[u8]> = args.split(' ').map(str::as_bytes).collect();
        commands(&words)
    }

    #[test]
    fn a_shell_without_a_command_has_a_prompt() {
        for args in [
            "bash",
            "-bash",
            "zsh -f",
            "-fish",
            "bash --login -i",
            "bash --rcfile /x/rc -i",
            "bash -o vi",
            "fish --private",
        ] {
            assert_eq!(commands_of(args), Commands::Input, "{args}");
        }
        for args in [
            "bash -s",
            "bash -is",
            "sh ./loop.sh",
            "bash -l loop.sh",
            "bash --norc -- loop.sh",
            "fish --command=x",
            "fish --command x",
            "bash -o vi loop.sh",
            "zsh -f +x loop.sh",
            "bash -c",
        ] {
            assert_eq!(commands_of(args), Commands::Other, "{args}");
        }
        for args in ["sh -c x", "bash -lc x", "bash -c -l x", "fish -c x", "bash --norc -ec x 0"] {
            assert_eq!(commands_of(args), Commands::Text("x".to_owned()), "{args}");
        }
    }

    #[test]
    fn words_must_be_those_of_the_child() {
        let words = |text: &str| -> Vec<Vec<u8>> {
            text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
        };
        let waits = |shell: &str, children: &[&str]| {
            let shell = words(shell);
            let shell: Vec<&[u8]> = shell.iter().map(Vec::as_slice).collect();
            let children: Vec<_> = children.iter().map(|child| words(child)).collect();
            only_waits_by_words(&shell, &children)
        };
        assert!(waits("sh -c sleep 3600", &["sleep 3600"]));
        assert!(waits("bash -lc /bin/sleep 3600", &["/bin/sleep 3600"]));
        // Two lines, perhaps.
        assert!(!waits("sh -c sleep 3600 claude -p", &["sleep 3600"]));
        assert!(!waits("sh -c sleep 3600", &["sleep 3600", "sleep 3600"]));
        assert!(!waits("sh -c sleep 3600", &[]));
        assert!(!waits("sh -c sleep $x", &["sleep $x"]));
        assert!(!waits("sh sleep 3600", &["sleep 3600"]));
    }

    #[test]
    fn a_pipeline_and_nothing_after_it() {
        for (text, expected) in [
            ("sleep 3600", &["sleep"][..]),
            (" /bin/sleep  3600 ", &["sleep"]),
            (
                "cd '/w x' && claude --print 'do; this && that' | tee '/w/a.jsonl'",
                &["claude", "tee"],
            ),
            ("claude \"a; b\" | tee x", &["claude", "tee"]),
            (r"a\ b c", &["a b"]),
        ] {
            assert_eq!(pipeline(text).unwrap(), expected, "{text}");
        }
        for text in [
            "",
            "sleep 5; claude",
            "sleep 5 && claude",
            "sleep 5 & claude",
            "cd x & sleep 5",
            "cd x && sleep 5 && claude",
            "a | b && c",
            "a | cd && c",
            "a || b",
            "a |& b",
            "a | ",
            "while sleep 5\ndo claude\ndone",
            "(sleep 5)",
            "{ sleep 5; }",
            "sleep $(x)",
            "sleep \"$(x)\"",
            "sleep \"`x`\"",
            "$x",
            "sleep 5 # x",
            "! sleep 5",
            "sleep 'x",
            "tee <x",
            "sleep 5\nclaude",
        ] {
            assert_eq!(pipeline(text), None, "{text}");
        }
    }

    #[test]
    fn a_shell_waits_for_what_its_text_names() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (sleep, tee): (Vec<String>, Vec<String>) = (names(&["sleep"]), names(&["tee"]));
        assert!(only_waits("sleep 5", std::slice::from_ref(&sleep)));
        assert!(only_waits("cd /w && claude | tee x", std::slice::from_ref(&tee)));
        // It works itself, or runs a function that somebody has exported.
        assert!(!only_waits("sleep 5", &[]));
        assert!(!only_waits("work 5", std::slice::from_ref(&sleep)));
        assert!(!only_waits("work | tee x", &[tee, sleep]));
    }
}
