//! How long a thread with many calls looks for the next answer before it sleeps. To sleep and to be woken takes as long as a
//! good part of a call, and where answers come one upon another the next is there by then.

/// With fewer calls it sleeps at once: a lone call's answer is not looked for.
const MANY: usize = 8;

/// How often it looks in vain before it sleeps. A look takes less than a microsecond, or as long as other threads have work.
const LOOKS: u32 = 16;

/// Where that was in vain time after time it looks at one occasion of two to this power at least.
const RAREST: u32 = 7;

/// What a thread knows of how soon answers come.
#[derive(Default)]
pub(crate) struct Eager {
    /// How often it still looks.
    left: u32,
    /// How many calls there were at the last look.
    seen: usize,
    /// How often it looked and slept all the same, one time after another.
    in_vain: u32,
    /// At how many occasions it does not look.
    passes: u32,
}

impl Eager {
    /// Calls came: there are so many now.
    pub(crate) fn came(&mut self, calls: usize) {
        if self.left > 0 {
            self.in_vain = 0;
        }
        self.seen = calls;
        if calls < MANY {
            return;
        }
        match self.passes.checked_sub(1) {
            Some(passes) => self.passes = passes,
            None => self.left = LOOKS,
        }
    }

    /// Whether it is to look once more. There are so many calls: fewer than before, where some have ended.
    pub(crate) fn looks_again(&mut self, calls: usize) -> bool {
        if self.left == 0 {
            return false;
        }
        if calls != self.seen {
            (self.seen, self.left, self.in_vain) = (calls, LOOKS, 0);
            return true;
        }
        self.left -= 1;
        if self.left == 0 {
            self.in_vain = (self.in_vain + 1).min(RAREST);
            self.passes = (1 << self.in_vain) - 1;
        }
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it looks in vain after calls came.
    fn looks(eager: &mut Eager, calls: usize) -> u32 {
        eager.came(calls);
        (0..).take_while(|_| eager.looks_again(calls)).count() as u32
    }

    #[test]
    fn few_calls_are_not_looked_for() {
        let mut eager = Eager::default();
        assert_eq!(looks(&mut eager, MANY - 1), 0);
        assert!(!eager.looks_again(0));
        assert!(looks(&mut eager, MANY) > 0);
    }

    #[test]
    fn looking_ends_and_becomes_rare_where_it_is_in_vain() {
        let mut eager = Eager::default();
        let occasions: Vec<_> = (0..600).map(|_| looks(&mut eager, 64) > 0).collect();
        let looked = |of: &[bool]| of.iter().filter(|looked| **looked).count();
        assert_eq!(occasions[..8], [true, false, true, false, false, false, true, false]);
        assert_eq!(looked(&occasions[300..]), 2);
        assert!(looks(&mut eager, 64) <= LOOKS);
    }

    #[test]
    fn it_goes_on_where_something_comes_meanwhile() {
        let mut eager = Eager::default();
        for calls in (8..600).rev() {
            eager.came(calls);
            assert!((0..LOOKS / 2).all(|_| eager.looks_again(calls)), "calls came");
        }
        eager.came(600);
        for calls in (0..600).rev() {
            assert!((0..LOOKS / 2).all(|_| eager.looks_again(calls)), "a call ended");
        }
        assert!((0..LOOKS).any(|_| !eager.looks_again(0)));
    }
}
