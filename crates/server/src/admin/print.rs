//! How answers look.

use std::io::Write;

use anyhow::Result;
use jiff::Timestamp as Moment;
use jiff::tz::TimeZone;
use loquat_domain::admin::{AdminAnswer, Listed, Live, NewPassword};
use loquat_domain::ports::{
    AccountDetails, AccountState, AccountSummary, AuditRecord, ConversationReport, ConversationSummary,
    DeviceSummary, Finding,
};
use loquat_proto::{ConversationId, Timestamp, UserId};
use serde_json::Value;

use super::table::{Table, plain};

/// As JSON: what travelled, without its envelope.
pub(super) fn json(out: &mut impl Write, answer: &AdminAnswer) -> Result<()> {
    let mut envelope = serde_json::to_value(answer)?;
    let value = envelope.get_mut("value").map_or(Value::Null, Value::take);
    writeln!(out, "{value:#}")?;
    Ok(out.flush()?)
}

/// For people.
pub(super) fn human(out: &mut impl Write, answer: &AdminAnswer) -> Result<()> {
    match answer {
        AdminAnswer::Users(page) => users(out, page)?,
        AdminAnswer::User(details) => user(out, details)?,
        AdminAnswer::Password(password) => new_password(out, password)?,
        AdminAnswer::Conversations(page) => conversations(out, page)?,
        AdminAnswer::Conversation(report) => conversation(out, report)?,
        AdminAnswer::Findings(found) => findings(out, found)?,
        AdminAnswer::Devices(page) => devices(out, page)?,
        AdminAnswer::Done {} => writeln!(out, "done")?,
        AdminAnswer::Statistics(live) => statistics(out, live)?,
        AdminAnswer::Acts(page) => acts(out, page)?,
    }
    Ok(out.flush()?)
}

/// A time as the machine's clock on the wall shows it.
pub(crate) fn moment(ts: Timestamp) -> String {
    match Moment::from_millisecond(ts) {
        Ok(moment) => moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => ts.to_string(),
    }
}

/// A size in the unit that fits.
pub(crate) fn bytes(count: u64) -> String {
    let mut unit = "B";
    let mut shown = count as f64;
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if shown < 1024.0 {
            break;
        }
        shown /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{count} B") } else { format!("{shown:.1} {unit}") }
}

fn maybe(ts: Option<Timestamp>) -> String {
    ts.map_or_else(|| "-".to_owned(), moment)
}

fn name(username: Option<&String>) -> String {
    username.map_or_else(|| "-".to_owned(), |name| format!("@{name}"))
}

const fn state(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "active",
        AccountState::Disabled => "disabled",
        AccountState::Deleted => "deleted",
    }
}

/// How to see more of a list.
fn more(out: &mut impl Write, more: bool, flag: &str, last: Option<String>) -> Result<()> {
    if let (true, Some(last)) = (more, last) {
        writeln!(out, "there are more: {flag} {last}")?;
    }
    Ok(())
}

fn users(out: &mut impl Write, page: &Listed<AccountSummary>) -> Result<()> {
    let mut table = Table::new(&["id", "username", "display name", "state", "devices#", "made", "last seen"]);
    for account in &page.items {
        table.row([
            account.id.to_string(),
            name(account.username.as_ref()),
            account.display_name.clone(),
            state(account.state).to_owned(),
            account.devices.to_string(),
            moment(account.created_at),
            maybe(account.last_seen),
        ]);
    }
    table.print(out)?;
    more(out, page.more, "--after", page.items.last().map(|last| last.id.to_string()))
}

fn pairs(out: &mut impl Write, pairs: &[(&str, String)]) -> Result<()> {
    let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in pairs {
        writeln!(out, "{key:width$}  {}", plain(value))?;
    }
    Ok(())
}

fn user(out: &mut impl Write, details: &AccountDetails) -> Result<()> {
    let summary = &details.summary;
    let since = details.deleted_at.or(details.disabled_at).map(|ts| format!(" since {}", moment(ts)));
    pairs(
        out,
        &[
            ("id", summary.id.to_string()),
            ("username", name(summary.username.as_ref())),
            ("display name", summary.display_name.clone()),
            ("state", format!("{}{}", state(summary.state), since.unwrap_or_default())),
            ("e-mail", details.email.clone().unwrap_or_else(|| "-".to_owned())),
            ("phone", details.phone.clone().unwrap_or_else(|| "-".to_owned())),
            ("made", moment(summary.created_at)),
            ("last seen", maybe(summary.last_seen)),
            ("conversations", format!("{}, owns {}", details.conversations, details.owned)),
        ],
    )?;
    if !details.signed_in.is_empty() {
        writeln!(out)?;
        let mut table = Table::new(&["device", "name", "platform", "signed in", "last seen"]);
        for device in &details.signed_in {
            table.row([
                device.id.to_string(),
                device.name.clone(),
                device.platform.clone(),
                moment(device.created_at),
                maybe(device.last_seen),
            ]);
        }
        table.print(out)?;
    }
    Ok(())
}

fn new_password(out: &mut impl Write, new: &NewPassword) -> Result<()> {
    if let Some(password) = &new.password {
        writeln!(out, "new password: {}", password.0)?;
    }
    writeln!(out, "devices signed out: {}", new.signed_out)?;
    Ok(())
}

fn owner(owner: Option<UserId>) -> String {
    owner.map_or_else(|| "-".to_owned(), |owner| owner.to_string())
}

fn conversations(out: &mut impl Write, page: &Listed<ConversationSummary>) -> Result<()> {
    let mut table =
        Table::new(&["id", "kind", "title", "owner", "members#", "events#", "messages#", "last activity"]);
    for one in &page.items {
        table.row([
            one.id.to_string(),
            word(&one.kind),
            one.title.clone(),
            owner(one.owner),
            one.members.to_string(),
            one.head.to_string(),
            one.messages.to_string(),
            moment(one.last_activity),
        ]);
    }
    table.print(out)?;
    more(out, page.more, "--after", page.items.last().map(|last| last.id.to_string()))
}

fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn conversation(out: &mut impl Write, report: &ConversationReport) -> Result<()> {
    let summary = &report.summary;
    let permissions = report.permissions;
    pairs(
        out,
        &[
            ("id", summary.id.to_string()),
            ("kind", word(&summary.kind)),
            ("title", summary.title.clone()),
            ("owner", owner(summary.owner)),
            ("made", moment(summary.created_at)),
            ("last activity", moment(summary.last_activity)),
            ("events", summary.head.to_string()),
            (
                "messages",
                format!("{}, {} erased, {}", summary.messages, report.erased, bytes(report.body_bytes)),
            ),
            ("history", word(&report.history)),
            ("retention", word(&report.retention)),
            (
                "permissions",
                format!(
                    "post {}, invite {}, edit info {}, pin {}",
                    word(&permissions.post),
                    word(&permissions.invite),
                    word(&permissions.edit_info),
                    word(&permissions.pin)
                ),
            ),
            ("slow mode", format!("{} ms", report.slow_mode_ms)),
            ("members", summary.members.to_string()),
        ],
    )?;
    writeln!(out)?;
    let mut table =
        Table::new(&["member", "username", "role", "joined", "sees from#", "delivered#", "read#"]);
    for member in &report.oldest_members {
        table.row([
            member.user.to_string(),
            name(member.username.as_ref()),
            word(&member.role),
            moment(member.joined_at),
            member.visible_from.to_string(),
            member.delivered.to_string(),
            member.read.to_string(),
        ]);
    }
    table.print(out)?;
    writeln!(out)?;
    findings(out, &report.findings)
}

fn findings(out: &mut impl Write, findings: &[Finding]) -> Result<()> {
    if findings.is_empty() {
        writeln!(out, "everything agrees with the log")?;
        return Ok(());
    }
    let mut table = Table::new(&["does not agree with the log", "wrong#", "can be repaired"]);
    for finding in findings {
        let repairable = if finding.repairable { "yes" } else { "no: restore a backup" };
        table.row([finding.what.clone(), finding.wrong.to_string(), repairable.to_owned()]);
    }
    Ok(table.print(out)?)
}

/// What a repair found, or would have.
pub(super) fn repairs(
    out: &mut impl Write,
    (checked, wrong): (u64, &[(ConversationId, Vec<Finding>)]),
    dry_run: bool,
) -> Result<()> {
    if !wrong.is_empty() {
        let mut table = Table::new(&["conversation", "wrong", "rows#", "outcome"]);
        for (conversation, findings) in wrong {
            for finding in findings {
                let outcome = match (finding.repairable, dry_run) {
                    (false, _) => "cannot be repaired: restore a backup",
                    (true, true) => "can be repaired",
                    (true, false) => "repaired",
                };
                table.row([
                    conversation.to_string(),
                    finding.what.clone(),
                    finding.wrong.to_string(),
                    outcome.to_owned(),
                ]);
            }
        }
        table.print(out)?;
    }
    writeln!(out, "{checked} checked, {} not in agreement with the log", wrong.len())?;
    Ok(())
}

fn devices(out: &mut impl Write, page: &Listed<DeviceSummary>) -> Result<()> {
    let mut table = Table::new(&["device", "user", "username", "name", "platform", "signed in", "last seen"]);
    for DeviceSummary { user, username, device } in &page.items {
        table.row([
            device.id.to_string(),
            user.to_string(),
            name(username.as_ref()),
            device.name.clone(),
            device.platform.clone(),
            moment(device.created_at),
            maybe(device.last_seen),
        ]);
    }
    table.print(out)?;
    more(out, page.more, "--after", page.items.last().map(|last| last.device.id.to_string()))
}

fn statistics(out: &mut impl Write, Live { sessions, stored }: &Live) -> Result<()> {
    pairs(
        out,
        &[
            (
                "users",
                format!(
                    "{} active, {} disabled, {} deleted",
                    stored.users_active, stored.users_disabled, stored.users_deleted
                ),
            ),
            ("devices", stored.devices.to_string()),
            ("live sessions", sessions.to_string()),
            (
                "conversations",
                format!(
                    "{} direct, {} groups, {} channels",
                    stored.direct_conversations, stored.groups, stored.channels
                ),
            ),
            ("memberships", stored.memberships.to_string()),
            ("events", format!("{}, {} of them messages", stored.events, stored.messages)),
            ("unfinished erasures", stored.unfinished_erasures.to_string()),
            (
                "database",
                format!("{}, {} of it free", bytes(stored.database_bytes), bytes(stored.free_bytes)),
            ),
            ("write-ahead log", bytes(stored.log_bytes)),
        ],
    )
}

fn acts(out: &mut impl Write, page: &Listed<AuditRecord>) -> Result<()> {
    let mut table = Table::new(&["id", "when", "who", "act", "subject", "detail", "outcome"]);
    for record in &page.items {
        table.row([
            record.id.to_string(),
            moment(record.ts),
            record.actor.clone(),
            record.act.clone(),
            record.subject.clone(),
            record.detail.clone(),
            record.outcome.clone().unwrap_or_else(|| "interrupted".to_owned()),
        ]);
    }
    table.print(out)?;
    more(out, page.more, "--before", page.items.last().map(|last| last.id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        for (count, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_572_864, "1.5 MiB"), (1 << 41, "2.0 TiB")]
        {
            assert_eq!(bytes(count), expected);
        }
    }
}
