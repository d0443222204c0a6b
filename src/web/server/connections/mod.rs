//! Connections of the whole process: their limit, and which one is closed when the limit is reached.
//!
//! Descriptors are shared: sources, files, programs and recordings need them too, and a source that gets none
//! cannot reconnect. So the number of connection permits leaves the others their [`reserve`], and each
//! connection takes a permit when it is accepted. If none is free, the connection that has been idle for
//! longest is closed for the new one. A connection is idle without a request: kept alive between two
//! requests, before its first complete head (also one that arrives byte by byte), during a TLS handshake, or
//! over HTTP/2 without open streams. Connections of viewers, of publishers and with requests in progress are
//! never closed; if there are no others, the new connection is refused. Both cases are counted.
//!
//! A request costs three short locks of one table. Frames cost nothing: a viewer's connection is busy from
//! its request on.
//!
//! Not here: how many viewers there may be (`stream::ViewerLimit`), and how much memory answers may hold
//! (`limits`).

mod admission;
mod active_request;
mod max_connections;
mod table;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

pub(in crate::web) use active_request::track;
use actix_web::{HttpMessage, HttpRequest};
pub(in crate::web) use admission::{Accepted, AnswerProtocol, limited};
use futures_util::future::{AbortHandle, AbortRegistration, Abortable};
use table::{Id, Table};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tracing::debug;

use crate::{
    auth::limit_key,
    config::Config,
    limits::memory_limit,
    observability::process::max_open_files,
    web::middleware::viewers_per_address::{AddressLimit, AddressPermit},
};
use max_connections::MAX_UNDECIDED;

/// Time within which a connection that is closed for a new one is gone, unless its thread is stuck; then the
/// new one is refused.
const EVICTION_TIMEOUT: Duration = Duration::from_secs(5);

/// All connections, with their permits.
#[derive(Debug)]
pub struct Connections {
    /// Maximum number of permits ever: the server was started for as many.
    max_at_start: usize,
    permits: Arc<Semaphore>,
    /// Number of permits, and how many of them are removed when they are returned.
    max: Mutex<PermitTarget>,
    table: Mutex<Table<ConnectionCloser>>,
    /// New connections that wait for a permit. Changed under the table's lock.
    waiting: AtomicUsize,
    became_idle: Notify,
    /// Connections of each address, except those of trusted proxies.
    addresses: Arc<AddressLimit>,
    closed_idle: AtomicU64,
    refused: [AtomicU64; ConnectionRejection::ALL.len()],
}

#[derive(Debug)]
struct PermitTarget {
    permits: usize,
    owed: usize,
}

/// The reason for refusing a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum ConnectionRejection {
    /// All permits are held by connections with requests.
    Full,
    /// The address has as many as `limits.max_connections_per_address` allows.
    Address,
}

impl ConnectionRejection {
    pub(in crate::web) const ALL: [Self; 2] = [Self::Full, Self::Address];

    /// Returns the reason's label in the metrics.
    pub(in crate::web) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
        }
    }
}

/// Closes a connection, and records whether something is being written to it.
#[derive(Debug)]
struct ConnectionCloser {
    abort: AbortHandle,
    writing: Arc<WriteState>,
}

/// State of a connection that its own task sets without the table's lock.
#[derive(Debug, Default)]
struct WriteState {
    /// Bytes of an answer are written and not flushed.
    unsent: AtomicBool,
    /// The last request has ended; the connection is idle with the next flush.
    idle_when_flushed: AtomicBool,
}

impl Connections {
    /// Allows as many connections as the process's descriptors and memory leave space for besides what
    /// `config` needs.
    pub fn new(config: &Config) -> Self {
        Self::with_max(most(config), config.limits.max_connections_per_address)
    }

    /// Allows at most `most` connections, and `per_address` from one address.
    fn with_max(most: usize, per_address: Option<usize>) -> Self {
        Self {
            max_at_start: most,
            permits: Arc::new(Semaphore::new(most)),
            max: Mutex::new(PermitTarget { permits: most, owed: 0 }),
            table: Mutex::default(),
            waiting: AtomicUsize::new(0),
            became_idle: Notify::new(),
            addresses: Arc::new(AddressLimit::new(per_address)),
            closed_idle: AtomicU64::new(0),
            refused: [const { AtomicU64::new(0) }; ConnectionRejection::ALL.len()],
        }
    }

    /// Applies a new configuration. Open connections stay.
    pub fn set(&self, config: &Config) {
        self.addresses.set_most(config.limits.max_connections_per_address);
        self.set_max(most(config).min(self.max_at_start));
    }

    fn set_max(&self, most: usize) {
        let mut now = self.max.lock().unwrap_or_else(PoisonError::into_inner);
        // Existing permits, without those that are to be removed.
        let before = now.permits;
        now.permits = most;
        if most >= before {
            let forgiven = now.owed.min(most - before);
            now.owed -= forgiven;
            self.permits.add_permits(most - before - forgiven);
        } else {
            let less = before - most;
            now.owed += less - self.permits.forget_permits(less);
        }
    }

    /// Returns the maximum number of connections.
    pub(in crate::web) fn max(&self) -> usize {
        self.max.lock().unwrap_or_else(PoisonError::into_inner).permits
    }

    /// Returns the number of permits, including those that are to be removed.
    fn permit_count(&self) -> usize {
        let most = self.max.lock().unwrap_or_else(PoisonError::into_inner);
        most.permits + most.owed
    }

    /// Returns how many connections the server may accept, including those without a permit.
    pub(in crate::web) fn max_accepted(&self) -> usize {
        self.max_at_start.saturating_add(MAX_UNDECIDED.min(self.max_at_start))
    }

    /// Returns the number of open connections.
    pub(in crate::web) fn open(&self) -> usize {
        self.table().open()
    }

    /// Returns the number of idle connections.
    pub(in crate::web) fn idle(&self) -> usize {
        self.table().idle()
    }

    /// Returns how many idle connections were closed to make room.
    pub(in crate::web) fn closed_idle(&self) -> u64 {
        self.closed_idle.load(Ordering::Relaxed)
    }

    /// Returns how many connections were refused, by reason.
    pub(in crate::web) fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ConnectionRejection::ALL
            .map(|why| (why.as_str(), self.refused[why as usize].load(Ordering::Relaxed)))
            .into_iter()
    }

    fn table(&self) -> MutexGuard<'_, Table<ConnectionCloser>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a new connection from `peer` its permit, for which an idle one may be closed.
    ///
    /// # Errors
    /// [`ConnectionRejection`], which has been counted.
    async fn admit(
        self: &Arc<Self>,
        peer: Option<IpAddr>,
        is_proxy: bool,
    ) -> Result<Admitted, ConnectionRejection> {
        let admitted = self.try_admit(peer, is_proxy).await;
        if let Err(why) = &admitted {
            self.refused[*why as usize].fetch_add(1, Ordering::Relaxed);
            debug!(?peer, "a connection was refused: {}", why.as_str());
        }
        admitted
    }

    async fn try_admit(
        self: &Arc<Self>,
        peer: Option<IpAddr>,
        is_proxy: bool,
    ) -> Result<Admitted, ConnectionRejection> {
        // A proxy's connections carry many clients' requests, and over a Unix socket there are no addresses.
        let limited = peer.filter(|_| !is_proxy);
        let address_permit = limited
            .map(|address| self.addresses.acquire(Some(address)).map_err(|_| ConnectionRejection::Address));
        let address_permit = address_permit.transpose()?;
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(self.insert(peer, permit, address_permit));
        }
        let room = timeout(EVICTION_TIMEOUT, self.evict_idle(limit_key(peer))).await;
        Ok(self.insert(peer, room.unwrap_or(Err(ConnectionRejection::Full))?, address_permit))
    }

    /// Waits for a permit, for which the connection that has been idle for longest is closed.
    async fn evict_idle(&self, peer: Option<IpAddr>) -> Result<OwnedSemaphorePermit, ConnectionRejection> {
        let _waiting = WaitingConnection::begin(self);
        let mut permit = pin!(self.permits.clone().acquire_owned());
        loop {
            let changed = self.became_idle.notified();
            if !self.close_idle(peer) {
                return Err(ConnectionRejection::Full);
            }
            tokio::select! {
                biased;
                permit = &mut permit => return permit.map_err(|_| ConnectionRejection::Full),
                () = changed => {}
            }
        }
    }

    /// Closes an idle connection, unless as many permits are being released as are waited for. Returns false
    /// if there is nothing to wait for: all permits are held by connections with requests.
    fn close_idle(&self, peer: Option<IpAddr>) -> bool {
        let mut table = self.table();
        // Permits of no connection in the table: of those that are being closed, or just granted to a new
        // one.
        let on_their_way = self.permit_count().saturating_sub(table.open());
        if on_their_way >= self.waiting.load(Ordering::Relaxed) {
            return true;
        }
        let closer = table.remove_longest_idle(peer, |closer| closer.writing.is_writing());
        if let Some(closer) = &closer {
            self.closed_idle.fetch_add(1, Ordering::Relaxed);
            closer.abort.abort();
        }
        closer.is_some() || on_their_way > 0
    }

    /// Marks a connection as idle, unless it has a request, and wakes waiting connections.
    fn set_idle(&self, table: &mut Table<ConnectionCloser>, id: Id) {
        table.set_idle(id);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.became_idle.notify_waiters();
        }
    }

    fn insert(
        self: &Arc<Self>,
        peer: Option<IpAddr>,
        permit: OwnedSemaphorePermit,
        address_permit: Option<AddressPermit>,
    ) -> Admitted {
        let (abort, aborted) = AbortHandle::new_pair();
        let writing = Arc::<WriteState>::default();
        let closer = ConnectionCloser { abort, writing: writing.clone() };
        let mut table = self.table();
        let id = table.insert(limit_key(peer), closer);
        self.set_idle(&mut table, id);
        drop(table);
        let connection = Connection(Arc::new(Shared { connections: self.clone(), id, writing }));
        Admitted {
            aborted,
            slot: ConnectionSlot { connection, permit: Some(permit), _address_permit: address_permit },
        }
    }
}

fn most(config: &Config) -> usize {
    max_connections::max_connections(config, max_open_files(), memory_limit())
}

/// Returns how many connections to this process's listeners the descriptors leave space for.
pub fn connections_for(config: &Config) -> usize {
    max_connections::by_descriptors(config, max_open_files())
}

impl WriteState {
    /// Returns whether an answer is being sent. If so, its flush makes the connection idle again.
    fn is_writing(&self) -> bool {
        if !self.unsent.load(Ordering::SeqCst) {
            return false;
        }
        self.idle_when_flushed.store(true, Ordering::SeqCst);
        // A concurrent flush may not have seen that.
        let is_going_on = self.unsent.load(Ordering::SeqCst);
        if !is_going_on {
            self.idle_when_flushed.store(false, Ordering::SeqCst);
        }
        is_going_on
    }
}

/// A connection with its permit, not served yet.
struct Admitted {
    slot: ConnectionSlot,
    aborted: AbortRegistration,
}

impl Admitted {
    /// Serves the connection to its end, or until it is closed to make room. The service, and with it the
    /// socket, is dropped before the permit is returned.
    async fn serve<T>(self, serve: impl AsyncFnOnce(Connection) -> T) -> Option<T> {
        let served = Abortable::new(serve(self.slot.connection.clone()), self.aborted).await;
        drop(self.slot);
        served.ok()
    }
}

/// A new connection that waits for a permit.
struct WaitingConnection<'a>(&'a Connections);

impl<'a> WaitingConnection<'a> {
    fn begin(connections: &'a Connections) -> Self {
        let _table = connections.table();
        connections.waiting.fetch_add(1, Ordering::Relaxed);
        Self(connections)
    }
}

impl Drop for WaitingConnection<'_> {
    fn drop(&mut self) {
        let _table = self.0.table();
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The permit of an open connection.
#[derive(Debug)]
struct ConnectionSlot {
    connection: Connection,
    permit: Option<OwnedSemaphorePermit>,
    _address_permit: Option<AddressPermit>,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let Shared { connections, id, .. } = &*self.connection.0;
        connections.table().remove(*id);
        let mut most = connections.max.lock().unwrap_or_else(PoisonError::into_inner);
        if most.owed > 0
            && let Some(permit) = self.permit.take()
        {
            most.owed -= 1;
            permit.forget();
        }
    }
}

/// A handle to an open connection. Clones refer to the same one.
#[derive(Debug, Clone)]
pub(in crate::web) struct Connection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connections: Arc<Connections>,
    id: Id,
    writing: Arc<WriteState>,
}

impl Connection {
    /// Returns the connection of a request: HTTP/1 stores it with the connection, HTTP/2 with each request.
    pub(in crate::web) fn from_request(request: &HttpRequest) -> Option<Self> {
        let connection = request.conn_data::<Self>().cloned();
        connection.or_else(|| request.extensions().get::<Self>().cloned())
    }

    /// Marks the connection as busy with a request. Returns `None` if it is being closed: the request came
    /// too late.
    fn begin_request(&self) -> Option<ActiveRequest> {
        let begun = self.0.connections.table().begin_request(self.0.id);
        begun.then(|| ActiveRequest(self.clone()))
    }

    /// Marks the connection as idle while a request in progress waits for its client: it may be closed
    /// meanwhile.
    pub(in crate::web) fn wait_for_client(&self) -> WaitForClient {
        let mut table = self.0.connections.table();
        if table.end_request(self.0.id) {
            self.0.connections.set_idle(&mut table, self.0.id);
        }
        WaitForClient(self.clone())
    }

    /// Records that bytes of an answer have been written.
    pub(in crate::web) fn wrote(&self) {
        self.0.writing.unsent.store(true, Ordering::SeqCst);
    }

    /// Records that all bytes have been flushed.
    pub(in crate::web) fn flushed(&self) {
        let writing = &self.0.writing;
        writing.unsent.store(false, Ordering::SeqCst);
        if writing.idle_when_flushed.load(Ordering::SeqCst) {
            let mut table = self.0.connections.table();
            writing.idle_when_flushed.store(false, Ordering::SeqCst);
            self.0.connections.set_idle(&mut table, self.0.id);
        }
    }

    /// Returns whether the next flush is to be recorded although nothing was written.
    pub(in crate::web) fn awaits_flush(&self) -> bool {
        self.0.writing.idle_when_flushed.load(Ordering::Relaxed)
    }
}

/// A request, from its head to the end of its answer.
#[derive(Debug)]
struct ActiveRequest(Connection);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let Shared { connections, id, writing } = &*self.0.0;
        let mut table = connections.table();
        if table.end_request(*id) {
            writing.idle_when_flushed.store(true, Ordering::SeqCst);
        }
    }
}

/// Marks a request as waiting for its client for as long as this exists.
#[derive(Debug)]
pub(in crate::web) struct WaitForClient(Connection);

impl Drop for WaitForClient {
    fn drop(&mut self) {
        let Shared { connections, id, .. } = &*self.0.0;
        // False means that the connection is being closed, and the request with it.
        connections.table().begin_request(*id);
    }
}
