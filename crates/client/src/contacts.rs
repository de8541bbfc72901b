//! Contacts, requests for contact, blocks: calls over the network. What they change comes back as account events, too
//! ([`ViewChange::Account`](crate::view::ViewChange::Account)), to every device of those concerned.

use hyper::Method;
use loquat_proto::contact::RequestContact;
use loquat_proto::{Block, Contact, ContactAnswer, ContactRequest, Page, UserId};
use serde::de::DeserializeOwned;

use crate::account::escape;
use crate::{Client, Error};

impl Client {
    /// All contacts, by id (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn contacts(&self) -> Result<Vec<Contact>, Error> {
        self.all("/v1/contacts").await
    }

    /// All requests that wait, in both directions, by the other one's id (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn contact_requests(&self) -> Result<Vec<ContactRequest>, Error> {
        self.all("/v1/contacts/requests").await
    }

    /// Asks somebody to be a contact; who asked before is one at once (network).
    ///
    /// # Errors
    /// `not_found`, `blocked`, `conflict` (a limit is reached), `rate_limited`; and see [`Client::devices`].
    pub async fn request_contact(&self, user: UserId) -> Result<ContactAnswer, Error> {
        self.exchange(Method::POST, "/v1/contacts/requests", Some(&RequestContact { user })).await
    }

    /// Accepts a request (network).
    ///
    /// # Errors
    /// `not_found`, `blocked`, `conflict` (a limit is reached); and see [`Client::devices`].
    pub async fn accept_contact(&self, user: UserId) -> Result<ContactAnswer, Error> {
        self.exchange(Method::POST, &format!("/v1/contacts/requests/{user}/accept"), None::<&()>).await
    }

    /// Declines a request; who asked is not told (network).
    ///
    /// # Errors
    /// `not_found`; and see [`Client::devices`].
    pub async fn decline_contact(&self, user: UserId) -> Result<(), Error> {
        self.done(Method::POST, &format!("/v1/contacts/requests/{user}/decline"), None::<&()>).await
    }

    /// Ends a contact, or withdraws the own request (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn remove_contact(&self, user: UserId) -> Result<(), Error> {
        self.done(Method::DELETE, &format!("/v1/contacts/{user}"), None::<&()>).await
    }

    /// All users who are blocked, by id (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn blocks(&self) -> Result<Vec<Block>, Error> {
        self.all("/v1/blocks").await
    }

    /// Blocks somebody; they are not told (network).
    ///
    /// # Errors
    /// `not_found`, `conflict` (as many are blocked as may be); and see [`Client::devices`].
    pub async fn block(&self, user: UserId) -> Result<(), Error> {
        self.done(Method::PUT, &format!("/v1/blocks/{user}"), None::<&()>).await
    }

    /// Ends a block (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn unblock(&self, user: UserId) -> Result<(), Error> {
        self.done(Method::DELETE, &format!("/v1/blocks/{user}"), None::<&()>).await
    }

    /// A list, page by page.
    async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut page_path = format!("{path}?limit=200");
        loop {
            let page: Page<T> = self.get(&page_path).await?;
            all.extend(page.items);
            let Some(cursor) = page.next_cursor else { return Ok(all) };
            page_path = format!("{path}?limit=200&cursor={}", escape(&cursor));
        }
    }
}
