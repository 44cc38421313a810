//! What a connection has yet to send, and the sending of it.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::cold::{ColdRead, STEP_BYTES};
use super::response::{FileSlice, Piece, Response};
use super::stream::Stream;
use super::warm;

/// Pieces that go out in one system call.
const SLICES_MAX: usize = 64;
/// Pieces of files that are read at once for a connection: one is sent while the next is on its way.
const READS_MAX: usize = 2;
/// How far ahead in the queue the next of them is looked for.
const LOOK_AHEAD: usize = 12;

/// A step of file work on a thread that may block.
type FileWork = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// A piece on its way out.
enum Item {
    Bytes(Bytes),
    File(FileSlice),
    /// The front of what was a slice of a file.
    Reading(ColdRead),
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Item::Bytes(bytes) => bytes.len(),
            Item::File(slice) => slice.len,
            Item::Reading(read) => read.len(),
        }
    }
}

impl From<Piece> for Item {
    fn from(piece: Piece) -> Item {
        match piece {
            Piece::Bytes(bytes) => Item::Bytes(bytes),
            Piece::File(slice) => Item::File(slice),
        }
    }
}

/// Responses on their way out, in order. Takes no memory while empty.
#[derive(Default)]
pub struct Outbox {
    items: VecDeque<Item>,
    bytes: usize,
    /// All that was ever added, in bytes.
    added: u64,
    /// The front slice is being brought into the page cache.
    work: Option<FileWork>,
    /// Bytes at the front of the front slice that are known to be in the page cache.
    warm_bytes: usize,
}

impl Outbox {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// How many bytes were ever added.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// How many of them were sent.
    pub fn sent(&self) -> u64 {
        self.added - self.bytes as u64
    }

    /// Whether everything was sent.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a response.
    pub fn push(&mut self, response: Response) {
        let len = response.len();
        self.bytes += len;
        self.added += len as u64;
        self.items.extend(response.pieces.into_iter().filter(|piece| !piece.is_empty()).map(Item::from));
    }

    /// Sends as much as the stream takes. Ready when all is sent.
    pub fn poll_send(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let sent = match self.items.front_mut() {
                None => return Poll::Ready(self.rest()),
                Some(Item::Bytes(_)) => ready!(self.poll_send_bytes(stream, cx))?,
                Some(Item::Reading(read)) => {
                    let bytes = ready!(read.poll(cx))?;
                    self.items[0] = Item::Bytes(bytes);
                    // The disk works while this is sent.
                    self.read_cold();
                    0
                }
                Some(Item::File(slice)) => {
                    let slice = slice.clone();
                    ready!(self.poll_send_file(&slice, stream, cx))?
                }
            };
            self.advance(sent);
        }
    }

    /// Gives the memory of the queue back, so that an idle connection holds none.
    fn rest(&mut self) -> io::Result<()> {
        if self.items.capacity() > 0 {
            self.items = VecDeque::new();
        }
        Ok(())
    }

    fn poll_send_bytes(&self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, item) in slices.iter_mut().zip(&self.items) {
            let Item::Bytes(bytes) = item else { break };
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        let sent = ready!(stream.poll_write(cx, &slices[..count]))?;
        Poll::Ready(if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(sent) })
    }

    /// Reads past the page cache what was written past it. The rest is sent from there, once it was brought there by a thread that
    /// may wait for the disk.
    fn poll_send_file(
        &mut self,
        slice: &FileSlice,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Some(work) = &mut self.work {
            let done = ready!(work.as_mut().poll(cx));
            self.work = None;
            done?;
            self.warm_bytes = slice.len.min(STEP_BYTES);
        }
        if self.warm_bytes == 0 {
            let len = slice.len.min(STEP_BYTES);
            if self.read_cold() {
                return Poll::Ready(Ok(0));
            }
            if !warm::is_resident(slice.file.as_ref(), slice.position, len) {
                self.work = Some(Box::pin(bring_in(slice.clone(), len)));
                return self.poll_send_file(slice, stream, cx);
            }
            slice.served.iter().for_each(|served| served.was_in_page_cache(len));
            self.warm_bytes = len;
        }
        let len = self.warm_bytes.min(slice.len);
        match ready!(stream.poll_send_file(cx, slice.file.as_ref(), slice.position, len)) {
            Some(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Some(sent) => Poll::Ready(sent),
            None => Poll::Ready(self.read_front(slice, len)),
        }
    }

    /// Puts bytes of the front slice in its place, for a stream or file between which the kernel does not copy. They are not sent
    /// yet: zero.
    fn read_front(&mut self, slice: &FileSlice, len: usize) -> io::Result<usize> {
        let mut bytes = vec![0; len];
        let unreadable =
            |error: &io::Error| slice.served.iter().for_each(|served| served.was_unreadable(error));
        let read = slice.file.read_at(&mut bytes, slice.position).inspect_err(unreadable)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(read);
        self.warm_bytes = 0;
        self.replace(0, read, Item::Bytes(bytes.into()));
        Ok(0)
    }

    /// Starts to read slices past the page cache, the front one and the next, as far as there is memory. False if not even the
    /// front one.
    fn read_cold(&mut self) -> bool {
        let reading = |item: &Item| matches!(item, Item::Reading(_));
        let mut under_way = self.items.iter().take(LOOK_AHEAD).filter(|item| reading(item)).count();
        while under_way < READS_MAX {
            let next = self.items.iter().take(LOOK_AHEAD).position(|item| matches!(item, Item::File(_)));
            let Some(place) = next else { break };
            let Some(Item::File(slice)) = self.items.get(place) else { break };
            let Some(read) = ColdRead::start(slice) else { break };
            self.replace(place, read.len(), Item::Reading(read));
            under_way += 1;
        }
        !matches!(self.items.front(), Some(Item::File(_)))
    }

    /// Puts something in the place of the first bytes of a slice.
    fn replace(&mut self, place: usize, len: usize, item: Item) {
        let Some(Item::File(slice)) = self.items.get_mut(place) else { return };
        slice.position += len as u64;
        slice.len -= len;
        if slice.len == 0 {
            self.items[place] = item;
        } else {
            self.items.insert(place, item);
        }
    }

    fn advance(&mut self, mut sent: usize) {
        self.bytes -= sent;
        while sent > 0 {
            let Some(front) = self.items.front_mut() else { return };
            let taken = sent.min(front.len());
            match front {
                Item::Bytes(bytes) => bytes.advance(taken),
                Item::File(slice) => {
                    slice.position += taken as u64;
                    slice.len -= taken;
                    self.warm_bytes = self.warm_bytes.saturating_sub(taken);
                }
                Item::Reading(_) => return,
            }
            if front.len() == 0 {
                self.items.pop_front();
                self.warm_bytes = 0;
            }
            sent -= taken;
        }
    }
}

/// Brings bytes into the page cache, and says so.
async fn bring_in(slice: FileSlice, len: usize) -> io::Result<()> {
    let (begun, served) = (Instant::now(), slice.served.clone());
    let brought = warm::bring_in(slice, len).await;
    brought.inspect_err(|error| served.iter().for_each(|served| served.was_unreadable(error)))?;
    served.iter().for_each(|served| served.was_on_disk(len, begun.elapsed()));
    Ok(())
}
