//! From arguments to calls, and from answers to output.

use std::io::{self, BufRead as _, Write as _};

use anyhow::{Context as _, Result, bail};
use loquat_domain::admin::{AdminAnswer, AdminCall};
use loquat_domain::ports::Finding;
use loquat_proto::ConversationId;
use loquat_proto::account::Secret;
use serde_json::json;

use super::arguments::{AuditArgs, Common, ConversationsCommand, DevicesCommand, UserArgs, UsersCommand};
use super::link::Link;
use super::print;
use crate::logging;
use crate::settings::{self, LogSettings};

/// `loquat admin users`.
pub(crate) fn users(command: UsersCommand) -> Result<()> {
    match command {
        UsersCommand::List { prefix, state, after, paging, common } => {
            let state = state.map(Into::into);
            one(&common, AdminCall::ListUsers { after, prefix, state, limit: paging.limit.into() })
        }
        UsersCommand::Show(UserArgs { user, common }) => one(&common, AdminCall::ShowUser { user }),
        UsersCommand::Disable { user: UserArgs { user, common }, reason } => {
            one(&common, AdminCall::DisableUser { user, reason })
        }
        UsersCommand::Enable(UserArgs { user, common }) => one(&common, AdminCall::EnableUser { user }),
        UsersCommand::ResetPassword { user: UserArgs { user, common }, stdin } => {
            let password = if stdin { Some(password()?) } else { None };
            one(&common, AdminCall::ResetPassword { user, password })
        }
        UsersCommand::Delete { user: UserArgs { user, common }, yes } => {
            if !yes {
                bail!("this erases {user} and all that they wrote, for good; repeat it with --yes");
            }
            one(&common, AdminCall::DeleteUser { user })
        }
    }
}

/// `loquat admin conversations`.
pub(crate) fn conversations(command: ConversationsCommand) -> Result<()> {
    match command {
        ConversationsCommand::List { member, kind, after, paging, common } => {
            let kind = kind.map(Into::into);
            one(&common, AdminCall::ListConversations { after, kind, member, limit: paging.limit.into() })
        }
        ConversationsCommand::Show { conversation, common } => {
            one(&common, AdminCall::ShowConversation { conversation })
        }
        ConversationsCommand::Repair { conversation, all: _, dry_run, common } => {
            repair(&common, conversation, dry_run)
        }
    }
}

/// `loquat admin devices`.
pub(crate) fn devices(command: DevicesCommand) -> Result<()> {
    match command {
        DevicesCommand::List { user, after, paging, common } => {
            one(&common, AdminCall::ListDevices { user, after, limit: paging.limit.into() })
        }
        DevicesCommand::Revoke { device, common } => one(&common, AdminCall::RevokeDevice { device }),
    }
}

/// `loquat admin stats`.
pub(crate) fn stats(common: &Common) -> Result<()> {
    one(common, AdminCall::Statistics)
}

/// `loquat admin audit`.
pub(crate) fn audit(arguments: &AuditArgs) -> Result<()> {
    let AuditArgs { before, paging, common } = arguments;
    one(common, AdminCall::ListActs { before: *before, limit: paging.limit.into() })
}

/// One call, and its answer printed.
fn one(common: &Common, call: AdminCall) -> Result<()> {
    with_link(common, |link| {
        let answer = link.call(call)?;
        let mut out = io::stdout().lock();
        if common.json { print::json(&mut out, &answer) } else { print::human(&mut out, &answer) }
    })
}

fn with_link(common: &Common, work: impl FnOnce(&mut Link) -> Result<()>) -> Result<()> {
    let settings = settings::load(&common.place.sources())?.settings;
    // Only what goes wrong: standard error is for the operator.
    logging::start(&LogSettings { level: "error".to_owned(), ..settings.log })?;
    let mut link = Link::find(&settings)?;
    let done = work(&mut link);
    link.close();
    done
}

/// The first line of standard input.
fn password() -> Result<Secret> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("cannot read the password")?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        bail!("standard input has no password");
    }
    Ok(Secret(password.to_owned()))
}

/// Repairs one conversation or all; exits with an error where something is wrong still.
fn repair(common: &Common, conversation: Option<ConversationId>, dry_run: bool) -> Result<()> {
    with_link(common, |link| {
        let mut out = io::stdout().lock();
        let (mut checked, mut wrong, mut left) = (0_u64, Vec::new(), 0_u64);
        let mut look = |link: &mut Link, conversation: ConversationId| -> Result<()> {
            let findings = find(link, conversation, dry_run)?;
            checked += 1;
            left += findings.iter().filter(|finding| dry_run || !finding.repairable).count() as u64;
            if !findings.is_empty() {
                wrong.push((conversation, findings));
            }
            Ok(())
        };
        match conversation {
            Some(conversation) => look(link, conversation)?,
            None => each(link, &mut look)?,
        }
        if common.json {
            let items: Vec<_> = wrong
                .iter()
                .map(|(conversation, findings)| json!({ "conversation": conversation, "findings": findings }))
                .collect();
            writeln!(out, "{:#}", json!({ "checked": checked, "repaired": !dry_run, "items": items }))?;
        } else {
            print::repairs(&mut out, (checked, &wrong), dry_run)?;
        }
        out.flush()?;
        if left > 0 {
            bail!("{left} {} wrong", if left == 1 { "thing is" } else { "things are" });
        }
        Ok(())
    })
}

fn find(link: &mut Link, conversation: ConversationId, dry_run: bool) -> Result<Vec<Finding>> {
    let call = if dry_run {
        AdminCall::ShowConversation { conversation }
    } else {
        AdminCall::RepairConversation { conversation }
    };
    match link.call(call).with_context(|| format!("conversation {conversation}"))? {
        AdminAnswer::Conversation(report) => Ok(report.findings),
        AdminAnswer::Findings(findings) => Ok(findings),
        _ => bail!("the service answered something else"),
    }
}

fn each(link: &mut Link, look: &mut impl FnMut(&mut Link, ConversationId) -> Result<()>) -> Result<()> {
    let mut after = None;
    loop {
        let call = AdminCall::ListConversations { after, kind: None, member: None, limit: AdminCall::LIMIT };
        let AdminAnswer::Conversations(page) = link.call(call)? else {
            bail!("the service answered something else");
        };
        for conversation in &page.items {
            look(link, conversation.id)?;
        }
        match page.items.last() {
            Some(last) if page.more => after = Some(last.id),
            _ => return Ok(()),
        }
    }
}
