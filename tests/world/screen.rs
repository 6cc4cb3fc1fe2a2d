//! A terminal of a given size: a pane of a tmux server of its own. A test reads its screen and
//! types into it.

use std::path::PathBuf;

use super::{Ran, World, run, wait_until};

/// See the [module](self).
pub struct Screen<'w> {
    world: &'w World,
    socket: PathBuf,
}

impl World {
    /// A terminal in which `line` is run by a shell. It stays when that has ended, with its
    /// exit status as the last word.
    ///
    /// # Panics
    /// When tmux refuses.
    pub fn screen(&self, columns: u16, lines: u16, line: &str) -> Screen<'_> {
        let screen =
            Screen { world: self, socket: self.path.join(format!("screen{}", self.next())) };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let line = format!("{line}\nprintf 'ended %s' $?; exec sleep 1000");
        screen.tmux(&["new-session", "-d", "-x", &columns, "-y", &lines, &line]).ok();
        screen
    }
}

impl Screen<'_> {
    fn tmux(&self, arguments: &[&str]) -> Ran {
        let mut command = self.world.command("tmux");
        run(command.args(["-f", "/dev/null", "-S"]).arg(&self.socket).args(arguments), "")
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).ok().out
    }

    /// The same with the escapes for colours.
    pub fn coloured(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"]).ok().out
    }

    /// What was printed, from the beginning, escapes for colours included; what the
    /// terminal had to wrap as one line.
    pub fn history(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e", "-J", "-S", "-"]).ok().out
    }

    /// Types a text and Enter.
    pub fn enter(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]).ok();
        self.tmux(&["send-keys", "Enter"]).ok();
    }

    /// Waits until the screen shows a text.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for(&self, text: &str) {
        let shows = || self.text().contains(text);
        wait_until(|| text, shows);
    }

    /// Waits for the command to end; returns its exit status.
    ///
    /// # Panics
    /// When it does not.
    pub fn status(&self) -> i32 {
        self.wait_for("ended ");
        let text = self.text();
        let status = text.rsplit("ended ").next().and_then(|word| word.trim().parse().ok());
        status.unwrap_or_else(|| panic!("no status: {text}"))
    }
}
