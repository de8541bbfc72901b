//! A bot that answers every message with the same text.
//!
//! ```text
//! loquat serve --listen 127.0.0.1:8080 --data ./data
//! cargo run -p loquat-client --example echo_bot -- http://127.0.0.1:8080 echo_bot "a long password"
//! ```
//!
//! It makes its account the first time. Its device store is in `./echo_bot`: stop it, write to it, start it again, and
//! it answers what it was asked meanwhile, once.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;

use loquat_client::proto::account::{LogIn, Secret, SignUp};
use loquat_client::proto::{ConversationId, ErrorCode, EventBody, MessageBody, UserId};
use loquat_client::view::ViewChange;
use loquat_client::{Client, ClientConfig, ClientEvent, LogStream, Storage};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, name, password] = arguments.as_slice() else {
        return Err("usage: echo_bot URL NAME PASSWORD".into());
    };
    let client = Client::open(ClientConfig::new(url, Storage::Directory(name.into()))).await?;
    sign_in(&client, name, password).await?;
    let me = client.me().ok_or("not signed in")?.profile.id;
    client.caught_up().await?;

    let mut events = client.subscribe();
    let (to_bot, mut questions) = mpsc::channel(100);
    let mut followed = BTreeSet::new();
    follow_new(&client, me, &mut followed, &to_bot).await?;
    loop {
        tokio::select! {
            Some((conversation, seq, text)) = questions.recv() => {
                client.reply(conversation, seq, text).await?;
                client.mark_read(conversation, seq).await?;
            }
            event = events.next() => match event {
                Some(ClientEvent::View(ViewChange::Conversations) | ClientEvent::Lagged) => {
                    follow_new(&client, me, &mut followed, &to_bot).await?;
                }
                Some(ClientEvent::SignedOut) | None => return Ok(()),
                Some(_) => {}
            },
        }
    }
}

/// Takes the stored session up, signs in, or makes the account.
async fn sign_in(client: &Client, name: &str, password: &str) -> Result<(), loquat_client::Error> {
    if client.resume().await?.is_some() {
        return Ok(());
    }
    let password = Secret(password.to_owned());
    let login = LogIn { login: name.to_owned(), password: password.clone(), device: None, cookie: false };
    match client.log_in(login).await {
        Err(error) if error.code() == Some(ErrorCode::Unauthorized) => {
            let account = SignUp {
                username: name.to_owned(),
                password,
                display_name: None,
                email: None,
                phone: None,
                device: None,
                cookie: false,
            };
            client.sign_up(account).await.map(|_| ())
        }
        result => result.map(|_| ()),
    }
}

type Question = (ConversationId, u64, String);

/// Follows the log of every conversation that is not followed yet, from the last message that was answered on.
async fn follow_new(
    client: &Client,
    me: UserId,
    followed: &mut BTreeSet<ConversationId>,
    to_bot: &mpsc::Sender<Question>,
) -> Result<(), loquat_client::Error> {
    for line in client.conversations().await? {
        if followed.insert(line.id) {
            // The read cursor is the bot's memory of what it has answered.
            let answered = client.conversation(line.id).await?.map_or(0, |known| known.me.read);
            let log = client.log(line.id, answered).await?;
            tokio::spawn(listen(log, me, to_bot.clone()));
        }
    }
    Ok(())
}

async fn listen(mut log: LogStream, me: UserId, to_bot: mpsc::Sender<Question>) {
    while let Some(event) = log.next().await {
        if event.sender == me {
            continue;
        }
        if let Ok(Some(EventBody::Message(MessageBody { text, .. }))) = event.decode()
            && to_bot.send((event.conversation, event.seq, text)).await.is_err()
        {
            return;
        }
    }
}
