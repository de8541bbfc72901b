//! Reading messages from standard input: bounded, and naming the line that is wrong.

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Why the input is no message.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error("the input cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is not UTF-8.
    #[error("line {line} of the input is not UTF-8")]
    NotText {
        /// Counted from 1.
        line: u64,
    },
    /// It is longer than a message may be.
    #[error("line {line} of the input is longer than the {limit} bytes that a message may have")]
    LineTooLong {
        /// Counted from 1.
        line: u64,
        /// The limit in force.
        limit: usize,
    },
    /// All of it is longer than a message may be.
    #[error(
        "the text is longer than the {limit} bytes that a message may have; --lines sends its lines one by one"
    )]
    TooLong {
        /// The limit in force.
        limit: usize,
    },
    /// There is nothing in it.
    #[error("there is nothing to send")]
    Empty,
}

/// Messages from an input, line by line.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    input: R,
    limit: usize,
    partial: Vec<u8>,
    line: u64,
}

impl<R: AsyncBufRead + Unpin> LineReader<R> {
    pub(crate) fn new(input: R, limit: usize) -> Self {
        Self { input, limit, partial: Vec::new(), line: 0 }
    }

    /// The next line that is not empty, without its line break; `None` at the end. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, InputError> {
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() {
                let rest = std::mem::take(&mut self.partial);
                return if rest.is_empty() { Ok(None) } else { self.finish(rest) };
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(available.len());
            // Two more for a line break of two bytes that is not there yet.
            if self.partial.len() + taken > self.limit + 2 {
                return Err(InputError::LineTooLong { line: self.line + 1, limit: self.limit });
            }
            self.partial.extend_from_slice(&available[..taken]);
            self.input.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                let line = std::mem::take(&mut self.partial);
                if let Some(text) = self.finish(line)? {
                    return Ok(Some(text));
                }
            }
        }
    }

    /// The number of the line that was read last, from 1.
    pub(crate) const fn line(&self) -> u64 {
        self.line
    }

    fn finish(&mut self, mut bytes: Vec<u8>) -> Result<Option<String>, InputError> {
        self.line += 1;
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        if bytes.len() > self.limit {
            return Err(InputError::LineTooLong { line: self.line, limit: self.limit });
        }
        let text = String::from_utf8(bytes).map_err(|_| InputError::NotText { line: self.line })?;
        Ok((!text.trim().is_empty()).then_some(text))
    }
}

/// The whole input as one message, without the line breaks at its end.
pub(crate) async fn read_whole<R: AsyncBufRead + Unpin>(
    mut input: R,
    limit: usize,
) -> Result<String, InputError> {
    let mut bytes = Vec::new();
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            break;
        }
        // A few more, for line breaks at the end that do not count.
        if bytes.len() + available.len() > limit.saturating_add(16) {
            return Err(InputError::TooLong { limit });
        }
        bytes.extend_from_slice(available);
        let taken = available.len();
        input.consume(taken);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let breaks = before.iter().filter(|byte| **byte == b'\n').count();
        InputError::NotText { line: u64::try_from(breaks).unwrap_or(u64::MAX).saturating_add(1) }
    })?;
    let text = text.trim_end_matches(['\r', '\n']);
    match text.len() {
        _ if text.trim().is_empty() => Err(InputError::Empty),
        length if length > limit => Err(InputError::TooLong { limit }),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8], limit: usize) -> Result<Vec<String>, InputError> {
        // A buffer of three bytes: lines come in pieces.
        let mut reader = LineReader::new(tokio::io::BufReader::with_capacity(3, input), limit);
        let mut lines = Vec::new();
        while let Some(line) = reader.next().await? {
            lines.push(line);
        }
        Ok(lines)
    }

    #[tokio::test]
    async fn lines_are_messages_and_empty_ones_are_left_out() {
        let input = "one\n\n  two \r\n\t\n日本語\nlast".as_bytes();
        assert_eq!(lines(input, 100).await.unwrap(), ["one", "  two ", "日本語", "last"]);
        assert!(lines(b"", 100).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_wrong_line_is_named() {
        let error = lines(b"fits\r\ntoo long\n", 4).await.unwrap_err();
        assert!(matches!(error, InputError::LineTooLong { line: 2, limit: 4 }), "{error}");
        let error = lines(b"fine\n\n\xff\n", 100).await.unwrap_err();
        assert!(matches!(error, InputError::NotText { line: 3 }), "{error}");
    }

    #[tokio::test]
    async fn the_whole_is_one_message_or_an_error() {
        let read =
            |input: &'static [u8], limit| read_whole(tokio::io::BufReader::with_capacity(3, input), limit);
        assert_eq!(read(b"a\nb\n\n", 3).await.unwrap(), "a\nb");
        assert!(matches!(read(b" \n", 3).await.unwrap_err(), InputError::Empty));
        assert!(matches!(read(b"abcd", 3).await.unwrap_err(), InputError::TooLong { limit: 3 }));
        assert!(matches!(read(b"a\n\xff", 3).await.unwrap_err(), InputError::NotText { line: 2 }));
        assert!(matches!(read(&[b'x'; 500], 3).await.unwrap_err(), InputError::TooLong { limit: 3 }));
    }
}
