//! What can be said about an act without knowing the conversation.

use loquat_proto::event::SettingsBody;
use loquat_proto::{ConversationKind, Limits, Retention, Seq, UserId};

use super::Act;
use crate::retention::MAX_TTL_SECONDS;
use crate::{Refusal, text};

/// Users that one message may mention.
const MAX_MENTIONS: usize = 100;
/// Bytes of a reaction's emoji.
const MAX_EMOJI_BYTES: usize = 64;
/// Characters of a description.
const MAX_DESCRIPTION_CHARS: usize = 2048;
/// Bytes of an avatar.
const MAX_AVATAR_BYTES: usize = 512;
/// The longest slow mode: a day.
const MAX_SLOW_MODE_MS: u64 = 24 * 60 * 60 * 1000;

/// Checks an act and brings it into its canonical form.
pub(super) fn validate(act: &mut Act, limits: &Limits) -> Result<(), Refusal> {
    match act {
        Act::Send(body) => {
            if body.text.is_empty() && body.attachments.is_empty() {
                return Err(Refusal::invalid("text: a message needs a text"));
            }
            if !body.attachments.is_empty() {
                return Err(Refusal::invalid("attachments: this server takes no attachments"));
            }
            check_text(&body.text, &mut body.mentions, limits)?;
            body.reply_to.map_or(Ok(()), |seq| check_seq("reply_to", seq))
        }
        Act::Edit(body) => {
            if body.text.is_empty() {
                return Err(Refusal::invalid("text: a message needs a text; delete it instead"));
            }
            check_text(&body.text, &mut body.mentions, limits)?;
            check_seq("target", body.target)
        }
        Act::Delete { target } => check_seq("target", *target),
        Act::Pin(body) => check_seq("target", body.target),
        Act::React(body) => {
            let bad = |c: char| c.is_control() || c.is_whitespace();
            if body.emoji.is_empty() || body.emoji.len() > MAX_EMOJI_BYTES || body.emoji.contains(bad) {
                return Err(Refusal::invalid("emoji: 1 to 64 bytes without spaces or control characters"));
            }
            check_seq("target", body.target)
        }
        Act::AddMembers(users) => {
            users.sort_unstable();
            users.dedup();
            if users.is_empty() {
                return Err(Refusal::invalid("users: name at least one"));
            }
            Ok(())
        }
        Act::Join { .. } | Act::RemoveMember(_) | Act::ChangeRole { .. } => Ok(()),
        Act::Settings(settings) => check_settings(settings, limits),
    }
}

fn check_text(text: &str, mentions: &mut Vec<UserId>, limits: &Limits) -> Result<(), Refusal> {
    if text.len() > limits.text_bytes {
        return Err(Refusal::TooLarge { what: "text (bytes)", limit: limits.text_bytes });
    }
    if mentions.len() > MAX_MENTIONS {
        return Err(Refusal::TooLarge { what: "mentions (users)", limit: MAX_MENTIONS });
    }
    mentions.sort_unstable();
    mentions.dedup();
    Ok(())
}

fn check_seq(field: &str, seq: Seq) -> Result<(), Refusal> {
    // Above this, a seq does not fit the signed integers of the stores; no log gets there.
    if seq == 0 || i64::try_from(seq).is_err() {
        return Err(Refusal::invalid(format!("{field}: a seq is a positive integer")));
    }
    Ok(())
}

/// Checks settings, as they are given at creation or by a change.
pub(crate) fn check_settings(settings: &mut SettingsBody, limits: &Limits) -> Result<(), Refusal> {
    if let Some(title) = &mut settings.title {
        *title = text::line("title", title, limits.title_chars)?;
    }
    if let Some(description) = &mut settings.description {
        *description = text::prose("description", description, MAX_DESCRIPTION_CHARS)?;
    }
    if let Some(Some(avatar)) = &settings.avatar
        && (avatar.len() > MAX_AVATAR_BYTES || avatar.contains(char::is_control))
    {
        return Err(Refusal::invalid("avatar: at most 512 bytes without control characters"));
    }
    if let Some(retention) = settings.retention {
        check_retention(retention)?;
    }
    if settings.slow_mode_ms.is_some_and(|slow_mode| slow_mode > MAX_SLOW_MODE_MS) {
        return Err(Refusal::invalid("slow_mode_ms: at most a day"));
    }
    Ok(())
}

/// Checks a retention.
pub(crate) fn check_retention(retention: Retention) -> Result<(), Refusal> {
    match retention {
        Retention::Ttl { seconds } if !(1..=MAX_TTL_SECONDS).contains(&seconds) => {
            Err(Refusal::invalid("retention: `seconds` must be 1 to 315360000 (ten years)"))
        }
        Retention::Keep | Retention::Ttl { .. } | Retention::UntilDelivered => Ok(()),
    }
}

/// Checks a retention against the sort of conversation that it is for.
pub(crate) fn check_retention_of(kind: ConversationKind, retention: Retention) -> Result<(), Refusal> {
    match (kind, retention) {
        (ConversationKind::Channel, Retention::UntilDelivered) => {
            Err(Refusal::invalid("retention: a channel cannot erase once delivered"))
        }
        _ => check_retention(retention),
    }
}
