//! A camera that does to each connection what a test says.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// The rhythm of a camera that sends byte by byte.
const BETWEEN_BYTES: Duration = Duration::from_millis(20);

/// A camera; gone when dropped.
pub struct MaliciousCamera {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    listening: JoinHandle<()>,
}

/// One connection to it.
pub struct CameraConnection {
    io: TcpStream,
}

impl MaliciousCamera {
    /// Each connection does what `script` does, and is closed at its end or when the relay lets go.
    pub async fn start<F>(script: impl Fn(CameraConnection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self::start_at("127.0.0.1:0", script).await
    }

    /// Starts the camera at another address.
    pub async fn start_at<F>(
        address: &str,
        script: impl Fn(CameraConnection) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicU64::new(0));
        let counted = connections.clone();
        let listening = tokio::spawn(async move {
            // They end with the camera.
            let mut lines = JoinSet::new();
            while let Ok((io, _)) = listener.accept().await {
                counted.fetch_add(1, Relaxed);
                // An error is the relay's end of it.
                lines.spawn(script(CameraConnection { io }));
            }
        });
        Self { address, connections, listening }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }
}

impl Drop for MaliciousCamera {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl CameraConnection {
    /// Waits for a request's head.
    pub async fn request(&mut self) -> io::Result<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if self.io.read_buf(&mut request).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await
    }

    /// Sends these bytes again and again, for as long as the relay reads them.
    pub async fn send_endlessly(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.io.write_all(bytes).await?;
        }
    }

    /// Sends these bytes again and again, one byte at a time.
    pub async fn send_bytewise(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes.iter().cycle() {
            self.io.write_all(&[*byte]).await?;
            sleep(BETWEEN_BYTES).await;
        }
        Ok(())
    }

    /// Says nothing until the relay lets go.
    pub async fn stall(&mut self) -> io::Result<()> {
        self.io.read(&mut [0; 64]).await.map(drop)
    }
}
