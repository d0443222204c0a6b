//! A map whose values live while somebody holds them: the first holder makes a value, others join it, and
//! when the last holder has gone it is removed.
//!
//! Joining, counting and giving up happen under one lock, so that nobody ever holds a place that was given
//! up. Every order in which threads can do so is tried in `loom/`.

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
    /// Joins the value of `key` if it `is_it`, or makes one in its place; none when there are `most` values
    /// already.
    pub(super) fn acquire(
        &self,
        key: K,
        most: usize,
        is_it: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> V,
    ) -> Option<EntryGuard<K, V>> {
        let mut places = self.lock();
        let there = places.get(&key).filter(|place| is_it(&place.value)).cloned();
        let place = match there {
            Some(place) => place,
            None if places.len() >= most && !places.contains_key(&key) => return None,
            None => {
                let place = Arc::new(MapEntry { value: make(), holders: watch::Sender::new(0) });
                // One that was there and is another ends by itself.
                if let Some(gone) = places.insert(key.clone(), place.clone()) {
                    gone.value.on_removed();
                }
                place
            }
        };
        // Counted under the lock: who looks whether it can go sees it.
        place.holders.send_modify(|holders| *holders += 1);
        drop(places);
        Some(EntryGuard { map: self.clone(), key, entry: place })
    }
}

impl<K: Hash + Eq, V: MapValue> RefCountedMap<K, V> {
    /// Returns all values, locked.
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<MapEntry<V>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a value unless somebody has just joined. Returns whether it was removed.
    pub(super) fn remove_unused(&self, key: &K, place: &Arc<MapEntry<V>>) -> bool {
        let mut places = self.lock();
        let unheld = *place.holders.borrow() == 0;
        if unheld {
            remove(&mut places, key, place);
        }
        unheld
    }

    /// Removes a value, whoever holds it.
    pub(super) fn remove(&self, key: &K, place: &Arc<MapEntry<V>>) {
        remove(&mut self.lock(), key, place);
    }
}

/// Removes a value, unless another has taken its place.
fn remove<K: Hash + Eq, V: MapValue>(
    places: &mut HashMap<K, Arc<MapEntry<V>>>,
    key: &K,
    place: &Arc<MapEntry<V>>,
) {
    if places.get(key).is_some_and(|there| Arc::ptr_eq(there, place)) {
        places.remove(key);
    }
    place.value.on_removed();
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
        let mut places = self.map.lock();
        self.entry.holders.send_modify(|holders| *holders -= 1);
        if *self.entry.holders.borrow() == 0 && !self.entry.value.is_managed() {
            remove(&mut places, &self.key, &self.entry);
        }
    }
}
