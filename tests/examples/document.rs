//! The examples in a text: a README in Markdown, or a page of the manual in mdoc(7).
//!
//! In both, an example is a command after `$ ` in a block of literal text. A command goes
//! on in the next line where it would for a shell: after a backslash, a pipe, or within
//! quotes. What follows, until the next `$ ` or the end of the block, is its output.

use std::process::Command;

use crate::world::run;

/// A part of a text, under one heading.
#[derive(Debug, Default)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// Its blocks of literal text that hold examples.
    pub blocks: Vec<Vec<Example>>,
    /// How many blocks of literal text have none.
    pub others: usize,
}

/// A command and its output, as the text shows them.
#[derive(Debug)]
pub struct Example {
    /// Number of the line of the command, from 1.
    pub line: usize,
    /// The command; it may have several lines.
    pub command: String,
    /// The lines of output.
    pub shown: Vec<String>,
}

/// The sections of a text with literal blocks.
///
/// # Panics
/// When the text cannot be understood.
pub fn sections(file: &str, text: &str) -> Vec<Section> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    let mut sections = vec![Section::default()];
    let mut block: Option<Vec<(usize, String)>> = None;
    let markdown = file.ends_with(".md");
    let mut fence = "";
    for (number, line) in lines {
        let last = sections.last_mut().expect("there is one");
        let step =
            if markdown { of_markdown(line, &mut fence) } else { of_mdoc(line, block.is_some()) };
        match step {
            Step::Heading(heading) => {
                last.end(block.take());
                sections.push(Section { heading: heading.to_owned(), ..Section::default() });
            }
            Step::Literal(line) => {
                let line = if markdown { line.to_owned() } else { unescaped(line) };
                block.get_or_insert_default().push((number, line));
            }
            Step::Start => block = Some(Vec::new()),
            Step::Other => last.end(block.take()),
            Step::Display(line) => last.end(Some(vec![(number, unescaped(line))])),
        }
    }
    sections.last_mut().expect("there is one").end(block);
    sections.retain(|section| section.others > 0 || !section.blocks.is_empty());
    sections
}

/// What a line is.
enum Step<'l> {
    Heading(&'l str),
    /// The beginning of a literal block.
    Start,
    /// A line in a literal block.
    Literal(&'l str),
    /// A literal block of its own.
    Display(&'l str),
    /// Anything else; a literal block ends with it.
    Other,
}

fn of_markdown<'l>(line: &'l str, fence: &mut &'static str) -> Step<'l> {
    if let Some(opened) = ["```", "~~~"].into_iter().find(|fence| line.starts_with(fence)) {
        let open = fence.is_empty();
        *fence = if open { opened } else { "" };
        return if open { Step::Start } else { Step::Other };
    }
    if !fence.is_empty() {
        return Step::Literal(line);
    }
    if let Some(literal) = line.strip_prefix("    ") {
        return Step::Literal(literal);
    }
    if line.starts_with('#') {
        return Step::Heading(line.trim_start_matches('#').trim());
    }
    Step::Other
}

fn of_mdoc(line: &str, in_block: bool) -> Step<'_> {
    let (request, rest) = line.split_once(' ').unwrap_or((line, ""));
    match request {
        ".Sh" | ".Ss" => Step::Heading(rest),
        ".Bd" if rest.starts_with("-literal") => Step::Start,
        ".Ed" => Step::Other,
        ".Dl" => Step::Display(rest),
        _ if in_block => Step::Literal(line),
        _ => Step::Other,
    }
}

impl Section {
    fn end(&mut self, block: Option<Vec<(usize, String)>>) {
        let Some(block) = block else { return };
        let examples = examples(&block);
        if examples.is_empty() {
            self.others += 1;
        } else {
            self.blocks.push(examples);
        }
    }
}

fn examples(block: &[(usize, String)]) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for (line, text) in block {
        if let Some(command) = text.strip_prefix("$ ") {
            let (line, command) = (*line, command.to_owned());
            examples.push(Example { line, command, shown: Vec::new() });
        } else if let Some(example) = examples.last_mut() {
            if example.shown.is_empty() && !is_whole(&example.command) {
                example.command.push('\n');
                example.command.push_str(text.strip_prefix("> ").unwrap_or(text));
            } else {
                example.shown.push(text.clone());
            }
        }
    }
    for example in &mut examples {
        while example.shown.last().is_some_and(|line| line.trim().is_empty()) {
            example.shown.pop();
        }
    }
    examples
}

/// Whether a shell would run this, rather than wait for another line.
fn is_whole(command: &str) -> bool {
    let mut shell = Command::new("sh");
    !command.ends_with('\\') && run(shell.args(["-n", "-c", command]), "").code == 0
}

/// A line of literal text in a page, with the escapes of mandoc_char(7) resolved.
///
/// # Panics
/// For an escape that is not understood.
pub fn unescaped(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let named: [(&str, &str); 9] = [
            ("(aq", "'"),
            ("(ga", "`"),
            ("(dq", "\""),
            ("(bs", "\\"),
            ("(ha", "^"),
            ("(ti", "~"),
            ("e", "\\"),
            ("-", "-"),
            ("&", ""),
        ];
        if let Some((name, meaning)) = named.iter().find(|(name, _)| escape.starts_with(name)) {
            text.push_str(meaning);
            rest = &escape[name.len()..];
        } else {
            // `\[u2713]`
            let code = escape.strip_prefix("[u").and_then(|code| code.split_once(']'));
            let meaning = code.and_then(|(code, after)| {
                let meaning = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
                Some((meaning, after))
            });
            let (meaning, after) = meaning.unwrap_or_else(|| panic!("what is \\{escape}?"));
            text.push(meaning);
            rest = after;
        }
    }
    text.push_str(rest);
    text
}

/// Heading, line, command and output of every example.
fn found(file: &str, text: &str) -> Vec<(String, usize, String, String)> {
    let of_section = |section: Section| {
        let examples = section.blocks.into_iter().flatten();
        let heading = section.heading;
        examples.map(move |example| {
            (heading.clone(), example.line, example.command, example.shown.join("\n"))
        })
    };
    sections(file, text).into_iter().flat_map(of_section).collect::<Vec<_>>()
}

#[test]
fn examples_are_found_in_markdown() {
    let text = "# First\n\n    $ a |\n      b\n    out\n    $ c\n\n```console\n$ d \\\n> e\n\
                out\n\nmore\n```\n$ no\n## Second\n```sh\nno\n$ echo 'f\n  g'\n$ h\n```\n";
    let example = |heading: &str, line, command: &str, shown: &str| {
        (heading.to_owned(), line, command.to_owned(), shown.to_owned())
    };
    let all = [
        example("First", 3, "a |\n  b", "out"),
        example("First", 6, "c", ""),
        example("First", 9, "d \\\ne", "out\n\nmore"),
        example("Second", 19, "echo 'f\n  g'", ""),
        example("Second", 21, "h", ""),
    ];
    assert_eq!(found("README.md", text), all);
}

#[test]
fn examples_are_found_in_pages() {
    let text = ".Sh EXAMPLES\nText:\n.Dl $ a \\(aqx\\(aq\n.Bd -literal -offset indent\n\
                $ b \\e\n    \\-c\n\\&...\n\\[u2713] \\(dqd\\(dq\n.Ed\n$ no\n.Ss Other\n\
                .Bd -literal\nno\n.Ed\n";
    let all = [
        ("EXAMPLES".to_owned(), 3, "a 'x'".to_owned(), String::new()),
        ("EXAMPLES".to_owned(), 5, "b \\\n    -c".to_owned(), "...\n\u{2713} \"d\"".to_owned()),
    ];
    assert_eq!(found("man/x.1", text), all);
    let others: Vec<usize> = sections("man/x.1", text).iter().map(|s| s.others).collect();
    assert_eq!(others, [0, 1]);
}
