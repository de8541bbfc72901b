//! The native SDK of Loquat: the client engine with its transports, a SQLite device store and reconnect.
//!
//! A [`Client`] is a cheap handle on one owning task, which drives the sans-I/O engine (`loquat-engine`): it keeps a
//! socket open, fetches what was missed, sends what is queued, and answers from the device's own store, online or
//! not. A user interface takes snapshots ([`Client::conversations`], [`Client::timeline`]) and takes them again when
//! [`Client::subscribe`] says that they are out of date.
//!
//! ```no_run
//! use loquat_client::proto::account::{LogIn, Secret};
//! use loquat_client::{Client, ClientConfig, ClientEvent, Storage, view::ViewChange};
//!
//! # async fn example() -> Result<(), loquat_client::Error> {
//! let storage = Storage::Directory("device".into());
//! let client = Client::open(ClientConfig::new("http://127.0.0.1:8080", storage)).await?;
//! if client.resume().await?.is_none() {
//!     let password = Secret("correct horse".to_owned());
//!     let login = LogIn { login: "ada".to_owned(), password, device: None, cookie: false };
//!     client.log_in(login).await?;
//! }
//! let mut events = client.subscribe();
//! for line in client.conversations().await? {
//!     client.send_text(line.id, format!("hello, {}", line.title)).await?;
//! }
//! while let Some(event) = events.next().await {
//!     if let ClientEvent::View(ViewChange::MessageArrived(message)) = event {
//!         client.mark_read(message.conversation, message.seq).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Whole programs are in `examples/`: a bot (`echo_bot`), and sending and following a log (`send_and_tail`).
//!
//! # Promises
//!
//! - A change is on disk when its method returns; it is sent under one nonce however often the connection breaks or
//!   the program ends, so that it stands in the log exactly once, in the order in which it was queued.
//! - [`LogStream`] gives every event of a log once and in order.
//! - Tokens are stored with file mode 0600; refreshing them is done by one call at a time, and a refresh whose answer
//!   was lost is repeated with the same key.
//! - Reconnecting waits a random time under a bound that doubles up to 30 s, or what the server asked for.
//!
//! # How to extend it
//!
//! What must hold in the browser, too, belongs into the engine. A new REST call is a method in `account` or
//! `membership`; a new snapshot is a [`view`] of the engine and a request of `driver`. The crate must not know axum,
//! PostgreSQL or NATS: it talks to the server over the wire alone.

mod account;
mod client;
mod config;
mod contacts;
mod driver;
mod error;
mod events;
mod export;
mod link;
mod log_stream;
mod membership;
mod random;
mod session;
mod store;
mod transport;

pub use client::Client;
pub use config::{ClientConfig, Storage};
pub use error::Error;
pub use events::{ClientEvent, ConnectionState, Subscription};
pub use export::Archive;
pub use log_stream::LogStream;
pub use loquat_engine::store::Found;
pub use loquat_engine::view;
pub use loquat_proto as proto;
