//! Which unit or container a process runs in, by `/proc/PID/cgroup` (cgroups(7)).

use crate::record::How;

/// A control group that holds its processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// [`How::Service`] or [`How::Scope`].
    pub how: How,
    /// Its name.
    pub name: String,
}

/// Units that start other people's programs: to run below one of them says nothing about who
/// holds a process.
const STARTERS: [&str; 8] = [
    "cron.service",
    "crond.service",
    "cronie.service",
    "anacron.service",
    "ssh.service",
    "sshd.service",
    "atd.service",
    "systemd-logind.service",
];

/// How the names of units begin that hold whole sessions of people, or what a desktop, a terminal
/// or tmux starts for them.
const SESSIONS: [&str; 7] =
    ["user@", "sshd@", "ssh@", "app-", "session-", "vte-spawn-", "tmux-spawn-"];

/// Control groups that a service manager has on every machine (systemd.special(7)).
const SPECIAL: [&str; 7] = [
    "init.scope",
    "user.slice",
    "system.slice",
    "app.slice",
    "session.slice",
    "background.slice",
    "-.slice",
];

/// How the control groups of containers begin, as Docker, Podman, CRI-O, containerd and LXC
/// name them.
const CONTAINERS: [&str; 6] =
    ["docker-", "libpod-", "crio-", "cri-containerd-", "lxc.payload", "lxc.monitor"];

/// Control groups below which there are only containers and virtual machines.
const PARENTS: [&str; 6] =
    ["docker", "kubepods", "kubepods.slice", "machine.slice", "lxc", "libpod_parent"];

/// The unit or container that holds a process, from the text of its control groups and that of
/// the process that looks: a group in which both are holds nothing. Whoever makes a control group
/// for a process can end it or notice its end by that, so any group holds but those that are known
/// to be everybody's.
pub fn holding_unit(text: &str, own: &str) -> Option<Unit> {
    container(text, own).or_else(|| {
        let path = path(text)?;
        let shared = self::path(own).filter(|own| *own != "/").and_then(|own| {
            let below = path.strip_prefix(own)?;
            (below.is_empty() || below.starts_with('/')).then_some(below)
        });
        // Units count wherever they are.
        unit(path).or_else(|| other_group(shared.unwrap_or(path)))
    })
}

/// The service unit that holds a process, from the text of its control groups.
pub fn service(text: &str) -> Option<String> {
    unit(path(text)?).filter(|unit| unit.how == How::Service).map(|unit| unit.name)
}

/// The path in the hierarchy that service managers use: version 2 (`0::`) if it says more than
/// the root, else the named hierarchy `name=systemd`.
fn path(text: &str) -> Option<&str> {
    let of = |is_it: fn(&str) -> bool| {
        let mut paths = lines(text).filter(|(hierarchy, _)| is_it(hierarchy)).map(|(_, path)| path);
        paths.find(|path| *path != "/")
    };
    of(|hierarchy| hierarchy == "0::").or_else(|| of(|named| named.ends_with(":name=systemd:")))
}

/// Each line as `4:memory:` and the path after it.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let (id, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        Some((&line[..id.len() + controllers.len() + 2], path))
    })
}

/// The innermost unit of a path that says something.
fn unit(path: &str) -> Option<Unit> {
    let says = |part: &&str| {
        part.ends_with(".service") || part.starts_with("run-") && part.ends_with(".scope")
    };
    let name = path.split('/').rev().find(says)?;
    let how = if name.ends_with(".scope") { How::Scope } else { How::Service };
    (!is_of_people(name)).then(|| Unit { how, name: name.to_owned() })
}

fn is_of_people(name: &str) -> bool {
    SESSIONS.iter().any(|start| name.starts_with(start)) || STARTERS.contains(&name)
}

/// The innermost group of a path that is not everybody's.
fn other_group(path: &str) -> Option<Unit> {
    let is_of_user = |name: &str| {
        let uid = name.strip_prefix("user-").and_then(|rest| rest.strip_suffix(".slice"));
        uid.is_some_and(|uid| uid.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // Units made from one template share a slice.
    let is_of_template = |name: &str| name.starts_with("system-") && name.ends_with(".slice");
    let is_everybodys = |name: &&str| {
        name.is_empty()
            || is_of_template(name)
            || SPECIAL.contains(name)
            || is_of_people(name)
            || is_of_user(name)
    };
    let name = path.split('/').rev().find(|name| !is_everybodys(name))?;
    Some(Unit { how: How::Scope, name: name.to_owned() })
}

fn container(text: &str, own: &str) -> Option<Unit> {
    let is_ours = |hierarchy: &str, path: &str| {
        lines(own).any(|(other, ours)| {
            other == hierarchy
                && path
                    .strip_prefix(ours)
                    .is_some_and(|below| below.is_empty() || below.starts_with('/'))
        })
    };
    lines(text).find_map(|(hierarchy, path)| {
        let parts: Vec<&str> = path.split('/').collect();
        let begins = |part: &&str| CONTAINERS.iter().any(|start| part.starts_with(start));
        let at = parts.iter().position(|part| begins(part) || PARENTS.contains(part))?;
        // Below the parent stands what the container is called.
        let last = if begins(&parts[at]) { at } else { (at + 1).min(parts.len() - 1) };
        let name = parts[at..=last].join("/");
        (!is_ours(hierarchy, path)).then_some(Unit { how: How::Scope, name })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hierarchy of version 2 with this path.
    fn at(path: &str) -> String {
        format!("0::{path}\n")
    }

    fn held(text: &str, own: &str) -> Option<(How, String)> {
        holding_unit(text, own).map(|unit| (unit.how, unit.name))
    }

    #[test]
    fn h49_units_and_containers_hold_and_sessions_of_people_do_not() {
        let user = "/user.slice/user-1000.slice/user@1000.service";
        for (path, expected) in [
            ("/system.slice/agents.service".to_owned(), Some((How::Service, "agents.service"))),
            (format!("{user}/app.slice/x.service"), Some((How::Service, "x.service"))),
            (format!("{user}/app.slice/run-r5c.scope"), Some((How::Scope, "run-r5c.scope"))),
            (format!("{user}/app.slice/run-u42.scope"), Some((How::Scope, "run-u42.scope"))),
            ("/system.slice/docker-0a1b.scope".to_owned(), Some((How::Scope, "docker-0a1b.scope"))),
            ("/docker/0a1b".to_owned(), Some((How::Scope, "docker/0a1b"))),
            (
                format!("{user}/user.slice/libpod-0a1b.scope/container"),
                Some((How::Scope, "libpod-0a1b.scope")),
            ),
            ("/kubepods/burstable/pod1/2".to_owned(), Some((How::Scope, "kubepods/burstable"))),
            (
                "/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope".to_owned(),
                Some((How::Scope, "kubepods.slice/kubepods-pod1.slice")),
            ),
            (
                "/machine.slice/machine-vm.scope".to_owned(),
                Some((How::Scope, "machine.slice/machine-vm.scope")),
            ),
            ("/lxc.payload.web/x".to_owned(), Some((How::Scope, "lxc.payload.web"))),
            ("/lxc/web".to_owned(), Some((How::Scope, "lxc/web"))),
            (format!("{user}/app.slice/agents.scope"), Some((How::Scope, "agents.scope"))),
            ("/agents.slice".to_owned(), Some((How::Scope, "agents.slice"))),
            ("/openrc.agents".to_owned(), Some((How::Scope, "openrc.agents"))),
            ("/orchestrator/agent1".to_owned(), Some((How::Scope, "agent1"))),
            ("/incus.payload.web".to_owned(), Some((How::Scope, "incus.payload.web"))),
            ("/slurm/uid_1000/job_7".to_owned(), Some((How::Scope, "job_7"))),
            (format!("{user}/app.slice/tmux-spawn-1.scope"), None),
            (format!("{user}/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope"), None),
            (user.to_owned(), None),
            (format!("{user}/init.scope"), None),
            (format!("{user}/app.slice/app-code@autostart.service"), None),
            (format!("{user}/app.slice/app-gnome-code-7.scope"), None),
            ("/user.slice/user-1000.slice/session-3.scope".to_owned(), None),
            ("/system.slice/cron.service".to_owned(), None),
            ("/system.slice/ssh.service".to_owned(), None),
            ("/system.slice/system-sshd.slice/sshd@4.service".to_owned(), None),
            ("/init.scope".to_owned(), None),
            ("/".to_owned(), None),
        ] {
            let expected = expected.map(|(how, name)| (how, name.to_owned()));
            let service = expected.clone().filter(|(how, _)| *how == How::Service);
            assert_eq!(super::service(&at(&path)), service.map(|(_, name)| name), "{path}");
            assert_eq!(held(&at(&path), &at("/")), expected, "{path}");
        }
    }

    #[test]
    fn version_2_counts_before_the_named_hierarchy_and_a_container_in_any() {
        let service = |name: &str| Some((How::Service, name.to_owned()));
        let named = |v2| format!("9:name=systemd:/system.slice/a.service\n0::{v2}\n");
        assert_eq!(held(&named("/system.slice/b.service"), ""), service("b.service"));
        assert_eq!(held(&named("/"), ""), service("a.service"));
        assert_eq!(held("4:memory:/system.slice/a.service\n0::/\n", ""), None);
        let memory = held("4:memory:/docker/0a1b\n0::/\n", "4:memory:/\n0::/\n");
        assert_eq!(memory, Some((How::Scope, "docker/0a1b".to_owned())));
    }

    #[test]
    fn a_container_in_which_we_are_too_holds_nothing() {
        let ours = at("/docker/0a1b");
        assert_eq!(held(&ours, &ours), None);
        let below = held(&at("/docker/0a1b/below"), &ours);
        assert_eq!(below, Some((How::Scope, "below".to_owned())), "somebody in it has made that");
        assert_eq!(held(&at("/docker/0a1b/system.slice/cron.service"), &ours), None);
        let job = at("/actions_job/7");
        assert_eq!(held(&job, &job), None);
        assert!(held(&job, &at("/")).is_some());
        assert!(held(&at("/docker/0a1bc"), &ours).is_some());
        assert!(held(&at("/docker/2c3d"), &ours).is_some());
        // What we share on the machine itself holds as ever.
        let scope = at("/user.slice/run-r5c.scope");
        assert!(held(&scope, &scope).is_some());
    }
}
