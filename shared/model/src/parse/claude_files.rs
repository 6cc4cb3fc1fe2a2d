//! The files that Claude keeps about its processes, in its config directory.

use jiff::Timestamp;
use serde::Deserialize;

use crate::record::SessionFile;

/// What tells a process from others that have its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its pid.
    pub pid: i32,
    /// Its start in the unit of the system: in clock ticks since the boot.
    pub start: u64,
    /// When it started.
    pub started: Timestamp,
}

/// `sessions/PID.json` as version 2.1.197 writes it; 2.1.100 writes no `procStart`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    pid: i32,
    session_id: String,
    cwd: Option<String>,
    kind: Option<String>,
    started_at: Option<i64>,
    proc_start: Option<String>,
    updated_at: Option<i64>,
}

/// Reads `sessions/PID.json`. None when it is not of this process: one that had its pid
/// before wrote it, or what it says is not understood.
pub fn session_file(text: &str, process: Identity) -> Option<SessionFile> {
    any_session_file(text, &|pid| (pid == process.pid).then_some(process)).filter(|file| file.live)
}

/// Reads `sessions/PID.json` of any process. `living`: the living process with a pid. The file
/// is not `live` if there is none, or another one that began later. None when what it says is
/// not understood.
pub fn any_session_file(
    text: &str,
    living: &dyn Fn(i32) -> Option<Identity>,
) -> Option<SessionFile> {
    let session: Session = serde_json::from_str(text).ok()?;
    let time = |at: Option<i64>| at.and_then(|at| Timestamp::from_millisecond(at).ok());
    let started = time(session.started_at);
    let is_of = |process: Identity| match &session.proc_start {
        Some(start) => start.parse() == Ok(process.start),
        // It was written after this process began, under the name that only it writes.
        None => started.is_some_and(|started| is_not_before(started, process.started)),
    };
    Some(SessionFile {
        live: living(session.pid).is_some_and(is_of),
        id: session.session_id,
        cwd: session.cwd,
        kind: session.kind,
        started,
        updated: time(session.updated_at),
    })
}

/// `daemon/roster.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Roster {
    supervisor_pid: i32,
    updated_at: Option<i64>,
}

/// Who keeps a roster, and when that was last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supervisor {
    /// Its pid.
    pub pid: i32,
    /// When it had that pid.
    pub at: Option<Timestamp>,
}

/// Reads `daemon/roster.json`.
pub fn supervisor(roster: &str) -> Option<Supervisor> {
    let roster: Roster = serde_json::from_str(roster).ok()?;
    let at = roster.updated_at.and_then(|at| Timestamp::from_millisecond(at).ok());
    Some(Supervisor { pid: roster.supervisor_pid, at })
}

impl Supervisor {
    /// Whether a living process that has its pid is it: one that began later is another.
    pub fn is(&self, started: Timestamp) -> bool {
        self.at.is_none_or(|at| is_not_before(at, started))
    }
}

/// Clocks are read in whole ticks, and corrected.
fn is_not_before(event: Timestamp, started: Timestamp) -> bool {
    const SLACK_MS: i128 = 2_000;
    event.as_millisecond() as i128 + SLACK_MS >= started.as_millisecond() as i128
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 2.1.197 writes it.
    const REAL: &str = r#"{"pid":46,"sessionId":"14e7cec3","cwd":"/w","startedAt":1795633676151,
        "procStart":"124842","version":"2.1.197","peerProtocol":1,"kind":"interactive",
        "entrypoint":"sdk-cli","name":"w-d7","nameSource":"derived"}"#;

    fn process(start: u64, started_ms: i64) -> Identity {
        let started = Timestamp::from_millisecond(started_ms).unwrap();
        Identity { pid: 46, start, started }
    }

    #[test]
    fn a_session_file_is_believed_only_about_its_own_process() {
        let its = process(124_842, 1_795_633_675_900);
        let session = session_file(REAL, its).unwrap();
        assert_eq!((session.id.as_str(), session.cwd.as_deref()), ("14e7cec3", Some("/w")));
        assert_eq!(session.kind.as_deref(), Some("interactive"));
        assert_eq!(session_file(REAL, process(124_843, 1_795_633_675_900)), None);
        assert_eq!(session_file(REAL, Identity { pid: 47, ..its }), None);
        for broken in ["", "{}", "[]", "null", &REAL.replace("sessionId", "x")] {
            assert_eq!(session_file(broken, its), None, "{broken}");
        }
    }

    #[test]
    fn without_the_start_of_the_process_the_file_must_be_younger_than_it() {
        let old = REAL.replace("\"procStart\":\"124842\",", "");
        assert!(session_file(&old, process(1, 1_795_633_675_900)).is_some());
        assert_eq!(session_file(&old, process(1, 1_795_633_679_000)), None);
        let neither = old.replace("startedAt", "x");
        assert_eq!(session_file(&neither, process(1, 0)), None);
    }

    #[test]
    fn a_session_file_outlives_its_process() {
        let its = process(124_842, 1_795_633_675_900);
        let read = |living: Option<Identity>| any_session_file(REAL, &|_| living).unwrap();
        assert!(read(Some(its)).live);
        assert!(!read(None).live);
        assert!(!read(Some(process(999_999, 1_795_633_699_000))).live, "another with its pid");
        assert_eq!(read(None).id, "14e7cec3");
    }

    #[test]
    fn h62_a_roster_names_a_supervisor_that_began_before_it() {
        let roster = r#"{"proto":1,"supervisorPid":812,"updatedAt":1795633676151,"workers":{}}"#;
        let supervisor = supervisor(roster).unwrap();
        assert_eq!(supervisor.pid, 812);
        let began = |ms| supervisor.is(Timestamp::from_millisecond(ms).unwrap());
        assert!(began(1_795_633_676_000));
        assert!(!began(1_795_633_679_000), "another with its pid");
        assert_eq!(super::supervisor("{}"), None);
        assert_eq!(super::supervisor("x"), None);
    }
}
