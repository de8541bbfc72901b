//! Times for people, in the local zone.

use jiff::Timestamp as Instant;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use loquat_proto::Timestamp;

/// Now, and where: what turns a timestamp into words. The caller owns both, so that tests do.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Milliseconds since the Unix epoch.
    pub now: Timestamp,
    zone: TimeZone,
}

impl Clock {
    /// The system's zone (UTC where it cannot be told), at this moment.
    #[must_use]
    pub fn system(now: Timestamp) -> Self {
        Self { now, zone: TimeZone::system() }
    }

    /// A fixed zone, whole hours east of UTC; UTC where out of range.
    #[must_use]
    pub fn fixed(now: Timestamp, hours_east: i8) -> Self {
        let zone = jiff::tz::Offset::from_hours(hours_east).map_or(TimeZone::UTC, TimeZone::fixed);
        Self { now, zone }
    }

    /// The day on which a time falls here.
    #[must_use]
    pub fn day(&self, ts: Timestamp) -> Date {
        self.zoned(ts).date()
    }

    /// The time of day: `14:05`.
    #[must_use]
    pub fn time_of_day(&self, ts: Timestamp) -> String {
        self.zoned(ts).strftime("%H:%M").to_string()
    }

    /// What stands on a divider between days: `Today`, `Yesterday`, `Monday 17 November`, `17 November 2024`.
    #[must_use]
    pub fn day_label(&self, day: Date) -> String {
        let today = self.day(self.now);
        match self.days_ago(day) {
            0 => "Today".to_owned(),
            1 => "Yesterday".to_owned(),
            _ if day.year() == today.year() => day.strftime("%A %-d %B").to_string(),
            _ => day.strftime("%-d %B %Y").to_string(),
        }
    }

    /// As short as fits a list: `14:05` today, `Yesterday`, `Mon` within a week, `17 Nov`, `17.11.24`.
    #[must_use]
    pub fn short(&self, ts: Timestamp) -> String {
        let day = self.day(ts);
        match self.days_ago(day) {
            0 => self.time_of_day(ts),
            1 => "Yesterday".to_owned(),
            2..=6 => day.strftime("%a").to_string(),
            _ if day.year() == self.day(self.now).year() => day.strftime("%-d %b").to_string(),
            _ => day.strftime("%d.%m.%y").to_string(),
        }
    }

    /// When somebody was last there: `just now`, `5 minutes ago`, `today at 09:12`, `Mon at 09:12`, `on 17 Nov`.
    #[must_use]
    pub fn last_seen(&self, ts: Timestamp) -> String {
        let minutes = self.now.saturating_sub(ts).max(0) / 60_000;
        let day = self.day(ts);
        match (minutes, self.days_ago(day)) {
            (0, _) => "just now".to_owned(),
            (1, _) => "1 minute ago".to_owned(),
            (2..=59, _) => format!("{minutes} minutes ago"),
            (_, 0) => format!("today at {}", self.time_of_day(ts)),
            (_, 1) => format!("yesterday at {}", self.time_of_day(ts)),
            (_, 2..=6) => format!("{} at {}", day.strftime("%a"), self.time_of_day(ts)),
            _ => format!("on {}", day.strftime("%-d %b %Y")),
        }
    }

    fn days_ago(&self, day: Date) -> i32 {
        day.until(self.day(self.now)).map_or(i32::MAX, |span| span.get_days())
    }

    fn zoned(&self, ts: Timestamp) -> jiff::Zoned {
        let instant =
            Instant::from_millisecond(ts).unwrap_or(if ts < 0 { Instant::MIN } else { Instant::MAX });
        instant.to_zoned(self.zone.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Timestamp = 3_600_000;
    const DAY: Timestamp = 24 * HOUR;
    /// Saturday 22 November 2025, 12:00 UTC.
    const NOON: Timestamp = 1_763_812_800_000;

    #[test]
    fn days_are_those_of_the_zone() {
        let late = NOON + 11 * HOUR;
        assert_eq!(Clock::fixed(NOON, 0).day(late).day(), 22);
        assert_eq!(Clock::fixed(NOON, 2).day(late).day(), 23);
        assert_eq!(Clock::fixed(NOON, 2).time_of_day(late), "01:00");
    }

    #[test]
    fn labels_get_coarser_with_distance() {
        let clock = Clock::fixed(NOON, 0);
        for (ago, divider, short) in [
            (0, "Today", "12:00"),
            (DAY, "Yesterday", "Yesterday"),
            (3 * DAY, "Wednesday 19 November", "Wed"),
            (30 * DAY, "Thursday 23 October", "23 Oct"),
            (400 * DAY, "18 October 2024", "18.10.24"),
        ] {
            assert_eq!(clock.day_label(clock.day(NOON - ago)), divider);
            assert_eq!(clock.short(NOON - ago), short);
        }
    }

    #[test]
    fn last_seen_reads_like_speech() {
        let clock = Clock::fixed(NOON, 0);
        for (ago, words) in [
            (-HOUR, "just now"),
            (30_000, "just now"),
            (60_000, "1 minute ago"),
            (5 * 60_000, "5 minutes ago"),
            (3 * HOUR, "today at 09:00"),
            (DAY, "yesterday at 12:00"),
            (2 * DAY, "Thu at 12:00"),
            (60 * DAY, "on 23 Sep 2025"),
        ] {
            assert_eq!(clock.last_seen(NOON - ago), words);
        }
    }

    #[test]
    fn times_out_of_range_do_not_panic() {
        let clock = Clock::fixed(NOON, 0);
        for ts in [i64::MIN, -1, 0, i64::MAX] {
            let _ = (clock.short(ts), clock.last_seen(ts), clock.day_label(clock.day(ts)));
        }
    }
}
