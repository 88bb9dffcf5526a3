//! What happens in a run, all of it made from one number: the file, how it is uploaded, which faults strike where, and
//! whether the file is another one after a crash. The same number gives the same plan, on every machine.

/// A generator whose numbers never change with a library's version (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `from` to below `to`.
    fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[(self.next() % all.len() as u64) as usize]
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.within(0, 100) < percent
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

/// Which requests a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// The body of any: it strikes at an exact byte.
    Body,
    Post,
    Patch,
    Head,
    Get,
    Options,
    Delete,
}

/// What strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// The connection ends, with a TCP RST or without.
    Cut { reset: bool },
    /// Nothing more goes through, and the connection stays open.
    Stall,
    /// A byte arrives as another one.
    Flip,
    /// An answer in the platform's place, after so many bytes of the request's body.
    Status { status: u16, retry_after: Option<u8>, after: u64 },
    /// The platform does what it was asked to, and this many bytes of its answer arrive.
    CutAnswer { after: u64 },
    /// The same, and the connection stays open.
    StallAnswer { after: u64 },
    /// The platform loses the upload.
    Gone,
    /// `kill -9` of the client: at this byte, or when the platform has done what it was asked to and before its answer.
    KillClient,
    /// `kill -9` of the platform in the same places, and its start after so many milliseconds.
    KillServer { down_ms: u64 },
}

/// A fault and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// It waits until the client has sent so many bytes of bodies.
    pub(crate) at: u64,
    pub(crate) on: On,
    pub(crate) what: What,
}

impl Fault {
    /// Its line in the report.
    pub(crate) fn name(&self) -> &'static str {
        match (self.what, self.on) {
            (What::Cut { reset: false }, _) => "connection closed in a body",
            (What::Cut { reset: true }, _) => "connection reset in a body",
            (What::Stall, _) => "stall in a body",
            (What::Flip, _) => "byte changed in a body",
            (What::Status { status: 409, .. }, _) => "409",
            (What::Status { status: 423, .. }, _) => "423",
            (What::Status { status: 429, .. }, _) => "429",
            (What::Status { status: 460, .. }, _) => "460",
            (What::Status { status: 503, .. }, _) => "503",
            (What::Status { .. }, _) => "500",
            (What::CutAnswer { .. }, _) => "answer cut",
            (What::StallAnswer { .. }, _) => "answer stalled",
            (What::Gone, _) => "upload lost by the platform (410)",
            (What::KillClient, On::Body) => "kill -9 of the client in a body",
            (What::KillClient, _) => "kill -9 of the client before an answer",
            (What::KillServer { .. }, On::Body) => "kill -9 of the platform in a body",
            (What::KillServer { .. }, _) => "kill -9 of the platform before an answer",
        }
    }
}

/// What became of the file between a crash and the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The same size, the same first and last 64 KiB, another middle.
    Middle,
    Truncated,
    Grown,
    /// Another file in its place, as an editor saves.
    Replaced,
    /// Its own bytes, with another time.
    Touched,
    /// Its own bytes, as another file.
    Copied,
}

impl Change {
    /// Whether it has other bytes from then on.
    pub(crate) fn is_another(self) -> bool {
        !matches!(self, Self::Touched | Self::Copied)
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Bytes of the file.
    pub(crate) size: u64,
    /// One multipart request in place of tus.
    pub(crate) is_multipart: bool,
    pub(crate) chunk: u64,
    pub(crate) streams: u64,
    pub(crate) checksums: bool,
    /// Failures in a row that the client survives.
    pub(crate) retries: u64,
    pub(crate) faults: Vec<Fault>,
    pub(crate) change: Option<Change>,
}

/// More than what a multipart request has before a file.
pub(crate) const FORM: u64 = 1024;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let is_multipart = random.chance(8);
        let size = match random.within(0, 100) {
            _ if is_multipart => random.within(1, 4 * MIB),
            0..10 => random.within(1, 200 * KIB),
            10..40 => random.within(200 * KIB, 8 * MIB),
            _ => random.within(8 * MIB, 40 * MIB),
        };
        let chunk = random.within(150 * KIB, 3 * MIB);
        let mut plan = Self {
            seed,
            size,
            is_multipart,
            chunk,
            streams: random.one_of(&[1, 2, 4, 4, 8, 16]),
            checksums: random.chance(70),
            retries: random.one_of(&[2, 8, 8]),
            faults: Vec::new(),
            change: None,
        };
        if !is_multipart && size > 400 * KIB && random.chance(25) {
            let at = random.within(size / 10, size / 10 * 8);
            plan.faults.push(Fault { at, on: On::Body, what: What::KillClient });
            plan.change = Some(random.one_of(&[
                Change::Middle,
                Change::Middle,
                Change::Truncated,
                Change::Grown,
                Change::Replaced,
                Change::Touched,
                Change::Copied,
            ]));
        }
        if is_multipart && size > 4 * FORM && random.chance(15) {
            // Alone: an answer that is lost as well would leave bytes that nobody can tell are wrong.
            let refusal = What::Status { status: 503, retry_after: None, after: 0 };
            plan.faults.push(Fault { at: size / 2, on: On::Body, what: What::Flip });
            plan.faults.push(Fault { at: size, on: On::Post, what: refusal });
            return plan;
        }
        for _ in 0..random.within(2, 6) {
            plan.fault(random);
        }
        plan.faults.sort_by_key(|fault| fault.at);
        plan
    }

    fn fault(&mut self, random: &mut Random) {
        let at = random.within(0, self.size);
        let after = random.within(0, 600);
        let down_ms = random.within(0, 400);
        let kind = random.within(0, 100);
        let (on, what) = match kind {
            0..12 => (On::Body, What::Cut { reset: random.chance(50) }),
            12..20 => (On::Body, What::Stall),
            20..26 if !self.is_multipart => (On::Body, What::Flip),
            26..36 => (On::Body, What::KillServer { down_ms }),
            // What is killed before its end begins with other bytes in the change's place.
            36..46 if self.change.is_none() => (On::Body, What::KillClient),
            46..52 => (self.request(random), What::CutAnswer { after }),
            52..56 => (random.one_of(&[On::Patch, On::Head]), What::StallAnswer { after }),
            56..61 if !self.is_multipart => {
                (random.one_of(&[On::Post, On::Patch, On::Head]), What::KillServer { down_ms })
            }
            61..66 if !self.is_multipart && self.change.is_none() => {
                (random.one_of(&[On::Post, On::Patch, On::Head]), What::KillClient)
            }
            66..70 if !self.is_multipart => (random.one_of(&[On::Patch, On::Head]), What::Gone),
            _ => self.status(random),
        };
        // The join is the last POST; what waits for one waits for it half of the time.
        let at = if on == On::Post && random.chance(50) { self.size - 1 } else { at };
        if on == On::Head {
            // Nobody asks for the offset unless something broke.
            self.faults.push(Fault { at, on: On::Body, what: What::Cut { reset: false } });
        }
        self.faults.push(Fault { at, on, what });
    }

    fn request(&self, random: &mut Random) -> On {
        match self.is_multipart {
            true => On::Post,
            false => random.one_of(&[On::Post, On::Patch, On::Patch, On::Head, On::Get]),
        }
    }

    fn status(&self, random: &mut Random) -> (On, What) {
        let on = match random.within(0, 10) {
            _ if self.is_multipart => On::Post,
            0..5 => On::Patch,
            5..7 => On::Head,
            7..9 => On::Post,
            _ => random.one_of(&[On::Get, On::Options]),
        };
        let status = random.one_of(match on {
            On::Patch if self.checksums => &[409, 423, 429, 460, 500, 503],
            On::Patch => &[409, 423, 429, 500, 503],
            On::Head => &[423, 429, 500, 503],
            _ => &[429, 500, 503],
        });
        let asks = matches!(status, 423 | 429 | 503) && random.chance(50);
        let after = random.within(0, self.chunk.max(2));
        (on, What::Status { status, retry_after: asks.then_some(1), after })
    }

    /// How many requests may run side by side: no more than there are parts, of at least 8 MiB each.
    pub(crate) fn side_by_side(&self) -> u64 {
        self.streams.min(self.size.div_ceil(8 * MIB)).max(1)
    }

    /// The bytes that this fault may cost, sent again.
    pub(crate) fn costs(&self, fault: &Fault) -> u64 {
        match fault.what {
            // Sent once more when the platform has not yet noticed that the one before it broke, and answers that the
            // key is in use.
            _ if self.is_multipart => 2 * (self.size + FORM),
            What::KillClient | What::KillServer { .. } => self.chunk * self.side_by_side(),
            // Only the whole file's checksum tells of it then, at the end.
            What::Flip if !self.checksums => self.size,
            What::Gone => {
                self.chunk
                    + self.size.min(8 * MIB).max(if self.side_by_side() > 1 {
                        0
                    } else {
                        self.size
                    })
            }
            _ => self.chunk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_run_again() {
        for seed in 0..200 {
            let plan = Plan::of(seed);
            assert_eq!(plan, Plan::of(seed));
            assert!(plan.faults.len() >= 2, "several faults a run");
            assert!(plan.faults.is_sorted_by_key(|fault| fault.at));
        }
    }

    /// Written into the source: a report's seed is of use only while it means the same run.
    #[test]
    fn seeds_keep_their_meaning() {
        assert_eq!(Random::new(1).next(), 0x910A_2DEC_8902_5CC1);
    }

    #[test]
    fn every_kind_of_fault_comes_up() {
        let mut names: Vec<_> =
            (0..300).flat_map(|seed| Plan::of(seed).faults).map(|fault| fault.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 17, "{names:?}");
    }
}
