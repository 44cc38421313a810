//! What a connection has yet to send, and the sending of it.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

use super::response::{FileSlice, Piece, Response};
use super::stream::Stream;
use super::warm;

/// Pieces that go out in one system call.
const SLICES_MAX: usize = 64;
/// How much of a file is sent, and looked up in the page cache, at once.
const FILE_STEP_BYTES: usize = 1024 * 1024;

/// A step of file work on a thread that may block.
type FileWork = Pin<Box<dyn Future<Output = io::Result<Option<Bytes>>> + Send>>;

/// Responses on their way out, in order. Takes no memory while empty.
#[derive(Default)]
pub struct Outbox {
    pieces: VecDeque<Piece>,
    bytes: usize,
    work: Option<FileWork>,
    /// Bytes at the front of the file slice at hand that are known to be in the page cache.
    warm_bytes: usize,
}

impl Outbox {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether everything was sent.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Adds a response.
    pub fn push(&mut self, response: Response) {
        self.bytes += response.len();
        self.pieces.extend(response.pieces.into_iter().filter(|piece| !piece.is_empty()));
    }

    /// Sends as much as the stream takes. Ready when all is sent.
    pub fn poll_send(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let sent = match self.pieces.front() {
                None => return Poll::Ready(self.rest()),
                Some(Piece::Bytes(_)) => ready!(self.poll_send_bytes(stream, cx))?,
                Some(Piece::File(slice)) => {
                    let slice = slice.clone();
                    ready!(self.poll_send_file(&slice, stream, cx))?
                }
            };
            self.advance(sent);
        }
    }

    /// Gives the memory of the queue back, so that an idle connection holds none.
    fn rest(&mut self) -> io::Result<()> {
        if self.pieces.capacity() > 0 {
            self.pieces = VecDeque::new();
        }
        Ok(())
    }

    fn poll_send_bytes(&self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let Piece::Bytes(bytes) = piece else { break };
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        let sent = ready!(stream.poll_write(cx, &slices[..count]))?;
        Poll::Ready(if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(sent) })
    }

    /// Sends from the page cache; what is not there is first brought there by a thread that may wait for the disk.
    fn poll_send_file(
        &mut self,
        slice: &FileSlice,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.work.is_some()
            && let Some(bytes) = ready!(self.poll_work(cx))?
        {
            return Poll::Ready(Ok(self.replace_front(slice, bytes)));
        }
        let len = slice.len.min(FILE_STEP_BYTES);
        if self.warm_bytes == 0 {
            if !warm::is_resident(slice.file.as_ref(), slice.position, len) {
                self.work = Some(Box::pin(warm::bring_in(slice.clone(), len)));
                return self.poll_send_file(slice, stream, cx);
            }
            self.warm_bytes = len;
        }
        let len = self.warm_bytes.min(slice.len);
        match ready!(stream.poll_send_file(cx, slice.file.as_ref(), slice.position, len)) {
            Some(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Some(sent) => Poll::Ready(sent),
            None => {
                self.work = Some(Box::pin(warm::read(slice.clone(), len)));
                self.poll_send_file(slice, stream, cx)
            }
        }
    }

    /// Ready with bytes that were read, or with none if they are in the page cache now.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let Some(work) = &mut self.work else { return Poll::Ready(Ok(None)) };
        let done = ready!(work.as_mut().poll(cx));
        self.work = None;
        if let Ok(None) = done {
            self.warm_bytes = FILE_STEP_BYTES;
        }
        Poll::Ready(done)
    }

    /// Puts bytes that were read from the front slice in its place. They are not sent yet: zero.
    fn replace_front(&mut self, slice: &FileSlice, bytes: Bytes) -> usize {
        self.pieces.pop_front();
        self.warm_bytes = 0;
        let read = bytes.len();
        if read < slice.len {
            let (position, len) = (slice.position + read as u64, slice.len - read);
            self.pieces.push_front(Piece::File(FileSlice { file: slice.file.clone(), position, len }));
        }
        self.pieces.push_front(Piece::Bytes(bytes));
        0
    }

    fn advance(&mut self, mut sent: usize) {
        self.bytes -= sent;
        while sent > 0 {
            let Some(front) = self.pieces.front_mut() else { return };
            let taken = sent.min(front.len());
            match front {
                Piece::Bytes(bytes) => bytes.advance(taken),
                Piece::File(slice) => {
                    slice.position += taken as u64;
                    slice.len -= taken;
                    self.warm_bytes = self.warm_bytes.saturating_sub(taken);
                }
            }
            if front.is_empty() {
                self.pieces.pop_front();
                self.warm_bytes = 0;
            }
            sent -= taken;
        }
    }
}
