//! Living tmux servers that are not asked: those of other users and other pid namespaces.

use std::collections::BTreeSet;

use model::record::{Namespace, UnaskedServer, WhyUnasked};

use crate::process::process_source::Owner;
use crate::process::process_table::Table;
use crate::user;

/// Why a server with this owner is not asked. A server with an unknown owner may be ours.
pub fn why_unasked(owner: Owner) -> Option<WhyUnasked> {
    if owner.uid.is_some_and(|uid| uid != user::uid()) {
        return Some(WhyUnasked::OtherUser);
    }
    (owner.namespace == Some(Namespace::Foreign)).then_some(WhyUnasked::OtherNamespace)
}

/// The servers in the process table that are not asked, and those `found` otherwise.
pub fn unasked(table: &Table, found: BTreeSet<i32>) -> Vec<UnaskedServer> {
    let servers: BTreeSet<i32> = table.tmux_servers().iter().copied().chain(found).collect();
    // What a server has just forked for a pane looks like a server too, for a moment.
    let is_child = |pid: i32| table.get(pid).is_some_and(|stat| servers.contains(&stat.ppid));
    let is_server = |pid: &&i32| !is_child(**pid) || table.is_still_tmux_server(**pid);
    let unasked = servers.iter().filter(is_server).filter_map(|&pid| {
        let owner = table.source.owner(pid);
        Some(UnaskedServer {
            pid,
            uid: owner.uid,
            groups: table.source.groups(pid),
            why: why_unasked(owner)?,
            mounts: table.source.mounts(pid),
        })
    });
    unasked.collect()
}
