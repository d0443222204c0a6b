//! As much of dashmap as is used, on one of loom's locks: an entry that is held locks the others of its
//! shard, and here all.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    ops::{Deref, DerefMut},
};

use loom::sync::{Mutex, MutexGuard};

#[derive(Debug)]
pub struct DashMap<K, V>(Mutex<HashMap<K, V>>);

pub struct Entry<'a, K, V>(MutexGuard<'a, HashMap<K, V>>, K);

pub struct RefMut<'a, K, V>(MutexGuard<'a, HashMap<K, V>>, K);

impl<K: Eq + Hash + Clone + Debug, V: Debug> DashMap<K, V> {
    pub fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    pub fn entry(&self, key: K) -> Entry<'_, K, V> {
        Entry(self.0.lock().unwrap(), key)
    }

    pub fn get_mut(&self, key: &K) -> Option<RefMut<'_, K, V>> {
        let all = self.0.lock().unwrap();
        all.contains_key(key).then(|| RefMut(all, key.clone()))
    }

    pub fn remove_if(&self, key: &K, condition: impl FnOnce(&K, &V) -> bool) {
        let mut all = self.0.lock().unwrap();
        if all.get(key).is_some_and(|value| condition(key, value)) {
            all.remove(key);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

impl<'a, K: Eq + Hash + Clone, V> Entry<'a, K, V> {
    pub fn or_insert(mut self, value: V) -> RefMut<'a, K, V> {
        self.0.entry(self.1.clone()).or_insert(value);
        RefMut(self.0, self.1)
    }
}

impl<K: Eq + Hash, V> Deref for RefMut<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0[&self.1]
    }
}

impl<K: Eq + Hash, V> DerefMut for RefMut<'_, K, V> {
    fn deref_mut(&mut self) -> &mut V {
        self.0.get_mut(&self.1).expect("it is there for as long as it is held")
    }
}
