//! Doing what an operator asks.

use std::fmt;
use std::sync::Arc;

use loquat_proto::account::Secret;
use loquat_proto::{ConversationId, DeviceId, UserId};

use super::call::{AdminAnswer, AdminCall, Listed, Live, NewPassword};
use crate::Refusal;
use crate::accounts::{Auth, Profiles, removed_devices};
use crate::fanout::Registry;
use crate::lanes::Lanes;
use crate::ports::{
    AccountDetails, AccountQuery, AccountState, Administration, AuditLog, Clock, ConversationQuery, Devices,
    Inspection, NewAct, Random,
};

/// Bytes of a password by chance: 96 bits.
const PASSWORD_BYTES: usize = 12;

/// Characters of a reason.
const REASON_CHARACTERS: usize = 500;

/// Who asks, as the operating system says: `root`, `loquat`, `root (login mira)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(pub String);

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What [`AdminService`] rests on.
pub struct AdminDeps {
    /// Accounts, devices, figures.
    pub administration: Arc<dyn Administration>,
    /// Conversations.
    pub inspection: Arc<dyn Inspection>,
    /// The record.
    pub audit: Arc<dyn AuditLog>,
    /// Devices of a user.
    pub devices: Arc<dyn Devices>,
    /// Hashes passwords, signs out.
    pub auth: Auth,
    /// Erases accounts.
    pub profiles: Profiles,
    /// The writers of conversations.
    pub lanes: Lanes,
    /// The live sessions.
    pub registry: Arc<Registry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Passwords by chance.
    pub random: Arc<dyn Random>,
}

/// The calls of operators. A cheap handle to share.
#[derive(Clone)]
pub struct AdminService {
    deps: Arc<AdminDeps>,
}

impl AdminService {
    /// Over these parts.
    #[must_use]
    pub fn new(deps: AdminDeps) -> Self {
        Self { deps: Arc::new(deps) }
    }

    /// Does what an operator asks. What changes anything stands on record before it is done; how it ended, after.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if what the call names is not there, [`Refusal::Invalid`], [`Refusal::Conflict`] if the
    /// account is deleted, [`Refusal::Unavailable`].
    pub async fn perform(&self, actor: &Actor, call: AdminCall) -> Result<AdminAnswer, Refusal> {
        let Some(act) = call.act() else { return self.answer(call).await };
        if act.detail.chars().count() > REASON_CHARACTERS {
            return Err(Refusal::TooLarge { what: "the reason, in characters,", limit: REASON_CHARACTERS });
        }
        let Self { deps } = self;
        let new = NewAct {
            ts: deps.clock.now(),
            actor: actor.to_string(),
            act: act.name.to_owned(),
            subject: self.subject(&call, act.subject).await?,
            detail: act.detail,
        };
        tracing::info!(%actor, act = act.name, subject = new.subject, "an operator acts");
        let id = deps.audit.begin_act(new).await?;
        let outcome = self.answer(call).await;
        let told = match &outcome {
            Ok(_) => "done".to_owned(),
            Err(refusal) => format!("{}: {refusal}", refusal.code()),
        };
        deps.audit.end_act(id, &told, deps.clock.now()).await?;
        outcome
    }

    /// What stands on record as the subject: the id where there is one, since names pass from one to another.
    async fn subject(&self, call: &AdminCall, named: String) -> Result<String, Refusal> {
        let user = match call {
            AdminCall::DisableUser { user, .. }
            | AdminCall::EnableUser { user }
            | AdminCall::ResetPassword { user, .. }
            | AdminCall::DeleteUser { user } => user,
            _ => return Ok(named),
        };
        match self.user(user).await {
            Ok(id) if id.to_string() == named => Ok(named),
            Ok(id) => Ok(format!("{id} ({named})")),
            Err(Refusal::NotFound | Refusal::Invalid(_)) => Ok(named),
            Err(refusal) => Err(refusal),
        }
    }

    async fn answer(&self, call: AdminCall) -> Result<AdminAnswer, Refusal> {
        match call {
            AdminCall::ListUsers { after, prefix, state, limit } => {
                let prefix = prefix.map(|prefix| prefix.trim_start_matches('@').to_lowercase());
                let query = AccountQuery { after, prefix, state, limit: over(limit)? };
                let items = self.deps.administration.accounts(query).await?;
                Ok(AdminAnswer::Users(listed(items, limit)))
            }
            AdminCall::ShowUser { user } => self.show(self.user(&user).await?).await,
            AdminCall::DisableUser { user, .. } => self.disable(&user).await,
            AdminCall::EnableUser { user } => self.enable(&user).await,
            AdminCall::ResetPassword { user, password } => self.reset_password(&user, password).await,
            AdminCall::DeleteUser { user } => {
                let id = self.living(&user).await?.summary.id;
                self.deps.profiles.erase(id).await?;
                self.show(id).await
            }
            AdminCall::ListConversations { after, kind, member, limit } => {
                let member = match member {
                    Some(member) => Some(self.user(&member).await?),
                    None => None,
                };
                let query = ConversationQuery { after, kind, member, limit: over(limit)? };
                let items = self.deps.inspection.list_conversations(query).await?;
                Ok(AdminAnswer::Conversations(listed(items, limit)))
            }
            AdminCall::ShowConversation { conversation } => {
                let report = self.deps.inspection.inspect(conversation).await?.ok_or(Refusal::NotFound)?;
                Ok(AdminAnswer::Conversation(Box::new(report)))
            }
            AdminCall::RepairConversation { conversation } => self.repair(conversation).await,
            AdminCall::ListDevices { user, after, limit } => {
                let user = match user {
                    Some(user) => Some(self.user(&user).await?),
                    None => None,
                };
                let items = self.deps.administration.all_devices(user, after, over(limit)?).await?;
                Ok(AdminAnswer::Devices(listed(items, limit)))
            }
            AdminCall::RevokeDevice { device } => self.revoke(device).await,
            AdminCall::Statistics => {
                let stored = self.deps.administration.statistics().await?;
                let sessions = self.deps.registry.count() as u64;
                Ok(AdminAnswer::Statistics(Live { sessions, stored }))
            }
            AdminCall::ListActs { before, limit } => {
                let items = self.deps.audit.acts(before, over(limit)?).await?;
                Ok(AdminAnswer::Acts(listed(items, limit)))
            }
        }
    }

    async fn show(&self, user: UserId) -> Result<AdminAnswer, Refusal> {
        let details = self.deps.administration.account(user).await?.ok_or(Refusal::NotFound)?;
        Ok(AdminAnswer::User(Box::new(details)))
    }

    /// The state first, the sockets then: whoever connects in between finds the account disabled.
    async fn disable(&self, user: &str) -> Result<AdminAnswer, Refusal> {
        let id = self.living(user).await?.summary.id;
        self.deps.administration.set_disabled(id, Some(self.deps.clock.now())).await?;
        let devices = self.deps.devices.devices(id).await?;
        let devices = devices.into_iter().map(|device| device.id).collect();
        self.deps.auth.signed_out(id, devices, Vec::new());
        self.show(id).await
    }

    async fn enable(&self, user: &str) -> Result<AdminAnswer, Refusal> {
        let id = self.living(user).await?.summary.id;
        self.deps.administration.set_disabled(id, None).await?;
        self.show(id).await
    }

    async fn reset_password(&self, user: &str, password: Option<Secret>) -> Result<AdminAnswer, Refusal> {
        let id = self.living(user).await?.summary.id;
        let (password, made) = match password {
            Some(password) => (password, None),
            None => {
                let password = self.chance();
                (password.clone(), Some(password))
            }
        };
        let hash = self.deps.auth.hash_password(&password).await?;
        let now = self.deps.clock.now();
        let entries = self.deps.administration.reset_password(id, hash.into_phc(), now).await?;
        let devices = removed_devices(&entries);
        let signed_out = devices.len() as u64;
        self.deps.auth.signed_out(id, devices, entries);
        Ok(AdminAnswer::Password(NewPassword { user: id, password: made, signed_out }))
    }

    /// A password that nobody guesses, in hexadecimal.
    fn chance(&self) -> Secret {
        let mut bytes = [0; PASSWORD_BYTES];
        self.deps.random.fill(&mut bytes);
        Secret(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    async fn revoke(&self, device: DeviceId) -> Result<AdminAnswer, Refusal> {
        let user = self.deps.administration.device_owner(device).await?.ok_or(Refusal::NotFound)?;
        self.deps.auth.revoke_of(user, device).await?;
        Ok(AdminAnswer::Done {})
    }

    /// Looks before it writes: a conversation in which all is well costs the writer nothing.
    async fn repair(&self, conversation: ConversationId) -> Result<AdminAnswer, Refusal> {
        let Self { deps } = self;
        let report = deps.inspection.inspect(conversation).await?.ok_or(Refusal::NotFound)?;
        if !report.findings.iter().any(|finding| finding.repairable) {
            return Ok(AdminAnswer::Findings(report.findings));
        }
        let findings = deps.inspection.repair(conversation).await?.ok_or(Refusal::NotFound)?;
        deps.lanes.doubt(conversation).await;
        Ok(AdminAnswer::Findings(findings))
    }

    /// Who is meant; perhaps deleted.
    async fn user(&self, named: &str) -> Result<UserId, Refusal> {
        let named = named.trim();
        if !named.starts_with('@') && named.bytes().all(|byte| byte.is_ascii_digit()) {
            return named.parse().map_err(|_| Refusal::invalid(format!("{named:?} is no user's id")));
        }
        let name = named.trim_start_matches('@').to_lowercase();
        self.deps.administration.account_named(&name).await?.ok_or(Refusal::NotFound)
    }

    /// The same where a tombstone will not do.
    async fn living(&self, named: &str) -> Result<AccountDetails, Refusal> {
        let id = self.user(named).await?;
        let details = self.deps.administration.account(id).await?.ok_or(Refusal::NotFound)?;
        if details.summary.state == AccountState::Deleted {
            return Err(Refusal::Conflict("the account is deleted"));
        }
        Ok(details)
    }
}

/// One more than is shown, to know whether there are more.
fn over(limit: usize) -> Result<usize, Refusal> {
    if (1..=AdminCall::LIMIT).contains(&limit) {
        return Ok(limit + 1);
    }
    Err(Refusal::invalid(format!("limit: must be 1 to {}", AdminCall::LIMIT)))
}

fn listed<T>(mut items: Vec<T>, limit: usize) -> Listed<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    Listed { items, more }
}
