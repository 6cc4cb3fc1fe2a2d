//! `agentdiff`: the judgement about what the listers saw, as JSON Lines.
//!
//! A pure function of its input: it knows neither the operating system nor the clock nor
//! the time zone. The rules are those of `model::drift`.

mod args;
mod report;

use std::process::ExitCode;

use args::Arguments;
use cli::{Failure, Input, Printer, Program};
use model::drift::{Summary, judge};
use model::evidence::{Scene, scenes};
use model::record::{End, Machine, Of, Record};
use model::stream::{Malformed, read};

const PROGRAM: Program = Program::new("agentdiff");

fn main() -> ExitCode {
    PROGRAM.main(run)
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    if arguments.output.layout.list_fields {
        return arguments.output.layout.list();
    }
    let layout = &arguments.output.layout;
    let mut printer = Printer::new(&arguments.output)?;
    if layout.table && layout.fields.is_empty() {
        printer = printer.keeping();
    }
    let judged = text(&arguments).and_then(|text| {
        let looks = read(&text).map_err(malformed)?;
        if looks.is_empty() {
            let reason = "no records: the listers wrote nothing; feed it with \
                          { lsagents; lssessions; lsclaude; } | agentdiff";
            return Err(Failure::Trouble(reason.to_owned()));
        }
        let scenes = scenes(&looks).map_err(malformed)?;
        findings(&scenes, &arguments, &mut printer)
    });
    let status = match judged {
        Ok(status) => status,
        Err(Failure::Trouble(reason)) => {
            PROGRAM.say(&reason);
            // A reader must see that there was a judgement, and that it failed.
            if !arguments.quiet {
                let mut end = end_of(&[]);
                end.complete = false;
                end.error = Some(reason);
                printer.set_incomplete();
                printer.end(&Record::End(&end))?;
                printer.finish()?;
            }
            return Err(Failure::Said(2));
        }
        Err(failure) => return Err(failure),
    };
    Ok(status)
}

fn text(arguments: &Arguments) -> Result<String, Failure> {
    let input = Input::new(
        &arguments.files,
        "lister records",
        "{ lsagents; lssessions; lsclaude; } | agentdiff",
    )?;
    input.text()
}

fn malformed(malformed: Malformed) -> Failure {
    Failure::Trouble(format!("input: {malformed}; no conclusion is drawn"))
}

fn findings(
    scenes: &[Scene<'_, '_>],
    arguments: &Arguments,
    printer: &mut Printer,
) -> Result<u8, Failure> {
    let options = arguments.options();
    // No clock is asked: ages are those at the time of the last look.
    if let Some(now) = scenes.iter().flat_map(|s| &s.ends).map(|end| end.taken_at).max() {
        printer.set_now(now);
    }
    let mut all = Summary::default();
    let mut written = Ok(());
    for scene in scenes {
        let summary = judge(scene, &options, &mut |finding| {
            if written.is_ok() && !arguments.quiet {
                written = printer.record(&Record::Finding(finding));
            }
        });
        say(scenes.len() > 1, &scene.machine, &summary, &options.min_age);
        all.actionable += summary.actionable;
        all.too_young += summary.too_young;
        for (kind, count) in summary.counts {
            *all.counts.entry(kind).or_default() += count;
        }
    }
    written?;
    if !arguments.quiet {
        let mut end = end_of(scenes);
        end.filtered = printer.filters();
        end.count = printer.count();
        let words = all.counts.iter().map(|(kind, count)| (kind.word().to_owned(), *count));
        end.findings = Some(words.collect());
        end.too_young = Some(all.too_young);
        end.error = incomplete(scenes);
        if end.error.is_some() {
            printer.set_incomplete();
        }
        if let Some(findings) = printer.take() {
            printer.text(&report::report(&findings, &end, printer.look()))?;
        }
        printer.end(&Record::End(&end))?;
        printer.finish()?;
    }
    Ok(match (incomplete(scenes), all.actionable) {
        (Some(reason), _) => {
            PROGRAM.say(&format!("{reason}; what could be read was judged"));
            2
        }
        (None, 0) => 0,
        (None, _) => 1,
    })
}

fn say(several: bool, machine: &Machine, summary: &Summary, min_age: &jiff::SignedDuration) {
    let host = if several { format!("{}: ", machine.host) } else { String::new() };
    for note in &summary.notes {
        PROGRAM.say(&format!("{host}{note}"));
    }
    if summary.too_young > 0 {
        let (young, seconds) = (summary.too_young, min_age.as_secs_f64());
        PROGRAM
            .say(&format!("{host}{young} too young to judge (under {seconds} s; see --min-age)"));
    }
}

/// What the listers could not read, if anything.
fn incomplete(scenes: &[Scene<'_, '_>]) -> Option<String> {
    let ends = scenes.iter().flat_map(|scene| &scene.ends).filter(|end| !end.complete);
    let reasons: Vec<&str> =
        ends.map(|end| end.error.as_deref().unwrap_or("a look is incomplete")).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The end of the findings, of the machine that was judged first, as old as the oldest look.
fn end_of(scenes: &[Scene<'_, '_>]) -> End {
    let machine = scenes.first().map(|scene| scene.machine.clone()).unwrap_or_default();
    let taken_at = scenes.iter().map(Scene::taken_at).min().unwrap_or_default();
    End::new("findings".to_owned(), Of::Findings, &machine, taken_at)
}
