//! Limits the memory of all request bodies that are being received.
//!
//! A limit on each body is not enough when there are many: 60 pictures of 7.9 MB that never end held 469 MB.
//! So each body that is buffered has an [`Upload`]; [`RequestBody`](body::RequestBody) reads nothing without
//! one. It is charged with the capacity of its buffers, as they grow, never with its `Content-Length`.
//!
//! `limits.max_upload_bytes` is divided by [`UploadKind`], so that callers without a credential cannot use
//! the memory of callers with one. If the memory is used up, the largest upload of the same kind that has
//! made no progress for `GRACE` is ended in favour of the new one, so that slow uploads do not block others.
//! Of logins and of a stream's pushes, one of the address that has most of them may be ended, so that one
//! address does not block others. If there is none, the new one is refused.
//!
//! Not here: how long a body may take at all, which [`body`] limits.

pub(in crate::web) mod admission;
pub(in crate::web) mod body;
mod kind;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::http::StatusCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    problem::Problem,
    rejections::{Rejection, Rejections},
};
use crate::{
    config::Limits,
    limits::{ByteBudget, BytePermit},
};
use kind::{PUSH_SIXTEENTHS, UploadKind};

/// Charges are multiples of this, as those of [`ByteBudget`] are.
const UNIT: usize = 1024;

/// The uploads of the process.
#[derive(Debug)]
pub struct Uploads {
    budget: Arc<ByteBudget>,
    rejections: Arc<Rejections>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    running: HashMap<u64, Running>,
    /// Charged bytes by kind.
    charged: HashMap<UploadKind, usize>,
    streams: HashMap<(String, UploadKind), usize>,
    addresses: HashMap<(Option<IpAddr>, UploadKind), usize>,
}

/// An upload that is being received.
#[derive(Debug)]
struct Running {
    kind: UploadKind,
    /// The stream whose limit it counts against.
    stream: Option<String>,
    address: Option<Option<IpAddr>>,
    /// Time at which it began, or brought its last whole picture; none once it has come whole, and is only
    /// waited with.
    since: Option<Instant>,
    permit: Option<BytePermit>,
    ended: CancellationToken,
}

/// A body that is being received. It is counted, and its reserved bytes are charged, for as long as it
/// exists.
#[derive(Debug)]
pub(in crate::web) struct Upload {
    uploads: Arc<Uploads>,
    id: u64,
    kind: UploadKind,
    reserved: usize,
    ended: CancellationToken,
}

/// The reason for which an upload is refused or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::web) enum UploadError {
    #[error("limits.max_uploads_per_stream is reached: {0} uploads to this stream")]
    Stream(usize),
    #[error("limits.max_uploads_per_address is reached: {0} uploads of your address")]
    Address(usize),
    #[error("limits.max_upload_bytes is reached by all uploads together")]
    Full,
    #[error("this needs {needed} bytes, and limits.max_upload_bytes leaves {share} for one upload")]
    TooLarge { needed: usize, share: usize },
    #[error(
        "this upload was ended to free memory for others: it was slow, or its address had more than others"
    )]
    Ended,
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            _ => Self::unavailable(error.to_string()),
        }
    }
}

impl Uploads {
    /// Makes an empty list, within `budget`. Refused uploads are counted in `rejections`.
    pub fn new(budget: Arc<ByteBudget>, rejections: Arc<Rejections>) -> Self {
        Self { budget, rejections, state: Mutex::default() }
    }

    /// Counts an upload among those of its stream and of its address.
    pub(super) fn admit(
        self: &Arc<Self>,
        limits: &Limits,
        kind: UploadKind,
        stream: Option<&str>,
        address: Option<Option<IpAddr>>,
    ) -> Result<Upload, UploadError> {
        let mut state = self.state();
        if let Some(address) = address
            && let Some(most) = limits.max_uploads_per_address
            && state.addresses.get(&(address, kind)).is_some_and(|count| *count >= most)
        {
            return Err(self.count_rejection(UploadError::Address(most)));
        }
        let stream = stream.map(str::to_owned);
        if let Some(stream) = &stream {
            let most = limits.max_uploads_per_stream;
            let key = (stream.clone(), kind);
            while state.streams.get(&key).is_some_and(|count| *count >= most) {
                let in_stream = |running: &Running| running.stream.as_ref() == Some(stream);
                if !self.evict_largest(&mut state, kind, 0, in_stream)
                    && !self.evict_of_busiest_address(&mut state, kind, 0, address, in_stream)
                {
                    return Err(self.count_rejection(UploadError::Stream(most)));
                }
            }
            *state.streams.entry(key).or_default() += 1;
        }
        if let Some(address) = address {
            *state.addresses.entry((address, kind)).or_default() += 1;
        }
        state.last_id += 1;
        let (id, ended) = (state.last_id, CancellationToken::new());
        let running = Running {
            kind,
            stream,
            address,
            since: Some(Instant::now()),
            permit: None,
            ended: ended.clone(),
        };
        state.running.insert(id, running);
        Ok(Upload { uploads: self.clone(), id, kind, reserved: 0, ended })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges an upload with `bytes` in all.
    fn charge(&self, id: u64, kind: UploadKind, bytes: usize) -> Result<(), UploadError> {
        let share = self.budget.capacity() / 16 * kind.sixteenths();
        if bytes > share {
            self.budget.count_refused();
            return Err(self.count_rejection(UploadError::TooLarge { needed: bytes, share }));
        }
        let mut state = self.state();
        loop {
            let running = state.running.get(&id).ok_or(UploadError::Ended)?;
            let address = running.address;
            let more = bytes.saturating_sub(running.permit.as_ref().map_or(0, BytePermit::bytes));
            if state.fits(kind, more, self.budget.capacity()) && state.grow(&self.budget, id, bytes) {
                return Ok(());
            }
            let frees_room = |running: &Running| {
                running.permit.as_ref().is_some_and(|permit| permit.bytes() >= kind.min_evicted_bytes())
            };
            let is_ended = self.evict_largest(&mut state, kind, id, frees_room)
                || (kind == UploadKind::Login
                    && self.evict_of_busiest_address(&mut state, kind, id, address, frees_room));
            if !is_ended {
                self.budget.count_refused();
                return Err(self.count_rejection(UploadError::Full));
            }
        }
    }

    fn count_rejection(&self, why: UploadError) -> UploadError {
        self.rejections.count(Rejection::Uploads);
        why
    }

    /// Ends the oldest upload of the address that has most of those that compete for a place, if `address`
    /// still has fewer with one more, so that one address cannot take all places. Returns whether there was
    /// one.
    fn evict_of_busiest_address(
        &self,
        state: &mut State,
        kind: UploadKind,
        but: u64,
        address: Option<Option<IpAddr>>,
        competes: impl Fn(&Running) -> bool,
    ) -> bool {
        let mut of_addresses: HashMap<_, Vec<u64>> = HashMap::new();
        for (id, running) in &state.running {
            if *id != but && running.kind == kind && competes(running) {
                of_addresses.entry(running.address).or_default().push(*id);
            }
        }
        let own = of_addresses.get(&address).map_or(0, Vec::len);
        let most = of_addresses.into_iter().max_by_key(|(_, ids)| ids.len());
        let Some((_, ids)) = most.filter(|(other, ids)| *other != address && ids.len() > own + 1) else {
            return false;
        };
        self.rejections.count(Rejection::Uploads);
        ids.into_iter().min().into_iter().for_each(|id| state.remove(id));
        true
    }

    /// Ends the largest upload of a kind that brought nothing whole for its [`UploadKind::grace`]; answers
    /// whether there was one.
    fn evict_largest(
        &self,
        state: &mut State,
        kind: UploadKind,
        but: u64,
        which: impl Fn(&Running) -> bool,
    ) -> bool {
        let now = Instant::now();
        let slow = state.running.iter().filter(|(id, running)| {
            let slow = running.since.is_some_and(|since| now - since >= kind.grace());
            **id != but && running.kind == kind && slow && which(running)
        });
        let charged = |running: &Running| running.permit.as_ref().map_or(0, BytePermit::bytes);
        // Of those as large as each other the oldest.
        let largest = slow.max_by_key(|(id, running)| (charged(running), u64::MAX - **id));
        let Some(id) = largest.map(|(id, _)| *id) else { return false };
        self.rejections.count(Rejection::Uploads);
        state.remove(id);
        true
    }
}

impl State {
    fn charged(&self, kind: UploadKind) -> usize {
        self.charged.get(&kind).copied().unwrap_or_default()
    }

    /// Returns whether the share of a kind has room for `more` bytes.
    fn fits(&self, kind: UploadKind, more: usize, capacity: usize) -> bool {
        let share = |sixteenths: usize| capacity / 16 * sixteenths;
        let own = self.charged(kind) + more <= share(kind.sixteenths());
        let pushes = self.charged(UploadKind::Anonymous) + self.charged(UploadKind::Known) + more;
        own && (!matches!(kind, UploadKind::Anonymous | UploadKind::Known)
            || pushes <= share(PUSH_SIXTEENTHS))
    }

    /// Takes what is missing to `bytes` from the budget, if it is free there: the limit may have become
    /// smaller.
    fn grow(&mut self, budget: &Arc<ByteBudget>, id: u64, bytes: usize) -> bool {
        let Some(running) = self.running.get_mut(&id) else { return false };
        let before = running.permit.as_ref().map_or(0, BytePermit::bytes);
        match &mut running.permit {
            Some(permit) if bytes > before => {
                if permit.try_grow(bytes - before).is_err() {
                    return false;
                }
            }
            Some(permit) => permit.shrink_to(bytes),
            None => match budget.try_acquire(bytes) {
                Ok(permit) => running.permit = Some(permit),
                Err(_) => return false,
            },
        }
        let charged = self.charged.entry(running.kind).or_default();
        *charged = (*charged + bytes).saturating_sub(before);
        true
    }

    fn remove(&mut self, id: u64) {
        let Some(running) = self.running.remove(&id) else { return };
        running.ended.cancel();
        if let (Some(permit), Some(charged)) = (&running.permit, self.charged.get_mut(&running.kind)) {
            *charged = charged.saturating_sub(permit.bytes());
        }
        if let Some(stream) = running.stream {
            release(&mut self.streams, (stream, running.kind));
        }
        if let Some(address) = running.address {
            release(&mut self.addresses, (address, running.kind));
        }
    }
}

/// Decrements a counter, and removes it at 0.
fn release<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

impl Upload {
    /// Reserves `bytes` in all, or more; those that are reserved stay.
    ///
    /// # Errors
    /// [`UploadError`]: the caller must drop what it has buffered.
    pub(in crate::web) fn reserve(&mut self, bytes: usize) -> Result<(), UploadError> {
        if bytes <= self.reserved {
            return Ok(());
        }
        self.set(bytes)
    }

    /// Reserves `bytes` in all, and gives back what is more.
    ///
    /// # Errors
    /// [`UploadError`]: the caller must drop what it has buffered.
    pub(in crate::web) fn set(&mut self, bytes: usize) -> Result<(), UploadError> {
        let bytes = bytes.next_multiple_of(UNIT);
        if bytes == self.reserved {
            return Ok(());
        }
        self.uploads.charge(self.id, self.kind, bytes)?;
        self.reserved = bytes;
        Ok(())
    }

    /// Notes that a whole picture has come: the upload is not slow.
    pub(in crate::web) fn progress(&self) {
        if let Some(running) = self.uploads.state().running.get_mut(&self.id) {
            running.since = Some(Instant::now());
        }
    }

    /// Notes that all of it has come: it is not ended for others any more, but charged until it is dropped.
    pub(in crate::web) fn complete(&self) {
        if let Some(running) = self.uploads.state().running.get_mut(&self.id) {
            running.since = None;
        }
    }

    /// Returns when the upload was ended to make room for another.
    pub(in crate::web) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.uploads.state().remove(self.id);
    }
}
