//! What tmux prints and what it makes of names, as tmux(1) and its source have it;
//! the tests of the workspace compare this with a real tmux.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::record::{Pane, Session};

/// The `-F` format of `list-panes -a` that [`sessions`] reads. Ids and numbers come
/// first, then the name, which tmux keeps free of control characters, then the
/// start command, which it escapes. Paths and the current command would come raw,
/// tabs and newlines included, and could forge a line; so they are not asked for.
pub const FORMAT: &str = "#{pid}\t#{session_id}\t#{session_created}\t#{session_activity}\t\
    #{session_attached}\t#{session_group_attached}\t#{session_windows}\t\
    #{window_activity}\t#{pane_id}\t#{pane_pid}\t#{pane_dead}\t#{pane_tty}\t#{session_name}\t#{pane_start_command}";

const FIELDS: usize = 14;

/// Longest start command kept in a record, in bytes.
const START_COMMAND_LEN: usize = 256;

/// The prefix of the sessions that the orchestrator makes.
pub const AGENT_PREFIX: &str = "agent_";

/// Reads the output of `list-panes -a -F` with [`FORMAT`], for the server on
/// `socket` of `uid`. What runs in the panes is left empty: tmux cannot say it.
///
/// # Errors
/// A sentence with the line that is not of the format.
pub fn sessions(text: &str, socket: &str, uid: u32) -> Result<Vec<Session>, String> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for line in text.lines() {
        let (session, pane) =
            parse_line(line, socket, uid).ok_or_else(|| format!("tmux printed {line:?}"))?;
        match known.get(&session.id) {
            Some(&at) => {
                let known = &mut sessions[at];
                known.agent = known.agent.take().or(session.agent);
                known.activity = known.activity.max(session.activity);
                known.panes.push(pane);
            }
            None => {
                known.insert(session.id.clone(), sessions.len());
                sessions.push(Session { panes: vec![pane], ..session });
            }
        }
    }
    Ok(sessions)
}

fn parse_line(line: &str, socket: &str, uid: u32) -> Option<(Session, Pane)> {
    let field: Vec<&str> = line.splitn(FIELDS, '\t').collect();
    if field.len() != FIELDS || !field[1].starts_with('$') || !field[8].starts_with('%') {
        return None;
    }
    let second = |text: &str| Timestamp::from_second(text.parse().ok()?).ok();
    let (name, command) = (field[12], field[13]);
    let group_attached = if field[5].is_empty() { 0 } else { field[5].parse().ok()? };
    let session = Session {
        scan: String::new(),
        name: name.to_owned(),
        id: field[1].to_owned(),
        uid,
        socket: socket.to_owned(),
        server_pid: field[0].parse().ok()?,
        created: second(field[2])?,
        // That of a session does not move with the output of its windows.
        activity: second(field[3])?.max(second(field[7])?),
        attached: field[4].parse::<u32>().ok()?.max(group_attached),
        windows: field[6].parse().ok()?,
        agent: agent_of_name(name).or_else(|| agent_of_command(command)).map(str::to_owned),
        panes: Vec::new(),
    };
    let pane = Pane {
        id: field[8].to_owned(),
        pid: field[9].parse().ok()?,
        tty: field[11].strip_prefix("/dev/").unwrap_or(field[11]).to_owned(),
        dead: field[10] == "1",
        start_command: cut(command, START_COMMAND_LEN).to_owned(),
        running: Vec::new(),
        below: Vec::new(),
        adopted: Vec::new(),
        shells: Vec::new(),
    };
    Some((session, pane))
}

fn agent_of_name(name: &str) -> Option<&str> {
    name.strip_prefix(AGENT_PREFIX).filter(|id| !id.is_empty())
}

/// The agent whose stream file a command writes: `… | tee 'DIR/logs/ID_stream.jsonl'`. It shows
/// whose session it is even after the session was renamed.
fn agent_of_command(command: &str) -> Option<&str> {
    let (before, _) = command.split_once("_stream.jsonl")?;
    let start = before
        .rfind(|c: char| c == '/' || c == '\'' || c == '"' || c.is_whitespace())
        .map_or(0, |at| at + 1);
    Some(&before[start..]).filter(|id| !id.is_empty())
}

/// At most `limit` bytes of a text, cut between characters.
pub fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// What a session name is compared by: the bytes behind tmux's escapes. tmux writes
/// `\` as `\\`, control characters, C1 and invalid bytes as `\t`, `\033`, `\377`,
/// and, before 3.4, `$` before a letter, `_` or `{` as `\$`.
pub fn name_key(name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len());
    let mut bytes = name.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            key.push(byte);
            continue;
        }
        let Some(escape) = bytes.next() else {
            key.push(b'\\');
            break;
        };
        match escape {
            b'0'..=b'7' => {
                let mut value = u32::from(escape - b'0');
                for _ in 0..2 {
                    if let Some(digit) = bytes.next_if(|b| (b'0'..=b'7').contains(b)) {
                        value = value * 8 + u32::from(digit - b'0');
                    }
                }
                key.push(value as u8);
            }
            b'a' => key.push(0x07),
            b'b' => key.push(0x08),
            b't' => key.push(b'\t'),
            b'n' => key.push(b'\n'),
            b'v' => key.push(0x0b),
            b'f' => key.push(0x0c),
            b'r' => key.push(b'\r'),
            b's' => key.push(b' '),
            other => key.push(other),
        }
    }
    key
}

/// What the session that tmux makes for `new-session -s WANTED` is compared by: tmux turns `.`
/// and `:` into `_`. None when the name holds a `#`, which tmux expands as a format: then the
/// name of the session cannot be known. None too when it is empty: no session has that name,
/// so the registry did not know it.
pub fn wanted_key(wanted: &str) -> Option<Vec<u8>> {
    if wanted.is_empty() || wanted.contains('#') {
        return None;
    }
    Some(wanted.bytes().map(|b| if matches!(b, b'.' | b':') { b'_' } else { b }).collect())
}

/// What it means that `tmux list-panes -a` failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no server behind the socket, or it has no session.
    NoServer,
    /// The server exited while it was asked, as after `kill-server`: ask again.
    HungUp,
    /// It could not be asked; why.
    Trouble(String),
}

/// Judges what tmux wrote to standard error. Only texts that are known to mean "there
/// is none" count as that; every other, unknown ones included, is trouble.
pub fn refusal(stderr: &str) -> Refusal {
    let text = stderr.trim();
    let none = text.starts_with("no server running on ")
        || text.starts_with("error connecting to ")
            && (text.ends_with("(No such file or directory)")
                || text.ends_with("(Connection refused)"))
        || text == "no current target";
    if none {
        Refusal::NoServer
    } else if matches!(text, "server exited unexpectedly" | "server exited") {
        Refusal::HungUp
    } else if text.is_empty() {
        Refusal::Trouble("tmux failed without a message".to_owned())
    } else {
        Refusal::Trouble(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, command: &str) -> String {
        format!(
            "77\t$3\t1700000000\t1700000001\t1\t2\t1\t1700000000\t%4\t99\t0\t/dev/pts/5\t{name}\t{command}\n"
        )
    }

    #[test]
    fn panes_of_one_session_come_together() {
        let text = line("agent_a", "x") + &line("agent_a", "y").replace("%4", "%5");
        let [session] = &sessions(&text, "/s", 1000).unwrap()[..] else { panic!() };
        assert_eq!((session.id.as_str(), session.server_pid, session.attached), ("$3", 77, 2));
        assert_eq!(session.agent.as_deref(), Some("a"));
        assert_eq!(session.panes.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["%4", "%5"]);
        assert_eq!(session.panes[0].tty, "pts/5");
    }

    #[test]
    fn a_session_was_active_when_a_window_of_it_was() {
        let line = line("agent_a", "x");
        let text = line.clone() + &line.replace("1700000000\t%4", "1700000009\t%5");
        assert_eq!(sessions(&text, "/s", 0).unwrap()[0].activity.as_second(), 1_700_000_009);
        assert_eq!(sessions(&line, "/s", 0).unwrap()[0].activity.as_second(), 1_700_000_001);
    }

    #[test]
    fn a_renamed_session_is_known_by_its_stream_file() {
        for command in [
            "\"cd '/w' && claude -p 'x' | tee '/w/logs/a-1_stream.jsonl'\"",
            "claude | tee a-1_stream.jsonl",
            "claude | tee /w/logs/a-1_stream.jsonl",
        ] {
            let session = &sessions(&line("mine", command), "/s", 0).unwrap()[0];
            assert_eq!(session.agent.as_deref(), Some("a-1"), "{command}");
        }
        assert_eq!(sessions(&line("mine", "vim _stream.jsonl"), "/s", 0).unwrap()[0].agent, None);
    }

    #[test]
    fn a_tab_in_the_start_command_stays_in_it() {
        let session = &sessions(&line("a", "x\ty"), "/s", 0).unwrap()[0];
        assert_eq!(session.panes[0].start_command, "x\ty");
    }

    #[test]
    fn other_lines_are_trouble() {
        for text in ["hello\n", "\n", "1\t2\t3\n"] {
            assert!(sessions(text, "/s", 0).is_err(), "{text:?}");
        }
        assert_eq!(sessions("", "/s", 0), Ok(vec![]));
    }

    #[test]
    fn names_meet_what_tmux_made_of_them() {
        for (wanted, written) in [
            ("agent_x-10", "agent_x-10"),
            ("agent_a.b:c", "agent_a_b_c"),
            ("agent_$x", r"agent_\$x"),
            ("agent_$x", "agent_$x"),
            ("agent_$1", "agent_$1"),
            (r"a\b", r"a\\b"),
            ("a\tb\u{1b}", r"a\tb\033"),
            ("é日本", "é日本"),
            ("a b", "a b"),
        ] {
            assert_eq!(wanted_key(wanted).unwrap(), name_key(written), "{wanted}");
        }
        assert_ne!(wanted_key("agent_x").unwrap(), name_key("agent_x y"));
        assert_eq!(wanted_key("agent_#{pid}"), None);
        assert_eq!(wanted_key("agent_#S"), None);
    }

    #[test]
    fn only_known_texts_mean_there_is_none() {
        for text in [
            "no server running on /tmp/tmux-0/default\n",
            "error connecting to /tmp/x (No such file or directory)",
            "no current target",
        ] {
            assert_eq!(refusal(text), Refusal::NoServer, "{text}");
        }
        for text in [
            "",
            "error connecting to /tmp/x (Permission denied)",
            "error connecting to /tmp/x (File name too long)",
            "server exited unexpectedly, they say",
            "protocol version mismatch (client 8, server 7)",
            "directory /tmp/tmux-0 has unsafe permissions",
            "kein Server",
        ] {
            assert!(matches!(refusal(text), Refusal::Trouble(_)), "{text}");
        }
        for text in ["server exited unexpectedly\n", "server exited\n"] {
            assert_eq!(refusal(text), Refusal::HungUp, "{text}");
        }
    }
}
