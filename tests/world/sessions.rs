//! Sessions of the world's own tmux server.

use std::process::Command;

use super::{PROMPT, Ran, Standin, World, run, wait_until};

/// A session with a stand-in in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Name of the session.
    pub session: String,
    /// The process tmux started in its pane.
    pub pane: i32,
    /// The stand-in under it.
    pub claude: Standin,
}

impl World {
    /// Runs tmux on the world's socket.
    pub fn tmux(&self, arguments: &[&str]) -> Ran {
        run(&mut self.tmux_command(arguments), "")
    }

    /// The command that does so.
    pub fn tmux_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("tmux");
        command.args(["-f", "/dev/null", "-S"]).arg(&self.socket).args(arguments);
        command
    }

    /// Starts a session that runs `command` in a shell, the server too if it is the
    /// first; returns the process in its pane.
    ///
    /// # Panics
    /// When tmux refuses.
    pub fn session(&self, name: &str, command: &str) -> i32 {
        self.new_session(name, command, &[])
    }

    /// Starts a session whose `command` runs the stand-in with this environment, and
    /// waits for it.
    pub fn live_session(&self, name: &str, command: &str, environment: &[(&str, &str)]) -> Live {
        let ready = self.ready();
        let mut variables: Vec<String> =
            environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        variables.push(format!("STANDIN_READY={}", ready.directory().display()));
        let pane = self.new_session(name, command, &variables);
        Live { session: name.to_owned(), pane, claude: ready.wait() }
    }

    /// Starts an agent the way the orchestrator does.
    pub fn agent_session(&self, id: &str, environment: &[(&str, &str)]) -> Live {
        self.live_session(&format!("agent_{id}"), &self.agent_command(id), environment)
    }

    /// What the orchestrator has tmux run for an agent.
    pub fn agent_command(&self, id: &str) -> String {
        format!(
            "cd '{directory}' && {name} --print --output-format stream-json '{PROMPT}' \
             | tee '{directory}/logs/{id}_stream.jsonl'",
            directory = self.path.display(),
            name = self.name,
        )
    }

    /// The names of the sessions on the world's socket; none when there is no server.
    pub fn session_names(&self) -> Vec<String> {
        let listed = self.tmux(&["list-sessions", "-F", "#{session_name}"]);
        listed.out.lines().map(str::to_owned).collect()
    }

    fn new_session(&self, name: &str, command: &str, variables: &[String]) -> i32 {
        let directory = self.path.to_str().expect("a path in UTF-8");
        let mut arguments = vec!["new-session", "-d", "-P", "-F", "#{pane_pid}", "-s", name];
        arguments.extend(["-c", directory]);
        arguments.extend(variables.iter().flat_map(|variable| ["-e", variable]));
        arguments.push(command);
        let mut started = None;
        // The server of a session that has just ended may be about to end too.
        wait_until(
            || "the end of a server",
            || {
                let ran = started.insert(self.tmux(&arguments));
                !ran.err.starts_with("server exited")
            },
        );
        started
            .expect("it was run")
            .ok()
            .out
            .trim()
            .parse()
            .expect("tmux prints the pid of the pane")
    }
}
