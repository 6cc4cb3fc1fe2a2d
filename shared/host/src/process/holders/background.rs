//! Claude's own background service, as long as somebody runs it.

use model::claude::{Background, background};
use model::parse::claude_files::supervisor;
use model::record::{Holder, How};

use super::claude_files::{OfClaude, text};
use super::line::process;
use super::survey::Survey;

/// What of the background service holds a Claude: it is the service, a living service is its
/// ancestor, or the roster of its config directory names a living supervisor.
pub fn held(pid: i32, uid: u32, of_claude: &OfClaude, survey: &Survey<'_>) -> Option<Holder> {
    match part(pid, survey)? {
        Background::Service => Some(Holder { what: None, ..Holder::thing(How::Background, "") }),
        Background::Worker => {
            let service =
                service_above(pid, survey).or_else(|| rostered(uid, of_claude, survey))?;
            Some(process(How::Background, service, survey))
        }
    }
}

fn part(pid: i32, survey: &Survey<'_>) -> Option<Background> {
    survey.appearing(pid, background).flatten()
}

fn service_above(pid: i32, survey: &Survey<'_>) -> Option<i32> {
    let mut seen = Vec::new();
    let mut at = survey.processes.get(&pid)?.ppid;
    while let Some(stat) = survey.processes.get(&at).filter(|_| !seen.contains(&at)) {
        let is_service = survey.claude.contains(&at) && !stat.is_dead();
        if is_service && part(at, survey) == Some(Background::Service) {
            return Some(at);
        }
        seen.push(at);
        at = stat.ppid;
    }
    None
}

fn rostered(uid: u32, of_claude: &OfClaude, survey: &Survey<'_>) -> Option<i32> {
    let roster = of_claude.directories.config.as_ref()?.join("daemon/roster.json");
    let supervisor = supervisor(&text(&roster, uid)?)?;
    let stat = survey.processes.get(&supervisor.pid)?;
    (!stat.is_dead() && supervisor.is(stat.started)).then_some(supervisor.pid)
}
