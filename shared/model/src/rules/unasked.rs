//! Living tmux servers that were not asked: whether one may have the session of an entry.
//!
//! An entry without a session is a ghost only if its session cannot be on a server that was not
//! asked. That server needs a Claude below it, must see the registry, and must be allowed to
//! write it: an orchestrator that runs there registers its agents.

use foldhash::HashSet;

use crate::record::{Mount, Mounts, Process, RegistryFile, UnaskedServer};

/// Why any server may have the session of an entry: root, for one, may write every registry.
pub const HIDDEN: &str = "processes of other users are hidden, and so are their tmux servers; if no \
                          other user's agents are in this registry, give --ignore-unasked";

/// The tmux servers with a living Claude below them, as far as processes were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServersWithClaude {
    /// Any server may have one: not all processes were seen.
    #[default]
    Any,
    /// Only these pids: ancestors of a Claude, or named by its `TMUX`.
    Only(HashSet<i32>),
}

impl ServersWithClaude {
    /// Finds them, given all Claude processes.
    pub fn of<'p>(processes: impl IntoIterator<Item = &'p Process>) -> ServersWithClaude {
        let living =
            processes.into_iter().filter(|process| process.is_claude() && !process.is_defunct());
        let above = living.flat_map(|process| {
            let origin = process.tmux.as_ref().map(|origin| origin.server_pid);
            process.ancestors.iter().copied().chain(origin)
        });
        ServersWithClaude::Only(above.collect())
    }

    fn may_include(&self, pid: i32) -> bool {
        match self {
            ServersWithClaude::Any => true,
            ServersWithClaude::Only(pids) => pids.contains(&pid),
        }
    }
}

/// The first of these servers on which the session of an entry of this registry may be.
pub fn possible_host<'u>(
    registry: &RegistryFile,
    unasked: impl IntoIterator<Item = &'u UnaskedServer>,
    with_claude: &ServersWithClaude,
) -> Option<&'u UnaskedServer> {
    unasked.into_iter().find(|server| {
        with_claude.may_include(server.pid)
            && match visibility(server, registry) {
                Visibility::None => false,
                Visibility::Idmapped => true,
                Visibility::Plain => can_write(server, registry),
            }
    })
}

/// How a server sees a registry.
enum Visibility {
    /// It does not.
    None,
    /// It sees it, or this is unknown.
    Plain,
    /// It sees it through a mount that maps user ids: then permission bits prove nothing.
    Idmapped,
}

fn visibility(server: &UnaskedServer, registry: &RegistryFile) -> Visibility {
    let (Some(Mounts::Listed(mounts)), Some(device), Some(path)) =
        (&server.mounts, &registry.device, &registry.device_path)
    else {
        return Visibility::Plain;
    };
    let mut seen = mounts.iter().filter(|mount| mount.device == *device && contains(mount, path));
    match (seen.clone().next(), seen.any(|mount| mount.idmapped)) {
        (None, _) => Visibility::None,
        (Some(_), true) => Visibility::Idmapped,
        (Some(_), false) => Visibility::Plain,
    }
}

/// Whether a path of a file system is in the part of it that is mounted.
fn contains(mount: &Mount, path: &str) -> bool {
    let root = mount.root.trim_end_matches('/');
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a server may write a registry, by the permission bits. Root always may; a server
/// whose user or groups are unknown is assumed to.
fn can_write(server: &UnaskedServer, registry: &RegistryFile) -> bool {
    let Some(uid) = server.uid else { return true };
    let in_group = || server.groups.as_ref().is_none_or(|groups| groups.contains(&registry.gid));
    uid == 0
        || uid == registry.owner_uid
        || registry.mode & 0o002 != 0
        || registry.mode & 0o020 != 0 && in_group()
}

/// Says that a server was not asked, and why that matters.
pub fn unasked_host(server: &UnaskedServer, with_claude: &ServersWithClaude) -> String {
    let whose = match server.uid {
        Some(uid) => format!("of uid {uid}"),
        None => "of an unknown user".to_owned(),
    };
    let claude = match with_claude {
        ServersWithClaude::Any => "may have",
        ServersWithClaude::Only(_) => "has",
    };
    format!(
        "tmux server {} {whose} was not asked, {claude} Claude below it and can write the \
         registry; if it is not this registry's, give --ignore-unasked",
        server.pid
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{SameNamespace, WhyUnasked};

    const OWN: u32 = 1000;

    fn server() -> UnaskedServer {
        UnaskedServer {
            pid: 77,
            uid: Some(1001),
            groups: Some(vec![1001, 50]),
            why: WhyUnasked::OtherUser,
            mounts: Some(Mounts::Same(SameNamespace::Same)),
        }
    }

    fn mounts(mounts: &[(&str, &str)]) -> Option<Mounts> {
        let mount = |(device, root): &(&str, &str)| Mount {
            device: (*device).to_owned(),
            root: (*root).to_owned(),
            idmapped: false,
        };
        Some(Mounts::Listed(mounts.iter().map(mount).collect()))
    }

    type Change = fn(&mut UnaskedServer, &mut RegistryFile);

    /// What is changed about a colleague's server and a registry that only its owner may
    /// write, and whether the session of an entry may be there.
    const ROWS: [(&str, Change, bool); 24] = [
        ("a colleague who cannot write it", |_, _| {}, false),
        ("root", |s, _| s.uid = Some(0), true),
        ("the owner, in a container", |s, _| s.uid = Some(OWN), true),
        ("nobody knows whose", |s, _| s.uid = None, true),
        ("everybody may write", |_, r| r.mode = 0o602, true),
        ("everybody may read", |_, r| r.mode = 0o755, false),
        ("a group of his may write", |_, r| (r.mode, r.gid) = (0o660, 50), true),
        ("a group of his may read", |_, r| (r.mode, r.gid) = (0o640, 50), false),
        ("another group may write", |_, r| (r.mode, r.gid) = (0o660, 51), false),
        ("his groups are unknown", |s, r| (s.groups, r.mode) = (None, 0o660), true),
        ("unknown, but no group may write", |s, _| s.groups = None, false),
        ("root, in a container without it", |s, _| root_in(s, &[("8:1", "/other")]), false),
        ("root, with the whole disk", |s, _| root_in(s, &[("0:5", "/"), ("8:1", "/")]), true),
        ("root, with the project", |s, _| root_in(s, &[("8:1", "/home/u/project")]), true),
        ("root, with a directory above", |s, _| root_in(s, &[("8:1", "/home/u/")]), true),
        ("root, with the file alone", |s, _| root_in(s, &[("8:1", FILE)]), true),
        (
            "root, with a part of the project",
            |s, _| root_in(s, &[("8:1", "/home/u/project/src")]),
            false,
        ),
        ("root, with one of a like name", |s, _| root_in(s, &[("8:1", "/home/u/pro")]), false),
        ("root, with another disk", |s, _| root_in(s, &[("8:2", "/home/u/project")]), false),
        ("a colleague, users mapped", |s, _| mapped_in(s, "/home/u"), true),
        ("a colleague, users mapped elsewhere", |s, _| mapped_in(s, "/srv"), false),
        ("root, its mounts unreadable", |s, _| (s.uid, s.mounts) = (Some(0), None), true),
        (
            "root in a container, the device unknown",
            |s, r| {
                root_in(s, &[("8:1", "/other")]);
                r.device = None;
            },
            true,
        ),
        (
            "root in a container, the path unknown",
            |s, r| {
                root_in(s, &[("8:1", "/other")]);
                r.device_path = None;
            },
            true,
        ),
    ];

    const FILE: &str = "/home/u/project/registry.json";

    fn root_in(server: &mut UnaskedServer, seen: &[(&str, &str)]) {
        (server.uid, server.mounts) = (Some(0), mounts(seen));
    }

    /// The whole disk as it is, and this directory with users mapped to others.
    fn mapped_in(server: &mut UnaskedServer, directory: &str) {
        let mut seen = mounts(&[("8:1", "/"), ("8:1", directory)]);
        if let Some(Mounts::Listed(mounts)) = &mut seen {
            mounts[1].idmapped = true;
        }
        server.mounts = seen;
    }

    #[test]
    fn where_the_session_of_an_entry_may_be() {
        for (what, change, expected) in ROWS {
            let mut registry = RegistryFile {
                owner_uid: OWN,
                gid: OWN,
                mode: 0o600,
                device: Some("8:1".to_owned()),
                device_path: Some(FILE.to_owned()),
            };
            let mut server = server();
            change(&mut server, &mut registry);
            let unasked = [server];
            for with_claude in
                [ServersWithClaude::Any, ServersWithClaude::Only([77].into_iter().collect())]
            {
                let host = possible_host(&registry, &unasked, &with_claude);
                assert_eq!(host.is_some(), expected, "{what}");
            }
            let without = ServersWithClaude::Only([78].into_iter().collect());
            assert_eq!(possible_host(&registry, &unasked, &without), None, "{what}, no Claude");
        }
    }
}
