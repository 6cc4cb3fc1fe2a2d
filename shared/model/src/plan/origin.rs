//! Where something was found and by what, and whether that allows acting on it from here.

use std::rc::Rc;

use foldhash::HashMap;

use crate::record::{Evidence, Finding, Machine, ProcSource, Text};
use crate::stream::{Malformed, parse};

/// Where something was found, and by what.
#[derive(Debug)]
pub struct Origin {
    /// The machine.
    pub machine: Machine,
    /// The scans.
    pub evidence: Evidence,
}

/// A run that is to act on findings.
#[derive(Clone, Debug)]
pub struct Run {
    /// The machine it runs on.
    pub machine: Machine,
    /// The user for whom it acts.
    pub uid: u32,
    /// The source of the process table that `--proc-source` names; `None`: each finding's own.
    pub source: Option<ProcSource>,
}

impl Origin {
    /// Why a run must not act on what was found here; `None` if it may. Pids, session ids
    /// and paths mean something only on the machine, in the boot and in the pid namespace
    /// in which they were seen.
    pub fn refusal(&self, run: &Run) -> Option<String> {
        let (found, here) = (&self.machine, &run.machine);
        if found.host != here.host {
            return Some(format!("found on host {}, this is host {}", found.host, here.host));
        }
        if found.boot_id != here.boot_id {
            return Some("found before the last boot of this machine".to_owned());
        }
        if found.pid_ns != here.pid_ns {
            return Some("found in another pid namespace".to_owned());
        }
        if self.evidence.uid != run.uid {
            let (found, here) = (self.evidence.uid, run.uid);
            return Some(format!(
                "found for uid {found}, this run is for uid {here}; as root, give --user {found}"
            ));
        }
        let source = self.evidence.proc_source?;
        let is_other = run.source.is_some_and(|demanded| demanded != source);
        is_other.then(|| format!("found with --proc-source {}", source.word()))
    }
}

/// The origins of the findings of a stream, each stored once.
#[derive(Default)]
pub(crate) struct Origins<'a> {
    known: HashMap<Spelling<'a>, Rc<Origin>>,
    /// The origin of the last finding: the next one usually has the same.
    last: Option<(Spelling<'a>, Rc<Origin>)>,
}

/// Machine and evidence as a finding spells them.
type Spelling<'a> = ([Text<'a>; 3], &'a str);

impl<'a> Origins<'a> {
    /// The origin of a finding.
    ///
    /// # Errors
    /// [`Malformed`] when its evidence cannot be read.
    pub(crate) fn of(&mut self, finding: &Finding<'a>) -> Result<Rc<Origin>, Malformed> {
        let Finding { host, boot_id, pid_ns, evidence, .. } = finding;
        let spelling = ([host, boot_id, pid_ns].map(Text::clone), evidence.get());
        if let Some((_, origin)) = self.last.as_ref().filter(|(last, _)| *last == spelling) {
            return Ok(origin.clone());
        }
        let origin = match self.known.get(&spelling) {
            Some(origin) => origin.clone(),
            None => {
                let [host, boot_id, pid_ns] = spelling.0.clone().map(Text::into_owned);
                let machine = Machine { host, boot_id, pid_ns };
                Rc::new(Origin { machine, evidence: parse(0, evidence.get())? })
            }
        };
        self.known.insert(spelling.clone(), origin.clone());
        self.last = Some((spelling, origin.clone()));
        Ok(origin)
    }
}
