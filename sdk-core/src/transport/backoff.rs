//! How long to wait before the next attempt: full jitter under an exponential cap (AWS), never less than the platform asked.

use std::time::Duration;

/// The most that is waited when the platform asked for nothing (AWS, OpenAI: 8 s).
const CAP: Duration = Duration::from_secs(8);
/// The first step, and the first step after being throttled (AWS: 429 and 503 mean that the platform has too much to do).
const BASE: Duration = Duration::from_millis(100);
const BASE_THROTTLED: Duration = Duration::from_secs(1);

/// `random × min(8 s, base × 2ⁿ)` for the nth retry, n from 0 and `random` from 0 to 1; at least `asked`.
pub(crate) fn delay(retry: u32, throttled: bool, random: f64, asked: Option<Duration>) -> Duration {
    let base = if throttled { BASE_THROTTLED } else { BASE };
    let most = base.saturating_mul(2_u32.saturating_pow(retry)).min(CAP);
    most.mul_f64(random.clamp(0.0, 1.0)).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_eight_seconds() {
        let ms = |retry, throttled| delay(retry, throttled, 1.0, None).as_millis();
        assert_eq!(
            [ms(0, false), ms(1, false), ms(2, false), ms(30, false)],
            [100, 200, 400, 8_000]
        );
        assert_eq!([ms(0, true), ms(3, true), ms(u32::MAX, true)], [1_000, 8_000, 8_000]);
        assert_eq!(delay(3, false, 0.5, None).as_millis(), 400);
        assert_eq!(delay(3, false, 0.0, None), Duration::ZERO);
    }

    #[test]
    fn what_the_platform_asked_for_is_never_undercut() {
        let asked = Some(Duration::from_secs(20));
        assert_eq!(delay(0, true, 0.3, asked), Duration::from_secs(20));
    }
}
