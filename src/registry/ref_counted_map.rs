//! A map whose values live while somebody holds them: the first holder makes a value, others join it, and
//! when the last holder has gone it is removed.
//!
//! Joining, counting and giving up happen under one lock, so that nobody ever holds a place that was given
//! up. Every order in which threads can do so is tried in `loom/`.

use std::{collections::HashMap, fmt::Debug, hash::Hash, sync::PoisonError};

use crate::platform::sync::{Arc, Mutex, MutexGuard, watch};

/// The values by key. Clones share them.
#[derive(Debug)]
pub(super) struct Places<K, V>(Arc<Mutex<HashMap<K, Arc<Place<V>>>>>);

/// A value and its holders, perhaps removed from the map.
#[derive(Debug)]
pub(super) struct Place<V> {
    /// The value.
    pub(super) value: V,
    holders: watch::Sender<usize>,
}

/// A value of the map.
pub(super) trait Tenant {
    /// Returns whether a keeper removes the value when it is time, so that the last holder does not.
    fn has_keeper(&self) -> bool;

    /// Called when the value was removed from the map, which is locked meanwhile; may be called more than
    /// once.
    fn moved_out(&self) {}
}

/// Holds a value; it is not removed before this is dropped.
#[derive(Debug)]
pub(super) struct Hold<K: Hash + Eq, V: Tenant> {
    places: Places<K, V>,
    key: K,
    place: Arc<Place<V>>,
}

impl<K, V> Default for Places<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Clone for Places<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Hash + Eq + Clone, V: Tenant> Places<K, V> {
    /// Joins the value of `key` if it `is_it`, or makes one in its place; none when there are `most` values
    /// already.
    pub(super) fn hold(
        &self,
        key: K,
        most: usize,
        is_it: impl FnOnce(&V) -> bool,
        make: impl FnOnce() -> V,
    ) -> Option<Hold<K, V>> {
        let mut places = self.all();
        let there = places.get(&key).filter(|place| is_it(&place.value)).cloned();
        let place = match there {
            Some(place) => place,
            None if places.len() >= most && !places.contains_key(&key) => return None,
            None => {
                let place = Arc::new(Place { value: make(), holders: watch::Sender::new(0) });
                // One that was there and is another ends by itself.
                if let Some(gone) = places.insert(key.clone(), place.clone()) {
                    gone.value.moved_out();
                }
                place
            }
        };
        // Counted under the lock: who looks whether it can go sees it.
        place.holders.send_modify(|holders| *holders += 1);
        drop(places);
        Some(Hold { places: self.clone(), key, place })
    }
}

impl<K: Hash + Eq, V: Tenant> Places<K, V> {
    /// Returns all values, locked.
    pub(super) fn all(&self) -> MutexGuard<'_, HashMap<K, Arc<Place<V>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a value unless somebody has just joined. Returns whether it was removed.
    pub(super) fn give_up(&self, key: &K, place: &Arc<Place<V>>) -> bool {
        let mut places = self.all();
        let unheld = *place.holders.borrow() == 0;
        if unheld {
            remove(&mut places, key, place);
        }
        unheld
    }

    /// Removes a value, whoever holds it.
    pub(super) fn remove(&self, key: &K, place: &Arc<Place<V>>) {
        remove(&mut self.all(), key, place);
    }
}

/// Removes a value, unless another has taken its place.
fn remove<K: Hash + Eq, V: Tenant>(places: &mut HashMap<K, Arc<Place<V>>>, key: &K, place: &Arc<Place<V>>) {
    if places.get(key).is_some_and(|there| Arc::ptr_eq(there, place)) {
        places.remove(key);
    }
    place.value.moved_out();
}

impl<V> Place<V> {
    /// Returns the number of holders, and each change of it.
    pub(super) fn holders(&self) -> watch::Receiver<usize> {
        self.holders.subscribe()
    }
}

impl<K: Hash + Eq, V: Tenant> Hold<K, V> {
    /// Returns the value that is held.
    pub(super) fn place(&self) -> &Arc<Place<V>> {
        &self.place
    }

    /// Returns its key.
    pub(super) fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Hash + Eq, V: Tenant> Drop for Hold<K, V> {
    fn drop(&mut self) {
        let mut places = self.places.all();
        self.place.holders.send_modify(|holders| *holders -= 1);
        if *self.place.holders.borrow() == 0 && !self.place.value.has_keeper() {
            remove(&mut places, &self.key, &self.place);
        }
    }
}
