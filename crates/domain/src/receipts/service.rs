//! The use cases of receipts and typing.

use std::sync::Arc;

use loquat_proto::ConversationId;
use loquat_proto::conversation::{Cursor, Receipts};
use loquat_proto::frame::FrameId;

use crate::fanout::Session;
use crate::lanes::Lanes;
use crate::{Caller, Refusal};

/// A cheap handle to the use cases of receipts and typing.
#[derive(Clone)]
pub struct ReceiptService {
    lanes: Lanes,
}

impl ReceiptService {
    /// The service over these lanes.
    #[must_use]
    pub const fn new(lanes: Lanes) -> Self {
        Self { lanes }
    }

    /// Moves the caller's cursors and says where they stand.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member.
    pub async fn acknowledge(
        &self,
        caller: Caller,
        conversation: ConversationId,
        receipts: Receipts,
    ) -> Result<Cursor, Refusal> {
        self.lanes.receipt_and_wait(caller, conversation, receipts).await
    }

    /// Moves the caller's cursors and returns at once; an answer comes by the session's queue if `re` asks for one.
    pub fn submit(
        &self,
        session: &Arc<Session>,
        re: Option<FrameId>,
        conversation: ConversationId,
        receipts: Receipts,
    ) {
        self.lanes.receipt(session, re, conversation, receipts);
    }

    /// Tells the other members that the caller writes, or stopped; silent where that is not allowed.
    pub fn typing(&self, caller: Caller, conversation: ConversationId, on: bool) {
        self.lanes.typing(caller, conversation, on);
    }

    /// The same, saying whether it was allowed.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member, [`Refusal::Forbidden`] for who may not write.
    pub async fn typing_checked(
        &self,
        caller: Caller,
        conversation: ConversationId,
        on: bool,
    ) -> Result<(), Refusal> {
        self.lanes.typing_and_wait(caller, conversation, on).await
    }
}
