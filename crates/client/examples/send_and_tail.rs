//! Sends each line of the input to somebody, and prints what the conversation says.
//!
//! ```text
//! seq 100 | cargo run -p loquat-client --example send_and_tail -- http://127.0.0.1:8080 ada "a long password" bob
//! ```
//!
//! Lines are queued on disk before they are sent: whatever breaks meanwhile, each arrives once and in order.

use std::env;
use std::error::Error;
use std::io::{BufRead, Write};

use loquat_client::proto::account::{LogIn, Secret};
use loquat_client::proto::{EventBody, MessageBody};
use loquat_client::{Client, ClientConfig, Storage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, name, password, peer] = arguments.as_slice() else {
        return Err("usage: send_and_tail URL NAME PASSWORD PEER".into());
    };
    let client = Client::open(ClientConfig::new(url, Storage::Directory(name.into()))).await?;
    if client.resume().await?.is_none() {
        let password = Secret(password.clone());
        client.log_in(LogIn { login: name.clone(), password, device: None, cookie: false }).await?;
    }
    client.caught_up().await?;
    let found = client.search_users(peer).await?;
    let peer = found.iter().find(|profile| profile.username == *peer).ok_or("no such user")?;
    let conversation = client.create_direct(peer.id).await?;

    let sender = client.clone();
    let id = conversation.id;
    let (to_sender, mut lines) = tokio::sync::mpsc::channel(100);
    std::thread::spawn(move || {
        let input = std::io::stdin().lock().lines();
        input.map_while(Result::ok).try_for_each(|line| to_sender.blocking_send(line).ok())
    });
    let sending = tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            sender.send(id, MessageBody::text(line)).await?;
        }
        sender.flush().await
    });

    let mut log = client.log(id, conversation.head).await?;
    let mut output = std::io::stdout();
    while let Some(event) = log.next().await {
        if let Ok(Some(EventBody::Message(body))) = event.decode() {
            writeln!(output, "{} {}: {}", event.seq, event.sender, body.text)?;
        }
    }
    sending.await??;
    client.close().await;
    Ok(())
}
