//! [`AccountLog`].

use async_trait::async_trait;
use loquat_domain::ports::{AccountEntry, AccountLog, StoreError};
use loquat_proto::{AccountEvent, AccountEventKind, Timestamp, UserId};

use super::MemoryStore;

#[async_trait]
impl AccountLog for MemoryStore {
    async fn append(
        &self,
        user: UserId,
        kind: AccountEventKind,
        body: serde_json::Value,
        ts: Timestamp,
    ) -> Result<AccountEntry, StoreError> {
        let entry = self.write(|state| state.tell(user, (kind, body), ts)).await?;
        entry.ok_or_else(|| StoreError::Corrupt(format!("there never was a user {user}")))
    }

    async fn after(&self, user: UserId, pos: u64, limit: usize) -> Result<Vec<AccountEvent>, StoreError> {
        self.read(|state| {
            let log = state.users.get(&user).into_iter().flat_map(|user| &user.log);
            log.filter(|event| event.pos > pos).take(limit).cloned().collect()
        })
        .await
    }
}
