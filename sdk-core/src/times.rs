//! Times and days as platforms write them: in RFC 3339, and as databases and languages do beside it. `jiff` reads more forms than
//! those; its reader, and the words of its errors with what prints them, are 140 KB of the mobile library, and none of the words
//! reaches a user.

use std::{fmt, marker::PhantomData};

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::Offset,
};
use serde::{Deserialize, Deserializer, de::Visitor};

/// What is written as a text.
pub(crate) trait Written: Sized {
    /// Reads all of it; nothing where it is none.
    fn of(text: &str) -> Option<Self>;
}

impl Written for Date {
    fn of(text: &str) -> Option<Self> {
        let mut left = Left(text.as_bytes());
        let date = left.date()?;
        // Of a time its day counts, as it is written.
        if left.one(b"Tt ").is_some() {
            left.time()?;
            if !left.0.is_empty() {
                left.offset()?;
            }
        }
        left.0.is_empty().then_some(date)
    }
}

impl Written for Timestamp {
    fn of(text: &str) -> Option<Self> {
        let mut left = Left(text.as_bytes());
        let date = left.date()?;
        left.one(b"Tt ")?;
        let time = left.time()?;
        let offset = left.offset()?;
        left.0.is_empty().then(|| offset.to_timestamp(date.to_datetime(time)).ok()).flatten()
    }
}

/// Reads a day, for bindings that get one as text.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
    Date::of(text)
}

/// What of a text is not read yet.
struct Left<'t>(&'t [u8]);

impl Left<'_> {
    /// One of these bytes.
    fn one(&mut self, of: &[u8]) -> Option<u8> {
        let (first, left) = self.0.split_first()?;
        self.0 = of.contains(first).then_some(left)?;
        Some(*first)
    }

    /// So many digits.
    fn number(&mut self, digits: usize) -> Option<i16> {
        let (number, left) = self.0.split_at_checked(digits)?;
        self.0 = number.iter().all(u8::is_ascii_digit).then_some(left)?;
        Some(number.iter().fold(0, |number, digit| number * 10 + i16::from(digit - b'0')))
    }

    /// Three numbers with a sign between them, the first of so many digits and the others of two.
    fn three(&mut self, digits: usize, sign: &[u8]) -> Option<[i16; 3]> {
        let first = self.number(digits)?;
        self.one(sign)?;
        let second = self.number(2)?;
        self.one(sign)?;
        Some([first, second, self.number(2)?])
    }

    fn date(&mut self) -> Option<Date> {
        let [year, month, day] = self.three(4, b"-")?;
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    }

    fn time(&mut self) -> Option<Time> {
        let [hour, minute, second] = self.three(2, b":")?;
        // A leap second, which no clock of today's tells apart, is the one before it.
        let second = if second == 60 { 59 } else { second };
        let nanosecond = if self.one(b".,").is_some() { self.nanosecond()? } else { 0 };
        let [hour, minute, second] = [hour, minute, second].map(|n| i8::try_from(n).ok());
        Time::new(hour?, minute?, second?, nanosecond).ok()
    }

    /// The digits behind a second's point; those below a nanosecond are let go.
    fn nanosecond(&mut self) -> Option<i32> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (fraction, left) = self.0.split_at(digits);
        self.0 = left;
        let padded = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
        (digits > 0).then(|| padded.fold(0, |number, digit| number * 10 + i32::from(digit - b'0')))
    }

    /// How far it is ahead of UTC.
    fn offset(&mut self) -> Option<Offset> {
        let sign = match self.one(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(Offset::UTC),
        };
        let hours = self.number(2)?;
        // PostgreSQL leaves minutes out that are none, Python's `%z` the colon.
        let is_colon = self.one(b":").is_some();
        let minutes = if self.0.is_empty() && !is_colon { 0 } else { self.number(2)? };
        let is_offset = hours < 24 && minutes < 60;
        let seconds = sign * (i32::from(hours) * 60 + i32::from(minutes)) * 60;
        is_offset.then(|| Offset::from_seconds(seconds).ok()).flatten()
    }
}

/// Reads a field that is a time or a day.
pub(crate) fn read<'de, T: Written, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Read<T>>::deserialize(deserializer)?.map(|Read(value)| value))
}

struct Read<T>(T);

impl<'de, T: Written> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(PhantomData))
    }
}

struct Text<T>(PhantomData<T>);

impl<T: Written> Visitor<'_> for Text<T> {
    type Value = Read<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time or a day as text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::of(text).map(Read).ok_or_else(|| E::custom("it is no time or day"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn both(text: &str) -> (Option<Timestamp>, Option<Timestamp>) {
        (Timestamp::of(text), text.parse().ok())
    }

    #[test]
    fn what_rfc_3339_has_is_read() {
        for text in [
            "2026-01-31T23:59:59Z",
            "2026-01-31t23:59:59.5z",
            "2026-01-31 23:59:59.123456789+02:00",
            "2024-02-29T00:00:00-23:59",
            "2016-12-31T23:59:60Z",
            "0000-01-01T00:00:00,25Z",
            "1969-12-31T23:59:59.999Z",
            "2026-01-31 23:59:59+00",
            "9999-12-30T23:59:59+02:00",
        ] {
            let (ours, theirs) = both(text);
            assert!(ours.is_some(), "{text}");
            assert_eq!(ours, theirs, "{text}");
        }
        let longer = Timestamp::of("2026-01-31T23:59:59.1234567891Z");
        assert_eq!(longer, "2026-01-31T23:59:59.123456789Z".parse().ok());
        for text in ["2026-01-31", "2026-01-31T00:00:00", "2026-01-31T23:00:00.5+02:00"] {
            assert!(Date::of(text).is_some(), "{text}");
            assert_eq!(Date::of(text), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026",
            "2026-01-31",
            "2026-01-31T23:59:59",
            "2026-01-31T23:59:59.Z",
            "2026-02-30T00:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T23:60:00Z",
            "2026-01-31T23:59:61Z",
            "2026-01-31T23:59:59+24:00",
            "2026-01-31T23:59:59+02:",
            "2026-01-31T23:59:59ZZ",
            "+026-01-31T23:59:59Z",
            "２026-01-31T23:59:59Z",
        ] {
            assert_eq!(Timestamp::of(text), None, "{text}");
        }
        for text in ["", "2026-1-31", "2026-13-01", "2026-01-32", "2026-01-31Z", "2026-01-31T"] {
            assert_eq!(Date::of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_are_what_jiff_reads(
            seconds in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(),
            nanos in 0..1_000_000_000_i32,
            minutes in -1439..1440_i32,
        ) {
            let Ok(offset) = Offset::from_seconds(minutes * 60) else { return Ok(()) };
            let Ok(time) = Timestamp::new(seconds, nanos) else { return Ok(()) };
            for text in [time.to_string(), time.display_with_offset(offset).to_string()] {
                // Before Christ, a year has a sign.
                if text.starts_with('-') { continue; }
                let (ours, theirs) = both(&text);
                prop_assert_eq!(ours, theirs, "{}", text);
            }
        }

        #[test]
        fn no_text_breaks_it(text in "[0-9TZtz:+.,-]{0,40}") {
            let _ = (Timestamp::of(&text), Date::of(&text));
        }

        #[test]
        fn what_it_takes_of_an_altered_time_jiff_reads_as_the_same(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), "[0-9TZtz:+., -]"), 1..3),
        ) {
            let mut text = "2026-01-31T23:59:59.123456+02:30".to_owned();
            for (place, byte) in &changes {
                let place = place.index(text.len());
                text.replace_range(place..=place, byte);
            }
            let (ours, theirs) = both(&text);
            prop_assert!(ours.is_none() || ours == theirs, "{text}: {ours:?} and {theirs:?}");
        }
    }
}
