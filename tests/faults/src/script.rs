//! Which faults are still to strike, and the count of bytes that they wait for. The proxy asks it before it passes anything.

use crate::plan::{Fault, On, What};

/// The faults of one run, as they strike.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pending: Vec<Fault>,
    /// Bytes of bodies that the client sent.
    sent: u64,
    /// What struck, in order.
    struck: Vec<Fault>,
    /// The highest offset of an upload that the client was told.
    told: u64,
}

impl Script {
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        Self { pending: faults, ..Self::default() }
    }

    /// How many of the next `count` bytes of a body pass, and what strikes after them.
    pub(crate) fn body(&mut self, count: u64) -> (u64, Option<Fault>) {
        let due = self.pending.iter().position(|f| f.on == On::Body && f.at < self.sent + count);
        let Some(due) = due else {
            self.sent += count;
            return (count, None);
        };
        let fault = self.pending.remove(due);
        let passes = fault.at.saturating_sub(self.sent);
        self.sent += passes;
        (passes, Some(fault))
    }

    /// Bytes that the client sent and nobody passed on.
    pub(crate) fn swallowed(&mut self, count: u64) {
        self.sent += count;
    }

    /// What strikes a request that begins now.
    pub(crate) fn request(&mut self, on: On) -> Option<Fault> {
        let due = self.pending.iter().position(|f| f.on == on && f.at <= self.sent)?;
        Some(self.pending.remove(due))
    }

    /// Notes that a fault did what it was to do.
    pub(crate) fn struck(&mut self, fault: Fault) {
        self.struck.push(fault);
    }

    /// Notes an offset that the client is told.
    pub(crate) fn told(&mut self, offset: u64) {
        self.told = self.told.max(offset);
    }

    /// Nothing strikes from here on.
    pub(crate) fn lift(&mut self) {
        self.pending.clear();
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn highest_told(&self) -> u64 {
        self.told
    }

    pub(crate) fn all_struck(&self) -> &[Fault] {
        &self.struck
    }
}

/// Whether it strikes when the platform has done what it was asked to.
pub(crate) fn is_at_the_answer(fault: &Fault) -> bool {
    match fault.what {
        What::CutAnswer { .. } | What::StallAnswer { .. } => true,
        What::KillClient | What::KillServer { .. } => fault.on != On::Body,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_at_its_byte_and_once() {
        let fault = Fault { at: 150, on: On::Body, what: What::Stall };
        let mut script = Script::new(vec![fault]);
        assert_eq!(script.body(100), (100, None));
        assert_eq!(script.body(100), (50, Some(fault)));
        assert_eq!(script.body(100), (100, None));
        assert_eq!(script.sent(), 250);
    }

    #[test]
    fn a_fault_of_a_request_waits_for_its_method_and_its_byte() {
        let fault = Fault { at: 10, on: On::Head, what: What::Gone };
        let mut script = Script::new(vec![fault]);
        assert_eq!(script.request(On::Head), None);
        script.swallowed(10);
        assert_eq!((script.request(On::Patch), script.request(On::Head)), (None, Some(fault)));
        assert_eq!(script.request(On::Head), None);
    }
}
