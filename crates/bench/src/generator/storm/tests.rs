use std::sync::Arc;

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    routing::get,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// What a server does to those who come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    ForgetsTokens,
    TellsOfNothing,
    LosesMessages,
    AltersMessages,
    NumbersWrongly,
}

const CLIENTS: usize = 4;
const MISSED: u64 = 3;

#[derive(Clone)]
struct Server {
    fault: Fault,
    /// The texts of each client's conversation.
    logs: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Server {
    fn answer(&self, frame: &Value) -> Option<Value> {
        let mut logs = self.logs.lock();
        let log = |frame: &Value| frame["conversation"].as_str().unwrap().parse::<usize>().unwrap();
        let ok = match frame["op"].as_str().unwrap() {
            "hello" if frame["since"].is_string() => {
                let client: usize = frame["token"].as_str().unwrap().parse().unwrap();
                let told = self.fault != Fault::TellsOfNothing;
                let changed = json!({ "id": client.to_string(), "head": logs[client].len() });
                let changed: Vec<Value> = told.then_some(changed).into_iter().collect();
                json!({ "since": "b", "changed": changed, "reset": self.fault == Fault::ForgetsTokens })
            }
            "hello" => json!({ "since": "a", "changed": [], "reset": false }),
            "send" => {
                let log = &mut logs[log(frame)];
                log.push(frame["body"]["text"].as_str().unwrap().to_owned());
                let skipped = usize::from(self.fault == Fault::NumbersWrongly);
                json!({ "seq": log.len() + skipped })
            }
            "fetch" => {
                let after = frame["after"].as_u64().unwrap() as usize;
                let texts = logs[log(frame)].iter().enumerate().skip(after);
                let item = |(index, text): (usize, &String)| {
                    let altered = self.fault == Fault::AltersMessages;
                    let text = if altered { text.to_lowercase() } else { text.clone() };
                    json!({ "seq": index + 1, "body": { "text": text } })
                };
                let lost = usize::from(self.fault == Fault::LosesMessages);
                json!({ "items": texts.skip(lost).map(item).collect::<Vec<_>>() })
            }
            _ => return None,
        };
        Some(json!({ "re": frame["id"], "ok": ok }))
    }

    async fn serve(self, mut socket: WebSocket) {
        while let Some(Ok(Message::Text(frame))) = socket.next().await {
            let answer = self.answer(&serde_json::from_str(&frame).unwrap());
            if let Some(answer) = answer
                && socket.send(Message::Text(answer.to_string().into())).await.is_err()
            {
                return;
            }
        }
    }
}

async fn storm(fault: Fault) -> Result<Histogram, BenchError> {
    let server = Server { fault, logs: Arc::new(Mutex::new(vec![Vec::new(); CLIENTS])) };
    let upgrade = async |State(server): State<Server>, upgrade: WebSocketUpgrade| {
        upgrade.protocols(["loquat.v1.json"]).on_upgrade(|socket| server.serve(socket))
    };
    let router = Router::new().route("/v1/ws", get(upgrade)).with_state(server);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    let account = |number: usize| Account { id: number.to_string(), token: number.to_string() };
    let client = |number: usize| Client {
        account: account(number),
        conversation: Conversation { id: number.to_string(), head: 0 },
        writer: number % 2,
    };
    let mut storm = Storm::start(StormParts {
        address,
        clients: (0..CLIENTS).map(client).collect(),
        writers: (CLIENTS..CLIENTS + 2).map(account).collect(),
        missed: MISSED,
        nonces: NonceKind::Random,
    })?;
    for step in [Step::Connect, Step::Drop, Step::Miss] {
        storm.step(step).await?;
    }
    Ok(storm.step(Step::Reconnect).await?.each)
}

#[tokio::test]
async fn who_comes_back_must_get_exactly_what_was_missed() {
    for fault in [
        Fault::None,
        Fault::ForgetsTokens,
        Fault::TellsOfNothing,
        Fault::LosesMessages,
        Fault::AltersMessages,
        Fault::NumbersWrongly,
    ] {
        match (fault, storm(fault).await) {
            (Fault::None, outcome) => assert!(outcome.unwrap().quantile_us(0.5).is_some()),
            (_, Err(BenchError::Audit(_))) => {}
            (fault, Err(error)) => panic!("{fault:?} was found, but as {error}"),
            (fault, Ok(_)) => panic!("{fault:?} was not found"),
        }
    }
}
