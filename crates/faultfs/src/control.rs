//! The faults to inject, from a text file that may change while the process runs.
//!
//! One `key=value` a line; an empty or absent file injects nothing. A change of the text starts the counts
//! anew. Replace the file by rename, so that no half of it is read.
//!
//! | key | meaning |
//! | --- | --- |
//! | `sync_error`, `write_error` | `EIO` or `ENOSPC`: what fails |
//! | `sync_skip`, `write_skip` | how many succeed first (0) |
//! | `sync_count`, `write_count` | how many fail then; 0 (unless told) means all |
//! | `sync_lies` | `1`: syncs succeed and make nothing durable |
//! | `sync_delay_ms` | how long each sync takes, in milliseconds |
//!
//! Each injected fault is noted as a line in the file of the same name with `.fired` appended.

use std::fmt;

/// A key or value of the control file that means nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadControl(String);

impl fmt::Display for BadControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the control file does not understand {:?}", self.0)
    }
}

/// What fails, when, and how often.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Rule {
    /// The error number; nothing fails without one.
    errno: Option<i32>,
    skip: u64,
    /// 0 means every one from then on.
    count: u64,
    seen: u64,
}

impl Rule {
    /// Counts one operation; the error it meets, if it meets one.
    fn strike(&mut self) -> Option<i32> {
        let errno = self.errno?;
        let index = self.seen;
        self.seen += 1;
        let due = index >= self.skip && (self.count == 0 || index - self.skip < self.count);
        due.then_some(errno)
    }
}

/// The rules in force and the text they were read from.
#[derive(Debug, Default)]
pub(crate) struct Control {
    text: String,
    sync: Rule,
    write: Rule,
    sync_lies: bool,
    sync_delay_ms: u64,
}

impl Control {
    /// Takes the present text of the control file; the same text again changes nothing.
    pub(crate) fn refresh(&mut self, text: &str) -> Result<(), BadControl> {
        if text != self.text {
            *self = Self::parse(text)?;
        }
        Ok(())
    }

    fn parse(text: &str) -> Result<Self, BadControl> {
        let mut control = Self { text: text.to_owned(), ..Self::default() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            control.set(line).ok_or_else(|| BadControl(line.to_owned()))?;
        }
        Ok(control)
    }

    fn set(&mut self, line: &str) -> Option<()> {
        let (key, value) = line.split_once('=')?;
        match key {
            "sync_error" => self.sync.errno = Some(parse_error(value)?),
            "write_error" => self.write.errno = Some(parse_error(value)?),
            "sync_skip" => self.sync.skip = value.parse().ok()?,
            "write_skip" => self.write.skip = value.parse().ok()?,
            "sync_count" => self.sync.count = value.parse().ok()?,
            "write_count" => self.write.count = value.parse().ok()?,
            "sync_lies" => self.sync_lies = value == "1",
            "sync_delay_ms" => self.sync_delay_ms = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }

    /// Counts one sync; the error it is to fail with.
    pub(crate) fn strike_sync(&mut self) -> Option<i32> {
        self.sync.strike()
    }

    /// Counts one write; the error it is to fail with.
    pub(crate) fn strike_write(&mut self) -> Option<i32> {
        self.write.strike()
    }

    /// Whether syncs only pretend.
    pub(crate) fn sync_lies(&self) -> bool {
        self.sync_lies
    }

    /// How long a sync takes, in milliseconds.
    pub(crate) fn sync_delay_ms(&self) -> u64 {
        self.sync_delay_ms
    }
}

fn parse_error(name: &str) -> Option<i32> {
    match name {
        "EIO" => Some(libc::EIO),
        "ENOSPC" => Some(libc::ENOSPC),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{BadControl, Control};

    fn strikes(text: &str, operations: usize) -> Vec<Option<i32>> {
        let mut control = Control::default();
        control.refresh(text).expect("the text is right");
        (0..operations).map(|_| control.strike_sync()).collect()
    }

    #[test]
    fn rules_strike_when_due() {
        let eio = Some(libc::EIO);
        assert_eq!(strikes("", 2), [None, None]);
        assert_eq!(strikes("sync_error=EIO", 2), [eio, eio]);
        assert_eq!(strikes("sync_error=EIO\nsync_skip=1", 3), [None, eio, eio]);
        assert_eq!(strikes("sync_error=EIO\nsync_skip=1\nsync_count=1\n", 3), [None, eio, None]);
        assert_eq!(strikes("write_error=ENOSPC", 2), [None, None]);
    }

    #[test]
    fn counts_go_on_until_the_text_changes() {
        let mut control = Control::default();
        let text = "write_error=ENOSPC\nwrite_count=1";
        control.refresh(text).expect("right");
        assert_eq!(control.strike_write(), Some(libc::ENOSPC));
        control.refresh(text).expect("right");
        assert_eq!(control.strike_write(), None, "the same text does not start the count anew");
        control.refresh("write_error=ENOSPC").expect("right");
        assert_eq!(control.strike_write(), Some(libc::ENOSPC));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["sync", "sync_error=EPERM", "sync_skip=x", "nothing=1"] {
            let refused = Control::default().refresh(line);
            assert_eq!(refused, Err(BadControl(line.to_owned())));
        }
    }
}
