//! What is derived of a conversation's log, compared with the log and computed anew.
//!
//! Each [`Derivation`] counts its wrong rows by one statement and makes them right by others; `?1` is the
//! conversation. They go in order: later ones rest on earlier ones. Memberships are not derived (those of channels and
//! of deleted accounts do not stand in the log), nor are preferences, nor which message mentions whom at its time.

use loquat_domain::ports::Finding;
use loquat_proto::ConversationId;

use super::codec::Integer;
use super::context::WriteContext;
use super::driver::Connection;
use super::error::Outcome;

struct Derivation {
    name: &'static str,
    wrong: &'static str,
    /// Empty: it cannot be derived.
    repair: &'static [&'static str],
}

/// The reactions that stand: the newest of each (target, emoji, user), where it is on and the message is not erased.
macro_rules! standing_reactions {
    ($rest:literal) => {
        concat!(
            "WITH ranked AS (
                 SELECT target, json_extract(body, '$.emoji') AS emoji, sender, seq, ts,
                     CAST(json_extract(body, '$.on') AS INTEGER) AS is_on,
                     ROW_NUMBER() OVER (
                         PARTITION BY target, json_extract(body, '$.emoji'), sender ORDER BY seq DESC) AS place
                 FROM events WHERE conversation_id = ?1 AND kind = 4 AND json_valid(body)),
             standing AS (
                 SELECT n.* FROM ranked n JOIN events m ON m.conversation_id = ?1 AND m.seq = n.target
                 WHERE n.place = 1 AND n.is_on <> 0 AND m.body IS NOT NULL) ",
            $rest
        )
    };
}

/// The pins that stand, likewise.
macro_rules! standing_pins {
    ($rest:literal) => {
        concat!(
            "WITH ranked AS (
                 SELECT target, seq, CAST(json_extract(body, '$.on') AS INTEGER) AS is_on,
                     ROW_NUMBER() OVER (PARTITION BY target ORDER BY seq DESC) AS place
                 FROM events WHERE conversation_id = ?1 AND kind = 7 AND json_valid(body)),
             standing AS (
                 SELECT n.* FROM ranked n JOIN events m ON m.conversation_id = ?1 AND m.seq = n.target
                 WHERE n.place = 1 AND n.is_on <> 0 AND m.body IS NOT NULL) ",
            $rest
        )
    };
}

/// What a member's cursor says of the messages before and after it. `c` is the cursor.
macro_rules! number_at_read {
    () => {
        "COALESCE((SELECT e.number FROM events e WHERE e.conversation_id = ?1 AND e.seq = c.read), 0)"
    };
}
macro_rules! own_after_read {
    () => {
        "CASE WHEN c.user_id IN (SELECT sender FROM events WHERE conversation_id = ?1 AND kind = 1)
             THEN (SELECT COUNT(*) FROM events e
                 WHERE e.conversation_id = ?1 AND e.seq > c.read AND e.sender = c.user_id AND e.kind = 1)
             ELSE 0 END"
    };
}

static DERIVATIONS: [Derivation; 13] = [
    Derivation {
        name: "log_gaps",
        wrong: "SELECT COALESCE(MAX(seq), 0) - COUNT(*) FROM events WHERE conversation_id = ?1",
        repair: &[],
    },
    Derivation {
        name: "unreadable_bodies",
        wrong: "SELECT COUNT(*) FROM events
                WHERE conversation_id = ?1 AND body IS NOT NULL AND NOT json_valid(body)",
        repair: &[],
    },
    Derivation {
        name: "message_numbers",
        wrong: "SELECT COUNT(*) FROM (
                    SELECT number, SUM(CASE WHEN kind = 1 THEN 1 ELSE 0 END) OVER (ORDER BY seq) AS counted
                    FROM events WHERE conversation_id = ?1) AS numbered
                WHERE number <> counted",
        repair: &["UPDATE events SET number = numbered.counted
                   FROM (SELECT pos, SUM(CASE WHEN kind = 1 THEN 1 ELSE 0 END) OVER (ORDER BY seq) AS counted
                       FROM events WHERE conversation_id = ?1) AS numbered
                   WHERE events.pos = numbered.pos AND events.number <> numbered.counted"],
    },
    Derivation {
        name: "head",
        wrong: "SELECT COUNT(*) FROM conversations c LEFT JOIN heads h ON h.conversation_id = c.id
                WHERE c.id = ?1 AND (
                    h.head IS DISTINCT FROM COALESCE((SELECT MAX(seq) FROM events WHERE conversation_id = ?1), 0)
                    OR h.number IS DISTINCT FROM (SELECT COUNT(*) FROM events WHERE conversation_id = ?1 AND kind = 1)
                    OR h.last_message IS DISTINCT FROM COALESCE(
                        (SELECT MAX(seq) FROM events WHERE conversation_id = ?1 AND kind = 1), 0)
                    OR h.last_activity IS DISTINCT FROM COALESCE(
                        (SELECT ts FROM events WHERE conversation_id = ?1 ORDER BY seq DESC LIMIT 1),
                        c.created_at))",
        repair: &[
            "INSERT INTO heads (conversation_id, head, number, last_message, last_activity, touched, version)
             SELECT id, 0, 0, 0, created_at, 0, 0 FROM conversations WHERE id = ?1 ON CONFLICT DO NOTHING",
            "UPDATE heads SET
                 head = COALESCE((SELECT MAX(seq) FROM events WHERE conversation_id = ?1), 0),
                 number = (SELECT COUNT(*) FROM events WHERE conversation_id = ?1 AND kind = 1),
                 last_message = COALESCE(
                     (SELECT MAX(seq) FROM events WHERE conversation_id = ?1 AND kind = 1), 0),
                 last_activity = COALESCE(
                     (SELECT ts FROM events WHERE conversation_id = ?1 ORDER BY seq DESC LIMIT 1),
                     (SELECT created_at FROM conversations WHERE id = ?1))
             WHERE conversation_id = ?1",
        ],
    },
    Derivation {
        name: "edits_shown",
        wrong: "SELECT COUNT(*) FROM events m WHERE m.conversation_id = ?1 AND m.kind = 1
                AND m.revised IS DISTINCT FROM CASE WHEN m.body IS NULL THEN NULL ELSE
                    (SELECT MAX(e.seq) FROM events e
                     WHERE e.conversation_id = ?1 AND e.target = m.seq AND e.kind = 2 AND e.body IS NOT NULL) END",
        repair: &["UPDATE events AS m SET revised = CASE WHEN m.body IS NULL THEN NULL ELSE
                       (SELECT MAX(e.seq) FROM events e
                        WHERE e.conversation_id = ?1 AND e.target = m.seq AND e.kind = 2 AND e.body IS NOT NULL) END
                   WHERE m.conversation_id = ?1 AND m.kind = 1"],
    },
    Derivation {
        name: "member_count",
        wrong: "SELECT COUNT(*) FROM conversations WHERE id = ?1
                AND member_count <> (SELECT COUNT(*) FROM members WHERE conversation_id = ?1)",
        repair: &["UPDATE conversations
                   SET member_count = (SELECT COUNT(*) FROM members WHERE conversation_id = ?1) WHERE id = ?1"],
    },
    Derivation {
        name: "owner",
        wrong: "SELECT COUNT(*) FROM conversations WHERE id = ?1 AND owner IS DISTINCT FROM
                    (SELECT user_id FROM members WHERE conversation_id = ?1 AND role = 4 ORDER BY joined_pos LIMIT 1)",
        repair: &["UPDATE conversations SET owner =
                       (SELECT user_id FROM members WHERE conversation_id = ?1 AND role = 4 ORDER BY joined_pos LIMIT 1)
                   WHERE id = ?1"],
    },
    Derivation {
        name: "cursors",
        wrong: concat!(
            "SELECT
                 (SELECT COUNT(*) FROM members m WHERE m.conversation_id = ?1 AND NOT EXISTS (
                     SELECT 1 FROM cursors c WHERE c.conversation_id = ?1 AND c.user_id = m.user_id))
                 + (SELECT COUNT(*) FROM cursors c JOIN heads h ON h.conversation_id = ?1
                    WHERE c.conversation_id = ?1 AND (
                        c.delivered > h.head OR c.read > c.delivered OR c.number_at_read <> ",
            number_at_read!(),
            " OR c.own_after_read <> ",
            own_after_read!(),
            " OR NOT EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = ?1 AND m.user_id = c.user_id)))"
        ),
        repair: &[
            "DELETE FROM cursors WHERE conversation_id = ?1
                 AND user_id NOT IN (SELECT user_id FROM members WHERE conversation_id = ?1)",
            "INSERT INTO cursors (conversation_id, user_id, delivered, read, number_at_read, own_after_read)
             SELECT ?1, user_id, visible_from - 1, visible_from - 1, 0, 0 FROM members WHERE conversation_id = ?1
             ON CONFLICT DO NOTHING",
            "UPDATE cursors SET
                 read = MIN(read, (SELECT head FROM heads WHERE conversation_id = ?1)),
                 delivered = MIN(MAX(delivered, read), (SELECT head FROM heads WHERE conversation_id = ?1))
             WHERE conversation_id = ?1",
            concat!(
                "UPDATE cursors AS c SET number_at_read = ",
                number_at_read!(),
                ", own_after_read = ",
                own_after_read!(),
                " WHERE c.conversation_id = ?1"
            ),
        ],
    },
    Derivation {
        name: "device_cursors",
        wrong: "SELECT COUNT(*) FROM device_cursors d WHERE d.conversation_id = ?1 AND (
                    d.delivered > (SELECT head FROM heads WHERE conversation_id = ?1)
                    OR NOT EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = ?1 AND m.user_id = d.user_id))",
        repair: &[
            "DELETE FROM device_cursors WHERE conversation_id = ?1
                 AND user_id NOT IN (SELECT user_id FROM members WHERE conversation_id = ?1)",
            "UPDATE device_cursors SET delivered = (SELECT head FROM heads WHERE conversation_id = ?1)
             WHERE conversation_id = ?1 AND delivered > (SELECT head FROM heads WHERE conversation_id = ?1)",
        ],
    },
    Derivation {
        name: "reactions",
        wrong: standing_reactions!(
            "SELECT
                 (SELECT COUNT(*) FROM standing s WHERE NOT EXISTS (
                     SELECT 1 FROM reactions r WHERE r.conversation_id = ?1 AND r.target = s.target
                         AND r.emoji = s.emoji AND r.user_id = s.sender AND r.seq = s.seq))
                 + (SELECT COUNT(*) FROM reactions r WHERE r.conversation_id = ?1 AND NOT EXISTS (
                     SELECT 1 FROM standing s WHERE s.target = r.target AND s.emoji = r.emoji
                         AND s.sender = r.user_id))"
        ),
        repair: &[
            standing_reactions!(
                "DELETE FROM reactions WHERE conversation_id = ?1 AND NOT EXISTS (
                     SELECT 1 FROM standing s WHERE s.target = reactions.target AND s.emoji = reactions.emoji
                         AND s.sender = reactions.user_id AND s.seq = reactions.seq)"
            ),
            standing_reactions!(
                "INSERT INTO reactions (conversation_id, target, emoji, user_id, seq, ts, since)
                 SELECT ?1, s.target, s.emoji, s.sender, s.seq, s.ts, MIN(s.seq, COALESCE(
                     (SELECT MIN(r.since) FROM reactions r
                      WHERE r.conversation_id = ?1 AND r.target = s.target AND r.emoji = s.emoji), s.seq))
                 FROM standing s WHERE true ON CONFLICT DO NOTHING"
            ),
        ],
    },
    Derivation {
        name: "pins",
        wrong: standing_pins!(
            "SELECT
                 (SELECT COUNT(*) FROM standing s WHERE NOT EXISTS (
                     SELECT 1 FROM pins p WHERE p.conversation_id = ?1 AND p.target = s.target))
                 + (SELECT COUNT(*) FROM pins p WHERE p.conversation_id = ?1
                     AND p.target NOT IN (SELECT target FROM standing))"
        ),
        repair: &[
            standing_pins!(
                "DELETE FROM pins WHERE conversation_id = ?1 AND target NOT IN (SELECT target FROM standing)"
            ),
            standing_pins!(
                "INSERT INTO pins (conversation_id, target) SELECT ?1, target FROM standing WHERE true
                 ON CONFLICT DO NOTHING"
            ),
        ],
    },
    Derivation {
        name: "mentions",
        wrong: "SELECT COUNT(*) FROM mentions n WHERE n.conversation_id = ?1 AND (
                    NOT EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = ?1 AND m.user_id = n.user_id)
                    OR NOT EXISTS (SELECT 1 FROM events e
                        WHERE e.conversation_id = ?1 AND e.seq = n.seq AND e.body IS NOT NULL))",
        repair: &["DELETE FROM mentions WHERE conversation_id = ?1 AND (
                       user_id NOT IN (SELECT user_id FROM members WHERE conversation_id = ?1)
                       OR NOT EXISTS (SELECT 1 FROM events e
                           WHERE e.conversation_id = ?1 AND e.seq = mentions.seq AND e.body IS NOT NULL))"],
    },
    Derivation {
        name: "former_members",
        wrong: "SELECT COUNT(*) FROM former_members WHERE conversation_id = ?1
                AND user_id IN (SELECT user_id FROM members WHERE conversation_id = ?1)",
        repair: &["DELETE FROM former_members WHERE conversation_id = ?1
                   AND user_id IN (SELECT user_id FROM members WHERE conversation_id = ?1)"],
    },
];

/// What does not agree with the log.
pub(crate) fn findings(connection: &Connection, conversation: ConversationId) -> Outcome<Vec<Finding>> {
    let mut findings = Vec::new();
    for derivation in &DERIVATIONS {
        let wrong: i64 =
            connection.prepare_cached(derivation.wrong)?.query_row([conversation.sql()], |row| row.get(0))?;
        if wrong != 0 {
            findings.push(Finding {
                what: derivation.name.to_owned(),
                wrong: wrong.unsigned_abs(),
                repairable: !derivation.repair.is_empty(),
            });
        }
    }
    Ok(findings)
}

/// Makes right what can be; says what was wrong.
pub(crate) fn repair(
    context: &mut WriteContext<'_>,
    conversation: ConversationId,
) -> Outcome<Option<Vec<Finding>>> {
    let there =
        context.statement("SELECT 1 FROM conversations WHERE id = ?1")?.exists([conversation.sql()])?;
    if !there {
        return Ok(None);
    }
    let found = findings(context.connection, conversation)?;
    // Asked again one after the other: what agreed with something wrong may not agree with what it is now.
    for derivation in &DERIVATIONS {
        let wrong: i64 =
            context.statement(derivation.wrong)?.query_row([conversation.sql()], |row| row.get(0))?;
        if wrong == 0 {
            continue;
        }
        for sql in derivation.repair {
            let _rows = context.statement(sql)?.execute([conversation.sql()])?;
        }
    }
    if found.iter().any(|finding| finding.repairable) {
        let pos = context.next_pos()?;
        context
            .statement("UPDATE heads SET version = version + 1, touched = ?2 WHERE conversation_id = ?1")?
            .execute([conversation.sql(), pos.sql()])?;
    }
    Ok(Some(found))
}
