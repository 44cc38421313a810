//! Who is called when a log's high watermark moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

type Callback = Arc<dyn Fn() + Send + Sync>;

/// Callbacks of one log.
#[derive(Default)]
pub(super) struct Watchers {
    count: AtomicUsize,
    // A box keeps logs without watchers small.
    list: Mutex<Option<Box<List>>>,
}

#[derive(Default)]
struct List {
    next_id: u64,
    callbacks: Vec<(u64, Callback)>,
}

impl Watchers {
    pub(super) fn add(&self, callback: Callback) -> u64 {
        let mut list = self.list.lock();
        let list = list.get_or_insert_default();
        list.next_id += 1;
        list.callbacks.push((list.next_id, callback));
        self.count.store(list.callbacks.len(), Ordering::SeqCst);
        list.next_id
    }

    pub(super) fn remove(&self, id: u64) {
        let mut guard = self.list.lock();
        let Some(list) = &mut *guard else { return };
        list.callbacks.retain(|(known, _)| *known != id);
        self.count.store(list.callbacks.len(), Ordering::SeqCst);
        if list.callbacks.is_empty() {
            // Ids go on, so that a handle that is dropped late removes no one else.
            list.callbacks = Vec::new();
        }
    }

    pub(super) fn call(&self) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let callbacks: Vec<Callback> = self
            .list
            .lock()
            .iter()
            .flat_map(|list| list.callbacks.iter().map(|(_, call)| call.clone()))
            .collect();
        callbacks.iter().for_each(|call| call());
    }
}

/// A callback is registered as long as this is there.
pub struct Watch {
    pub(super) log: Arc<super::Log>,
    pub(super) id: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.log.watchers.remove(self.id);
    }
}
