//! The state right before an action, scanned in the same way as for the finding.

use std::path::PathBuf;
use std::time::Duration;

use cli::Failure;
use host::environment::var;
use host::tmux::{Choice, Scan, scan};
use jiff::{SignedDuration, Timestamp};
use model::claude::NameRule;
use model::plan::Identity;
use model::record::{
    DefaultRule, Evidence, Names, ProcSource, Process, RegistryFile, Role, Servers, Session,
};
use model::rules::{
    HIDDEN, LeakedServers, Options, Panes, ServerVerdict, ServersWithClaude, possible_host,
    server_verdict, with_claude,
};

/// A new scan, made in the way that the evidence of a finding names.
pub struct Recheck {
    /// tmux, and the process table.
    pub tmux: Scan,
    /// The processes that are Claude, and the servers that Claude has left.
    pub processes: Vec<Process>,
    /// When the scan began.
    pub scanned_at: Timestamp,
    /// How to judge processes and sessions. Their age is not checked again: what was old enough
    /// still is.
    pub options: Options,
}

/// The servers that the evidence rests on.
pub fn choice(evidence: &Evidence) -> Choice {
    match evidence.servers {
        Some(Servers::Named) => Choice::Known {
            sockets: evidence.sockets.iter().map(PathBuf::from).collect(),
            server_pids: evidence.server_pids.clone(),
        },
        Some(Servers::All) | None => Choice::All,
    }
}

/// The source of the process table that the evidence names; it is read again.
pub fn source(evidence: &Evidence) -> ProcSource {
    evidence.proc_source.unwrap_or(host::process::USUAL)
}

/// Scans tmux again.
///
/// # Errors
/// When a part of it cannot be asked: then nothing may be concluded.
pub fn sessions(evidence: &Evidence, limit: Duration) -> Result<Scan, Failure> {
    let seen = scan(&choice(evidence), limit, source(evidence))
        .map_err(|error| Failure::Trouble(format!("process table: {error}")))?;
    if seen.trouble.is_empty() { Ok(seen) } else { Err(Failure::Trouble(seen.trouble.join("; "))) }
}

/// The processes that have these roles now, by the names of the evidence.
fn list(evidence: &Evidence, roles: &[Role], tmux: &Scan) -> Result<Vec<Process>, Failure> {
    let names = evidence.names.clone().unwrap_or(Names::Rule(DefaultRule::Default));
    let rule = NameRule::new(&names).map_err(Failure::Trouble)?;
    let trouble = |error| Failure::Trouble(format!("process table: {error}"));
    host::process::list(&tmux.table, &rule, roles, false).map_err(trouble)
}

/// Why the session of an entry of this registry may be on a server that was not asked;
/// `None` if it cannot be, or if the user has said that it is not.
///
/// # Errors
/// When the process table cannot be read.
pub fn unasked_host(
    evidence: &Evidence,
    tmux: &Scan,
    file: &RegistryFile,
) -> Result<Option<String>, Failure> {
    if evidence.ignore_unasked {
        return Ok(None);
    }
    if tmux.hides_others {
        return Ok(Some(HIDDEN.to_owned()));
    }
    if tmux.unasked.is_empty() {
        return Ok(None);
    }
    let with_claude = ServersWithClaude::of(&list(evidence, &[Role::Claude], tmux)?);
    let host = possible_host(file, &tmux.unasked, &with_claude);
    Ok(host.map(|host| model::rules::unasked_host(host, &with_claude)))
}

impl Recheck {
    /// Scans tmux and the process table again.
    ///
    /// # Errors
    /// When one of them cannot be asked.
    pub fn scan(evidence: &Evidence, limit: Duration) -> Result<Recheck, Failure> {
        let scanned_at = host::clock::now();
        let tmux = sessions(evidence, limit)?;
        let processes = list(evidence, &[Role::Claude, Role::Server], &tmux)?;
        let options = Options {
            prefix: evidence.prefix.clone(),
            min_age: SignedDuration::ZERO,
            entry_age: SignedDuration::ZERO,
            outside_tmux: evidence.outside_tmux,
            despite: evidence.despite.clone(),
            busy: evidence.busy,
            unregistered: evidence.unregistered,
            ignore_unasked: evidence.ignore_unasked,
            stale_after: None,
        };
        Ok(Recheck { tmux, processes, scanned_at, options })
    }

    /// The panes that were seen.
    pub fn panes(&self) -> Panes<'_> {
        Panes::new(&self.tmux.sessions, self.tmux.server_pids.iter().copied().collect())
    }

    /// A session by its identity.
    pub fn session(&self, of: &Session) -> Option<&Session> {
        find(&self.tmux.sessions, of)
    }

    /// Whether a living Claude is in a session, or was started in it.
    pub fn has_claude(&self, session: &Session) -> bool {
        let with_claude = with_claude(&self.panes(), &self.processes);
        with_claude.contains(&(session.server_pid, session.id.as_str()))
    }

    /// The processes of servers that have leaked.
    pub fn leaked_servers(&self) -> LeakedServers<'_> {
        let uid = self.tmux.uid;
        let is_leaked = |process: &&Process| server_verdict(process, uid) == ServerVerdict::Leaked;
        let leaked = self.processes.iter().filter(is_leaked);
        leaked.map(|process| (process.pid, process.start_time.as_str())).collect()
    }

    /// Whether this program runs in a session: below one of its panes, or started there.
    pub fn runs_here(&self, session: &Session) -> bool {
        let own_line = self.tmux.table.own_line();
        let text = |name| var(name).and_then(|value| value.into_string().ok());
        let pane = text("TMUX_PANE").unwrap_or_default();
        let tmux = text("TMUX").unwrap_or_default();
        let same_server = tmux.rsplit(',').nth(1) == Some(&session.server_pid.to_string());
        session.panes.iter().any(|p| own_line.contains(&p.pid) || same_server && p.id == pane)
    }
}

/// Finds a session again: by server, creation time and id, never by name.
pub fn find<'s>(sessions: &'s [Session], meant: &Session) -> Option<&'s Session> {
    sessions.iter().find(|session| session.key() == meant.key())
}
