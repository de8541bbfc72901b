//! The audit: every message answered once, delivered once to each reader, in order, unaltered, with
//! contiguous sequence numbers. A run whose audit fails has no figures.

use std::{collections::BTreeSet, ops::Range};

use memchr::memmem;

use crate::error::BenchError;

/// Checks what one reader of one conversation receives, strictly in `seq` order.
#[derive(Debug)]
pub(crate) struct ReaderAudit {
    next_seq: u64,
}

impl ReaderAudit {
    /// A reader that has everything up to `head`.
    pub(crate) fn new(head: u64) -> Self {
        Self { next_seq: head + 1 }
    }

    /// Takes the next event of the conversation.
    pub(crate) fn receive(&mut self, seq: u64) -> Result<(), BenchError> {
        if seq != self.next_seq {
            let fault =
                if seq < self.next_seq { "delivered twice or out of order" } else { "a message was skipped" };
            return Err(BenchError::Audit(format!("seq {seq} where {} was due: {fault}", self.next_seq)));
        }
        self.next_seq += 1;
        Ok(())
    }

    /// The furthest `seq` received.
    pub(crate) fn head(&self) -> u64 {
        self.next_seq - 1
    }
}

/// Checks what a writer sees of its own conversation: the answers to its sends and the events of others,
/// which together must cover every `seq` exactly once. Answers may overtake events and the reverse.
#[derive(Debug)]
pub(crate) struct WriterAudit {
    /// Everything up to here was seen.
    complete: u64,
    /// Seen beyond a gap.
    ahead: BTreeSet<u64>,
    last_answer: u64,
    last_event: u64,
}

impl WriterAudit {
    /// A writer that has everything up to `head`.
    pub(crate) fn new(head: u64) -> Self {
        Self { complete: head, ahead: BTreeSet::new(), last_answer: head, last_event: head }
    }

    /// Takes the answer to an own send; answers come in the order of the sends.
    pub(crate) fn answered(&mut self, seq: u64) -> Result<(), BenchError> {
        if seq <= self.last_answer {
            return Err(BenchError::Audit(format!("answered seq {seq} after {}", self.last_answer)));
        }
        self.last_answer = seq;
        self.see(seq)
    }

    /// Takes an event of another member; events come in the order of the log.
    pub(crate) fn received(&mut self, seq: u64) -> Result<(), BenchError> {
        if seq <= self.last_event {
            return Err(BenchError::Audit(format!("received seq {seq} after {}", self.last_event)));
        }
        self.last_event = seq;
        self.see(seq)
    }

    fn see(&mut self, seq: u64) -> Result<(), BenchError> {
        if seq <= self.complete || !self.ahead.insert(seq) {
            return Err(BenchError::Audit(format!("seq {seq} was seen twice by its writer")));
        }
        while self.ahead.remove(&(self.complete + 1)) {
            self.complete += 1;
        }
        Ok(())
    }

    /// Whether everything up to `head` and nothing beyond was seen.
    pub(crate) fn finish(&self, head: u64) -> Result<(), BenchError> {
        if self.complete == head && self.ahead.is_empty() {
            return Ok(());
        }
        Err(BenchError::Audit(format!("a writer saw all up to {} of {head}", self.complete)))
    }
}

/// Checks that the text of a message arrived as it was written.
pub(crate) fn check_text(seq: u64, expected: &[u8], received: Option<&[u8]>) -> Result<(), BenchError> {
    if received == Some(expected) {
        return Ok(());
    }
    let shown = received.map_or_else(|| "no text".into(), String::from_utf8_lossy);
    Err(BenchError::Audit(format!("seq {seq} arrived altered, doubled or in another's place: {shown}")))
}

/// Checks pages of messages whose texts begin with `CONVERSATION/SEQ`, as `loquat admin seed-messages` writes them.
#[derive(Debug)]
pub(crate) struct PageAudit<'a> {
    pub(crate) conversation: &'a str,
    /// Length of each text.
    pub(crate) text_bytes: usize,
}

impl PageAudit<'_> {
    /// Whether the page holds exactly these messages, each once, in order and whole.
    pub(crate) fn check(&self, page: &[u8], seqs: Range<u64>) -> Result<(), BenchError> {
        const KEY: &[u8] = b"\"text\":\"";
        let altered =
            |seq| BenchError::Audit(format!("seq {seq} of {} is not where it belongs", self.conversation));
        let mut texts = memmem::find_iter(page, KEY);
        for seq in seqs.clone() {
            let start = texts.next().ok_or_else(|| altered(seq))? + KEY.len();
            let text = &page[start..];
            let begins = text.starts_with(format!("{}/{seq} ", self.conversation).as_bytes());
            if !begins || memchr::memchr(b'"', text) != Some(self.text_bytes) {
                return Err(altered(seq));
            }
        }
        match texts.next() {
            None => Ok(()),
            Some(_) => {
                Err(BenchError::Audit(format!("a page holds more than {seqs:?} of {}", self.conversation)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_accept_only_the_next_seq() {
        for (seqs, fails) in
            [(&[5, 6, 7][..], false), (&[5, 7], true), (&[5, 5], true), (&[4], true), (&[5, 6, 5], true)]
        {
            let mut audit = ReaderAudit::new(4);
            let failed = seqs.iter().any(|seq| audit.receive(*seq).is_err());
            assert_eq!(failed, fails, "{seqs:?}");
        }
    }

    #[test]
    fn writers_need_each_seq_once_from_answer_or_event() {
        enum See {
            Answer(u64),
            Event(u64),
        }
        use See::{Answer, Event};
        let cases: [(&[See], bool); 7] = [
            (&[Answer(1), Event(2), Answer(3)], true),
            (&[Event(2), Answer(1), Answer(3)], true),
            (&[Answer(1), Answer(3)], false),
            (&[Answer(1), Event(1), Event(2), Answer(3)], false),
            (&[Answer(2), Answer(1), Event(3)], false),
            (&[Event(2), Event(1), Answer(3)], false),
            (&[Answer(1), Event(2), Answer(3), Answer(4)], false),
        ];
        for (index, (seen, passes)) in cases.iter().enumerate() {
            let mut audit = WriterAudit::new(0);
            let step = |see: &See| match see {
                Answer(seq) => audit.answered(*seq),
                Event(seq) => audit.received(*seq),
            };
            let outcome = seen.iter().try_for_each(step).and_then(|()| audit.finish(3));
            assert_eq!(outcome.is_ok(), *passes, "case {index}");
        }
    }

    #[test]
    fn pages_are_exactly_what_was_asked_for() {
        let audit = PageAudit { conversation: "71", text_bytes: 8 };
        let page = |texts: &[&str]| {
            let items: Vec<String> = texts.iter().map(|text| format!(r#"{{"text":"{text}"}}"#)).collect();
            format!("{{\"items\":[{}]}}", items.join(","))
        };
        for (texts, passes) in [
            (&["71/5 abc", "71/6 abc"][..], true),
            (&["71/5 abc"], false),
            (&["71/5 abc", "71/7 abc"], false),
            (&["71/5 abc", "71/6 ab"], false),
            (&["72/5 abc", "71/6 abc"], false),
            (&["71/5 abc", "71/6 abc", "71/7 abc"], false),
        ] {
            assert_eq!(audit.check(page(texts).as_bytes(), 5..7).is_ok(), passes, "{texts:?}");
        }
    }

    #[test]
    fn altered_texts_are_found() {
        assert!(check_text(1, b"abc", Some(b"abc")).is_ok());
        assert!(check_text(1, b"abc", Some(b"abd")).is_err());
        assert!(check_text(1, b"abc", None).is_err());
    }
}
