//! The byte streams under connections: TCP, or whatever a simulation puts in its place.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use bytes::buf::BufMut;
use host::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A stream that is not TCP.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// What a connection reads from and writes to.
pub enum Stream {
    /// The real thing, without a virtual call on its way.
    Tcp(TcpStream),
    /// A simulated one.
    Simulated(Box<dyn Duplex>),
}

impl Stream {
    /// Reads into memory that is there already.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        match self {
            Stream::Tcp(tcp) => ready!(Pin::new(tcp).poll_read(cx, &mut buf))?,
            Stream::Simulated(duplex) => ready!(Pin::new(duplex).poll_read(cx, &mut buf))?,
        }
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Reads up to `limit` bytes into the room that the buffer has left, which must not be none.
    pub(super) fn poll_read_frame(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let mut room = buf.limit(limit);
        // The future keeps nothing between polls, so that a new one may be made each time.
        match self {
            Stream::Tcp(tcp) => pin!(tcp.read_buf(&mut room)).poll(cx),
            Stream::Simulated(duplex) => pin!(duplex.read_buf(&mut room)).poll(cx),
        }
    }

    /// Writes the front of these slices.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Stream::Simulated(duplex) => Pin::new(duplex).poll_write_vectored(cx, slices),
        }
    }

    /// Sends bytes of a file without taking them through our memory. None if this stream, or this file, cannot do that.
    /// Zero bytes mean that the file ends here.
    pub(super) fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &dyn File,
        position: u64,
        len: usize,
    ) -> Poll<Option<io::Result<usize>>> {
        let (Stream::Tcp(tcp), Some(fd)) = (self, file.as_fd()) else { return Poll::Ready(None) };
        loop {
            if let Err(error) = ready!(tcp.poll_write_ready(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            let mut offset = position;
            let sent = tcp
                .try_io(Interest::WRITABLE, || Ok(rustix::fs::sendfile(&*tcp, fd, Some(&mut offset), len)?));
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(Some(sent)),
            }
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Simulated(duplex) => Pin::new(duplex).poll_shutdown(cx),
        }
    }
}

/// Where streams come from.
pub enum Acceptor {
    /// A bound socket.
    Tcp(TcpListener),
    /// Streams made by a simulation, each with the address that it claims.
    Simulated {
        /// The address that is said to be bound.
        address: SocketAddr,
        /// New streams.
        streams: mpsc::Receiver<(Stream, SocketAddr)>,
    },
}

impl Acceptor {
    /// Waits for the next stream. None when there will be no more.
    pub(super) async fn accept(&mut self) -> Option<io::Result<(Stream, SocketAddr)>> {
        match self {
            Acceptor::Tcp(listener) => Some(listener.accept().await.map(|(tcp, peer)| {
                // Answers are written whole; waiting for more to send would only delay them.
                let _ = tcp.set_nodelay(true);
                // So that clients which are gone without a word are found out.
                let _ = rustix::net::sockopt::set_socket_keepalive(&tcp, true);
                (Stream::Tcp(tcp), peer)
            })),
            Acceptor::Simulated { streams, .. } => streams.recv().await.map(Ok),
        }
    }

    /// The address that is bound, with the port that port 0 became.
    pub fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Acceptor::Tcp(listener) => listener.local_addr(),
            Acceptor::Simulated { address, .. } => Ok(*address),
        }
    }
}
