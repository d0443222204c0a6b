//! Counts the viewers of each address, also while there is no limit: one may be set while they watch.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    auth::limit_key,
    platform::sync::{AtomicUsize, DashMap},
};

/// The viewers of each address; an address without viewers takes no room.
#[derive(Debug)]
pub struct AddressLimit {
    most: AtomicUsize,
    counts: DashMap<Option<IpAddr>, usize>,
}

/// Counts a viewer for as long as it exists.
#[derive(Debug)]
pub(in crate::web) struct AddressPermit {
    limit: Arc<AddressLimit>,
    address: Option<IpAddr>,
}

impl AddressLimit {
    /// Allows `most` viewers of each address.
    pub fn new(most: Option<usize>) -> Self {
        let limit = Self { most: AtomicUsize::new(0), counts: DashMap::new() };
        limit.set_most(most);
        limit
    }

    /// Changes the limit. Connected viewers stay.
    pub fn set_most(&self, most: Option<usize>) {
        self.most.store(most.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    #[cfg(any(test, loom))]
    pub(in crate::web) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Counts one more viewer of the address.
    ///
    /// # Errors
    /// Returns the limit, if there is one.
    pub(in crate::web) fn acquire(self: &Arc<Self>, address: Option<IpAddr>) -> Result<AddressPermit, usize> {
        let address = limit_key(address);
        let most = self.most.load(Ordering::Relaxed);
        let mut taken = self.counts.entry(address).or_insert(0);
        if *taken >= most {
            return Err(most);
        }
        *taken += 1;
        Ok(AddressPermit { limit: self.clone(), address })
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        if let Some(mut taken) = self.limit.counts.get_mut(&self.address) {
            *taken -= 1;
        }
        self.limit.counts.remove_if(&self.address, |_, taken| *taken == 0);
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_viewers_and_none_is_kept() {
        let limit = Arc::new(AddressLimit::new(Some(2)));
        let (one, two) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
        let held = [limit.acquire(one).unwrap(), limit.acquire(one).unwrap(), limit.acquire(two).unwrap()];
        assert_eq!(limit.acquire(one).unwrap_err(), 2);
        limit.set_most(Some(3));
        drop(limit.acquire(one).unwrap());
        limit.set_most(Some(1));
        assert_eq!(limit.acquire(one).unwrap_err(), 1, "those who are there are counted");
        limit.set_most(None);
        drop(limit.acquire(one).unwrap());
        drop(held);
        assert!(limit.acquire(one).is_ok() && limit.is_empty());
        limit.set_most(Some(1));
        let subscriber =
            [1, 2].map(|end| Some(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, end).into()));
        let _first = limit.acquire(subscriber[0]).unwrap();
        assert!(limit.acquire(subscriber[1]).is_err(), "one subscriber has many addresses");
    }
}
