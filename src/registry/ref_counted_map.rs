//! A map of reference-counted values: the first holder creates a value, others join it, and it is removed
//! when the last holder is dropped.
//!
//! Joining, counting and removing happen under one lock, so that a removed entry never has a holder. `loom/`
//! tests it in every order of events.

use std::{collections::HashMap, fmt::Debug, hash::Hash, sync::PoisonError};

use crate::platform::sync::{Arc, Mutex, MutexGuard, watch};

/// The values by key. Clones share them.
#[derive(Debug)]
pub(super) struct RefCountedMap<K, V>(Arc<Mutex<HashMap<K, Arc<MapEntry<V>>>>>);

/// A value and its holders, perhaps removed from the map.
#[derive(Debug)]
pub(super) struct MapEntry<V> {
    /// The value.
    pub(super) value: V,
    holders: watch::Sender<usize>,
}

/// A value of the map.
pub(super) trait MapValue {
    /// Returns whether a keeper removes the value when it is time, so that the last holder does not.
    fn is_managed(&self) -> bool;

    /// Called when the value was removed from the map, which is locked meanwhile; may be called more than
    /// once.
    fn on_removed(&self) {}
}

/// Holds a value; it is not removed before this is dropped.
#[derive(Debug)]
pub(super) struct EntryGuard<K: Hash + Eq, V: MapValue> {
    map: RefCountedMap<K, V>,
    key: K,
    entry: Arc<MapEntry<V>>,
}

impl<K, V> Default for RefCountedMap<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Clone for RefCountedMap<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Hash + Eq + Clone, V: MapValue> RefCountedMap<K, V> {
    /// Joins the value of `key` if `is_it` accepts it, or makes one in its place; returns none if there are
    /// `most` values already, of those whose key `counts`.
    pub(super) fn acquire(
        &self,
        key: K,
        most: usize,
        counts: impl Fn(&K) -> bool,
        is_it: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> V,
    ) -> Option<EntryGuard<K, V>> {
        let mut entries = self.lock();
        let there = entries.get(&key).filter(|entry| is_it(&entry.value)).cloned();
        let entry = match there {
            Some(entry) => entry,
            None if !entries.contains_key(&key)
                && entries.keys().filter(|key| counts(key)).count() >= most =>
            {
                return None;
            }
            None => {
                let entry = Arc::new(MapEntry { value: make(), holders: watch::Sender::new(0) });
                // A replaced value ends by itself.
                if let Some(gone) = entries.insert(key.clone(), entry.clone()) {
                    gone.value.on_removed();
                }
                entry
            }
        };
        // Counted under the lock, so that a concurrent check for removal sees it.
        entry.holders.send_modify(|holders| *holders += 1);
        drop(entries);
        Some(EntryGuard { map: self.clone(), key, entry })
    }
}

impl<K: Hash + Eq, V: MapValue> RefCountedMap<K, V> {
    /// Returns all values, locked.
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<MapEntry<V>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a value unless it has holders. Returns whether it was removed.
    pub(super) fn remove_unused(&self, key: &K, entry: &Arc<MapEntry<V>>) -> bool {
        let mut entries = self.lock();
        let unheld = *entry.holders.borrow() == 0;
        if unheld {
            remove(&mut entries, key, entry);
        }
        unheld
    }

    /// Removes a value, even if it has holders.
    pub(super) fn remove(&self, key: &K, entry: &Arc<MapEntry<V>>) {
        remove(&mut self.lock(), key, entry);
    }
}

/// Removes a value, unless another has taken its place.
fn remove<K: Hash + Eq, V: MapValue>(
    entries: &mut HashMap<K, Arc<MapEntry<V>>>,
    key: &K,
    entry: &Arc<MapEntry<V>>,
) {
    if entries.get(key).is_some_and(|there| Arc::ptr_eq(there, entry)) {
        entries.remove(key);
    }
    entry.value.on_removed();
}

impl<V> MapEntry<V> {
    /// Returns the number of holders, and each change of it.
    pub(super) fn holders(&self) -> watch::Receiver<usize> {
        self.holders.subscribe()
    }
}

impl<K: Hash + Eq, V: MapValue> EntryGuard<K, V> {
    /// Returns the value that is held.
    pub(super) fn entry(&self) -> &Arc<MapEntry<V>> {
        &self.entry
    }

    /// Returns its key.
    pub(super) fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Hash + Eq, V: MapValue> Drop for EntryGuard<K, V> {
    fn drop(&mut self) {
        let mut entries = self.map.lock();
        self.entry.holders.send_modify(|holders| *holders -= 1);
        if *self.entry.holders.borrow() == 0 && !self.entry.value.is_managed() {
            remove(&mut entries, &self.key, &self.entry);
        }
    }
}
