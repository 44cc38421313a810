//! A member whose caller comes and goes (pure): what is done for it meanwhile, and when the caller has been away for too long.

use tokio::time::Instant;

use super::exchange::{Answer, Ask};
use super::member::{Meanwhile, Member, View};
use crate::consumer::GroupOptions;
use crate::error::ClientError;

/// A member, and what its caller has not heard yet.
#[derive(Debug)]
pub(super) struct Attended {
    pub(super) member: Box<dyn Member>,
    /// Since when the caller is busy with what it was given; none while it asks for more.
    busy_since: Option<Instant>,
    /// What went wrong meanwhile.
    failed: Option<ClientError>,
}

impl Attended {
    /// With a caller that is yet to come: nothing is done for it before.
    pub(super) fn new(member: Box<dyn Member>) -> Attended {
        Attended { member, busy_since: None, failed: None }
    }

    /// The caller asks for more.
    pub(super) fn comes(&mut self) {
        self.busy_since = None;
    }

    /// The caller has what it gets now.
    pub(super) fn goes(&mut self, now: Instant) {
        self.busy_since = Some(now);
    }

    /// What went wrong since this was asked last.
    pub(super) fn failure(&mut self) -> Option<ClientError> {
        self.failed.take()
    }

    /// Keeps an error until the caller asks for it. Until then the member does not go on.
    pub(super) fn fail(&mut self, error: ClientError) {
        self.failed.get_or_insert(error);
    }

    /// What is to be done now, whoever is there.
    pub(super) fn meanwhile(&mut self, view: &View<'_>, now: Instant) -> Meanwhile {
        let out = self.busy_since.and_then(|since| since.checked_add(view.options.poll_interval_max));
        let out = out.filter(|_| self.member.is_awaited());
        if out.is_some_and(|out| out <= now) {
            return Meanwhile::Leave(self.leave(view.options));
        }
        let next =
            if self.failed.is_some() { Ok(Meanwhile::Rest(None)) } else { self.member.meanwhile(view, now) };
        match next {
            Ok(Meanwhile::Rest(until)) => Meanwhile::Rest(until.into_iter().chain(out).min()),
            Ok(next) => next,
            Err(error) => {
                self.fail(error);
                Meanwhile::Rest(out)
            }
        }
    }

    fn leave(&mut self, options: &GroupOptions) -> Option<Ask> {
        let farewell = self.member.farewell(options);
        self.member.drop_out();
        farewell
    }

    /// What came of a question; it may be asked again at a time.
    pub(super) fn hear(
        &mut self,
        answer: Result<Answer, ClientError>,
        options: &GroupOptions,
        now: Instant,
        again: Instant,
    ) {
        let heard = match answer {
            Ok(answer) => self.member.answered(answer, options, now),
            Err(error) => self.member.failed(error, again),
        };
        if let Err(error) = heard {
            self.fail(error);
        }
    }
}

#[cfg(test)]
mod tests;
