//! The open connections, and which one of them has been idle for longest.
//!
//! Pure bookkeeping: no sockets, no time. "For longest" is the order in which connections became idle.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

/// Identifies an open connection.
pub(super) type Id = u64;

/// All open connections; `C` closes a connection.
#[derive(Debug)]
pub(super) struct Table<C> {
    open: HashMap<Id, Entry<C>>,
    /// Idle connections, in the order in which they became idle.
    idle: BTreeMap<u64, Id>,
    /// Connections by peer address, where one IPv6 subscriber has one; `None` over Unix sockets.
    peers: HashMap<Option<IpAddr>, Peer>,
    /// The next number, for a connection or for the order of idle ones.
    next: u64,
}

#[derive(Debug)]
struct Entry<C> {
    peer: Option<IpAddr>,
    requests: u32,
    idle_since: Option<u64>,
    connection: C,
}

#[derive(Debug, Default)]
struct Peer {
    open: usize,
    idle: BTreeSet<u64>,
}

impl<C> Default for Table<C> {
    fn default() -> Self {
        Self { open: HashMap::new(), idle: BTreeMap::new(), peers: HashMap::new(), next: 0 }
    }
}

impl<C> Table<C> {
    /// Returns the number of open connections.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Returns the number of idle connections.
    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Adds a connection, which is idle until its first request.
    pub(super) fn insert(&mut self, peer: Option<IpAddr>, connection: C) -> Id {
        let id = self.next;
        self.next += 1;
        self.open.insert(id, Entry { peer, requests: 0, idle_since: None, connection });
        self.peers.entry(peer).or_default().open += 1;
        self.set_idle(id);
        id
    }

    /// Removes a connection that has ended, or was taken out before.
    pub(super) fn remove(&mut self, id: Id) {
        self.take(id);
    }

    /// Records the beginning of a request. Returns false if the connection was taken out to be closed.
    pub(super) fn begin_request(&mut self, id: Id) -> bool {
        self.set_busy(id);
        let Some(entry) = self.open.get_mut(&id) else { return false };
        entry.requests += 1;
        true
    }

    /// Records the end of a request, and returns whether it was the last one of its connection. The
    /// connection is idle only after [`Table::set_idle`]: its answer may still be in transmission.
    pub(super) fn end_request(&mut self, id: Id) -> bool {
        let Some(entry) = self.open.get_mut(&id) else { return false };
        entry.requests -= 1;
        entry.requests == 0
    }

    /// Marks a connection as idle from now on, unless it has a request.
    pub(super) fn set_idle(&mut self, id: Id) {
        let Some(entry) = self.open.get_mut(&id) else { return };
        if entry.requests > 0 || entry.idle_since.is_some() {
            return;
        }
        let since = self.next;
        self.next += 1;
        entry.idle_since = Some(since);
        self.idle.insert(since, id);
        self.peers.entry(entry.peer).or_default().idle.insert(since);
    }

    fn set_busy(&mut self, id: Id) {
        let Some(entry) = self.open.get_mut(&id) else { return };
        let Some(since) = entry.idle_since.take() else { return };
        self.idle.remove(&since);
        if let Some(peer) = self.peers.get_mut(&entry.peer) {
            peer.idle.remove(&since);
        }
    }

    /// Takes out the connection that is to be closed for a new one from `peer`: the one that has been idle
    /// for longest. If `peer` has more than half of all connections, it is one of its own: a client that
    /// opens connections without end closes its own, not those of others. Connections that `is_writing` are
    /// skipped, and no longer idle.
    pub(super) fn remove_longest_idle(
        &mut self,
        peer: Option<IpAddr>,
        is_writing: impl Fn(&C) -> bool,
    ) -> Option<C> {
        loop {
            let own = self.peers.get(&peer).filter(|own| own.open > self.open.len() / 2);
            let own = own.and_then(|own| own.idle.first().copied());
            let since = own.or_else(|| self.idle.keys().next().copied())?;
            let id = *self.idle.get(&since)?;
            if !is_writing(&self.open.get(&id)?.connection) {
                return self.take(id);
            }
            self.set_busy(id);
        }
    }

    fn take(&mut self, id: Id) -> Option<C> {
        self.set_busy(id);
        let entry = self.open.remove(&id)?;
        if let Some(peer) = self.peers.get_mut(&entry.peer) {
            peer.open -= 1;
            if peer.open == 0 {
                self.peers.remove(&entry.peer);
            }
        }
        Some(entry.connection)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peer(n: u8) -> Option<IpAddr> {
        Some([192, 0, 2, n].into())
    }

    fn longest_idle(table: &mut Table<&'static str>) -> Option<&'static str> {
        table.remove_longest_idle(peer(9), |_| false)
    }

    #[test]
    fn the_longest_idle_goes_first_and_one_with_requests_never() {
        let mut table = Table::default();
        let [first, second, _third] =
            [(1, "first"), (2, "second"), (3, "third")].map(|(n, name)| table.insert(peer(n), name));
        assert!(table.begin_request(first) && table.begin_request(first) && table.begin_request(second));
        assert_eq!((table.open(), table.idle()), (3, 1));
        assert_eq!(longest_idle(&mut table), Some("third"));
        assert_eq!(longest_idle(&mut table), None);
        assert!(table.end_request(second));
        assert_eq!(longest_idle(&mut table), None, "its answer is on its way");
        table.set_idle(second);
        assert!(!table.end_request(first), "it has another request");
        table.set_idle(first);
        assert_eq!(longest_idle(&mut table), Some("second"));
        assert!(!table.begin_request(second), "it is being closed");
        assert_eq!(longest_idle(&mut table), None);
        assert!(table.end_request(first));
        table.set_idle(first);
        assert_eq!(longest_idle(&mut table), Some("first"));
        assert!(table.open.is_empty() && table.idle.is_empty() && table.peers.is_empty());
    }

    #[test]
    fn a_peer_with_most_of_the_connections_closes_its_own() {
        let mut table = Table::default();
        table.insert(peer(1), "another's");
        table.insert(peer(2), "own");
        table.insert(peer(2), "own, later");
        assert_eq!(table.remove_longest_idle(peer(2), |_| false), Some("own"));
        assert_eq!(table.remove_longest_idle(peer(2), |_| false), Some("another's"), "it has just half now");
    }

    #[test]
    fn one_whose_answer_is_being_written_is_passed_over() {
        let mut table = Table::default();
        let [writing, _] = ["writing", "idle"].map(|name| table.insert(peer(1), name));
        let is_writing = |name: &&str| *name == "writing";
        assert_eq!(table.remove_longest_idle(peer(1), is_writing), Some("idle"));
        assert_eq!(table.remove_longest_idle(peer(1), is_writing), None);
        assert_eq!(table.idle(), 0);
        table.set_idle(writing);
        assert_eq!(longest_idle(&mut table), Some("writing"));
    }

    proptest! {
        /// Whatever happens in whatever order, the table's parts agree, and nothing is left at the end.
        #[test]
        fn the_tables_parts_agree(steps in prop::collection::vec((0..6_u8, 0..8_usize, 0..3_u8), 0..200)) {
            let mut table = Table::default();
            let mut ids: Vec<(Id, u32)> = Vec::new();
            for (step, which, from) in steps {
                let which = which.checked_rem(ids.len()).unwrap_or_default();
                match (step, ids.get_mut(which)) {
                    (0, _) => ids.push((table.insert(peer(from), ()), 0)),
                    (1, Some((id, requests))) => *requests += u32::from(table.begin_request(*id)),
                    (2, Some((id, requests))) if *requests > 0 => {
                        *requests -= 1;
                        table.end_request(*id);
                    }
                    (3, Some((id, _))) => table.set_idle(*id),
                    (4, Some((id, _))) => {
                        table.remove(*id);
                        ids.remove(which);
                    }
                    (5, _) => _ = table.remove_longest_idle(peer(from), |()| false),
                    _ => {}
                }
                let idle = table.open.values().filter(|entry| entry.idle_since.is_some());
                prop_assert_eq!(idle.count(), table.idle.len());
                let of_peers = |count: fn(&Peer) -> usize| table.peers.values().map(count).sum::<usize>();
                prop_assert_eq!(of_peers(|peer| peer.open), table.open.len());
                prop_assert_eq!(of_peers(|peer| peer.idle.len()), table.idle.len());
                let is_either = |entry: &Entry<()>| entry.requests == 0 || entry.idle_since.is_none();
                prop_assert!(table.open.values().all(is_either));
            }
            ids.into_iter().for_each(|(id, _)| table.remove(id));
            prop_assert!(table.idle.is_empty() && table.peers.is_empty());
        }
    }
}
