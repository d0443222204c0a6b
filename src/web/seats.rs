//! Counts the viewers of each address.

use std::{net::IpAddr, sync::Arc};

use dashmap::DashMap;

/// The viewers of each address; an address without viewers takes no room.
#[derive(Debug)]
pub struct Seats {
    most: Option<usize>,
    taken: DashMap<Option<IpAddr>, usize>,
}

/// While it lives, a viewer is counted.
#[derive(Debug)]
pub(super) struct AddressSeat {
    seats: Arc<Seats>,
    address: Option<IpAddr>,
}

impl Seats {
    /// At most so many for each.
    pub fn new(most: Option<usize>) -> Self {
        Self { most, taken: DashMap::new() }
    }

    pub(super) fn are_counted(&self) -> bool {
        self.most.is_some()
    }

    /// One viewer more.
    ///
    /// # Errors
    /// How many there may be, when there are.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<AddressSeat, usize> {
        let most = self.most.unwrap_or(usize::MAX);
        let mut taken = self.taken.entry(address).or_insert(0);
        if *taken >= most {
            return Err(most);
        }
        *taken += 1;
        Ok(AddressSeat { seats: self.clone(), address })
    }
}

impl Drop for AddressSeat {
    fn drop(&mut self) {
        if let Some(mut taken) = self.seats.taken.get_mut(&self.address) {
            *taken -= 1;
        }
        self.seats.taken.remove_if(&self.address, |_, taken| *taken == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_viewers_and_none_is_kept() {
        let seats = Arc::new(Seats::new(Some(2)));
        let (one, two) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
        let held = [seats.take(one).unwrap(), seats.take(one).unwrap(), seats.take(two).unwrap()];
        assert_eq!(seats.take(one).unwrap_err(), 2);
        drop(held);
        assert!(seats.take(one).is_ok() && seats.taken.is_empty());
    }
}
