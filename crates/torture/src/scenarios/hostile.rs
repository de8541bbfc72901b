//! Input that nobody should send: every one gets a typed error or a close, and costs nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Tally;
use crate::api::{Address, Api, Call, Reply};
use crate::arena::{Arena, Context, Equipment};
use crate::dice::Dice;
use crate::failure::{Failure, Outcome};
use crate::report::Report;
use crate::socket::Socket;

/// How many connections dribble their headers.
const DRIBBLERS: usize = 40;
/// When a connection that never finishes its headers must be gone.
const HEADER_LIMIT: Duration = Duration::from_secs(40);
/// After this part of the inputs (a fifth) memory counts as warm.
const WARM_UP: u64 = 5;

/// Thousands of malformed frames, bodies and connections.
pub(super) async fn hostile(context: Context) -> Outcome<Report> {
    let mut report = Report::new("hostile");
    let mut arena = Arena::open(&context, "hostile", Equipment::default()).await?;
    arena.load_for(Duration::from_secs(1)).await?;
    let dribbling = tokio::spawn(dribble(arena.address.clone()));
    let mut attack = Attack::open(&arena).await?;
    let mut warm = 0;
    for input in 0..context.hostile_inputs {
        if input == context.hostile_inputs / WARM_UP {
            warm = arena.running()?.resident_kib()?;
        }
        match attack.dice.between(0, 9) {
            0..=4 => attack.frame().await?,
            5..=8 => attack.call().await?,
            _ => attack.bytes().await?,
        }
        context.progress.inc(1);
        if let Some(status) = arena.running()?.status()? {
            report.check("the service survives", false, format!("{status} after {input} inputs"));
            return Ok(report);
        }
    }
    let dribblers = dribbling.await.map_err(Failure::unexpected)?;
    report.check(
        "slow headers are cut off",
        dribblers == 0,
        format!("{dribblers} of {DRIBBLERS} still open"),
    );
    let memory = arena.running()?.resident_kib()?;
    let detail = format!("{warm} KiB warm, {memory} KiB after {} inputs", context.hostile_inputs);
    report.check("memory within 5 %", memory <= warm + warm / 20, detail);
    let Attack { wrong, closes, errors, .. } = attack;
    let detail = wrong.first().map_or(format!("{errors} errors, {closes} closes"), |first| {
        format!("{} others, the first: {first}", wrong.len())
    });
    report.check("each got a typed error or a close", wrong.is_empty(), detail);
    arena.load_for(Duration::from_secs(1)).await?;
    let mut tally = Tally::default();
    tally.verify(&mut arena).await?;
    tally.report(&mut report);
    Ok(report)
}

struct Attack {
    address: Address,
    token: String,
    conversation: String,
    dice: Dice,
    api: Api,
    socket: Option<Socket>,
    /// Answers that are none of what they may be.
    wrong: Vec<String>,
    closes: u64,
    errors: u64,
}

impl Attack {
    async fn open(arena: &Arena) -> Outcome<Self> {
        let room = &arena.world.rooms[0];
        let token = arena.world.accounts[room.owner].token.clone();
        Ok(Self {
            address: arena.address.clone(),
            conversation: room.id.0.clone(),
            dice: arena.dice.clone().fork("hostile"),
            api: Api::with_token(arena.address.clone(), &token),
            socket: None,
            token,
            wrong: Vec::new(),
            closes: 0,
            errors: 0,
        })
    }

    /// A frame, and a ping behind it: the answer shows that the socket lives, or it was closed.
    async fn frame(&mut self) -> Outcome<()> {
        let text = self.frame_text();
        let socket = match self.socket.take() {
            Some(socket) if !socket.is_closed() => socket,
            _ => Socket::connect(&self.address, &self.token, None).await?.0,
        };
        let sent = socket.send_text(text.clone()).await;
        let answered = match sent {
            Ok(()) => socket.request(json!({"op": "ping"})).await,
            Err(_) => Err(Failure::Closed),
        };
        match answered {
            Ok(answer) if answer.get("ok").is_some() => {
                self.errors += 1;
                self.socket = Some(socket);
            }
            Err(Failure::Closed | Failure::Socket(_)) => self.closes += 1,
            other => self.wrong.push(format!("{other:?} for the frame {}", cut(&text))),
        }
        Ok(())
    }

    fn frame_text(&mut self) -> String {
        // Ids that no ping of ours has.
        let valid = json!({"op": "send", "id": 4_000_000_007_u64, "conversation": self.conversation,
            "nonce": format!("h-{}", self.dice.hex(12)), "body": {"text": "hostile"}});
        match self.dice.between(0, 9) {
            0 => String::from_utf8_lossy(&self.dice.bytes(80)).into_owned(),
            1 => nested(self.dice.between(10, 30_000)),
            2 => "x".repeat(usize::try_from(self.dice.between(65_000, 300_000)).unwrap_or(0)),
            3 => self.mutated(&valid.to_string()),
            4 => {
                let op =
                    ["send", "edit", "delete", "react", "pin", "ack", "typing", "watch", "status", "fetch"];
                let op = self.dice.pick(&op).copied().unwrap_or("send");
                let mut frame = json!({"op": op, "id": self.strange(), "conversation": self.strange()});
                for field in
                    ["nonce", "target", "body", "text", "emoji", "on", "users", "state", "after", "limit"]
                {
                    frame[field] = self.strange();
                }
                frame.to_string()
            }
            5 => json!({"op": self.strange(), "id": 1}).to_string(),
            6 => {
                let full = valid.to_string();
                let end = usize::try_from(self.dice.between(0, 60)).unwrap_or(0);
                full.chars().take(end).collect()
            }
            7 => valid.to_string().replace("hostile", "\\ud800 \\u0000 \\u202e"),
            8 => json!({"op": "hello", "id": 1, "token": self.strange()}).to_string(),
            _ => {
                let mut frame = valid;
                let fields = ["conversation", "nonce", "body", "id", "op"];
                if let Some(field) = self.dice.pick(&fields).copied() {
                    frame[field] = self.strange();
                }
                frame.to_string()
            }
        }
    }

    /// A JSON value that is hardly ever what is wanted.
    fn strange(&mut self) -> Value {
        match self.dice.between(0, 11) {
            0 => Value::Null,
            1 => json!(-1),
            2 => json!(u64::MAX),
            3 => json!(1.5e300),
            4 => json!(""),
            5 => json!("0"),
            6 => json!("99999999999999999999999999"),
            7 => json!([[], [{}]]),
            8 => json!({"text": {"text": 1}}),
            9 => json!("a".repeat(5_000)),
            10 => json!(true),
            _ => json!("../../etc/passwd\r\nX: y"),
        }
    }

    fn mutated(&mut self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..self.dice.between(1, 4) {
            let length = u64::try_from(bytes.len()).unwrap_or(1);
            let place = usize::try_from(self.dice.between(0, length - 1)).unwrap_or(0);
            bytes[place] = u8::try_from(self.dice.between(32, 126)).unwrap_or(b'x');
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn call(&mut self) -> Outcome<()> {
        let (call, what) = self.strange_call();
        match self.api.call(call).await {
            Ok(reply) => self.judge(&reply, &what),
            // Refusing a body by closing the connection is an answer, too.
            Err(Failure::Http(_) | Failure::Io { .. }) => self.closes += 1,
            Err(other) => self.wrong.push(format!("{other} for {what}")),
        }
        Ok(())
    }

    fn strange_call(&mut self) -> (Call, String) {
        let base = format!("/v1/conversations/{}", self.conversation);
        let segment =
            self.dice.pick(&["0", "-1", "99999999999999999999", "%00", "%ff", "..%2f..", "me", "1"]);
        let segment = segment.copied().unwrap_or("0");
        let paths = [
            "/v1/auth/signup".to_owned(),
            "/v1/auth/login".to_owned(),
            "/v1/auth/refresh".to_owned(),
            "/v1/me".to_owned(),
            "/v1/conversations".to_owned(),
            format!("{base}/messages"),
            format!("{base}/messages?limit={segment}&before={segment}&after=x"),
            format!("{base}/events?after={segment}&limit=0"),
            format!("{base}/messages/{segment}"),
            format!("{base}/messages/1/reactions/{segment}"),
            format!("{base}/members/{segment}"),
            format!("{base}/receipts"),
            format!("{base}/preferences"),
            format!("/v1/conversations/{segment}"),
            format!("/v1/users/{segment}"),
            format!("/v1/users?q={segment}&cursor={segment}"),
            format!("/v1/sync?since={segment}&timeout=0"),
            format!("/v1/{segment}/{segment}"),
        ];
        let path = self.dice.pick(&paths).cloned().unwrap_or_default();
        let makers = [Call::get, Call::post, Call::put, Call::patch, Call::delete];
        let maker = self.dice.pick(&makers).copied().unwrap_or(Call::get);
        // The own account and the witness's membership are what the rest of the run stands on.
        let call = if path == "/v1/me" { Call::post(path.clone()) } else { maker(path.clone()) };
        let (body, kind) = match self.dice.between(0, 6) {
            0 => (nested(self.dice.between(10, 20_000)).into_bytes(), "deep JSON"),
            1 => (self.dice.bytes(300), "random bytes"),
            2 => (vec![b'['; 2 << 20], "2 MiB"),
            3 => (
                json!({"username": self.strange(), "password": self.strange()}).to_string().into_bytes(),
                "types",
            ),
            4 => (json!({"nonce": self.strange(), "text": self.strange()}).to_string().into_bytes(), "types"),
            5 => {
                (json!({"kind": self.strange(), "members": self.strange()}).to_string().into_bytes(), "types")
            }
            _ => (Vec::new(), "nothing"),
        };
        (call.raw(body), format!("{path} with {kind}"))
    }

    fn judge(&mut self, reply: &Reply, what: &str) {
        let typed =
            !reply.code().is_empty() && reply.body["status"].as_u64() == Some(u64::from(reply.status));
        let fits = match reply.status {
            200..400 => true,
            // The method is not the path's: no problem of ours.
            405 => true,
            400..500 | 503 => typed,
            _ => false,
        };
        if fits {
            self.errors += 1;
        } else {
            self.wrong.push(format!("{} {} for {what}", reply.status, cut(&reply.text)));
        }
    }

    /// Bytes that are no HTTP: an answer or an end, soon.
    async fn bytes(&mut self) -> Outcome<()> {
        let mut stream = self.address.connect().await?;
        let garbage = match self.dice.between(0, 3) {
            0 => self.dice.bytes(200),
            1 => b"GET / HTTP/9.9\r\n\r\n".to_vec(),
            2 => format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000)).into_bytes(),
            _ => b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n{}".to_vec(),
        };
        // A server that has seen enough may hang up while we still write.
        let _ = stream.write_all(&garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        match tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await {
            Ok(_) => self.closes += 1,
            Err(_) => self.wrong.push(format!("no end of {:?}", cut(&String::from_utf8_lossy(&garbage)))),
        }
        Ok(())
    }
}

fn nested(depth: u64) -> String {
    let depth = usize::try_from(depth).unwrap_or(0);
    format!("{{\"op\":\"send\",\"id\":1,\"body\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
}

fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}

/// Slowloris: connections that never finish their headers. How many are open when they should not be.
async fn dribble(address: Address) -> usize {
    let mut open = Vec::new();
    for _ in 0..DRIBBLERS {
        if let Ok(mut stream) = address.connect().await
            && stream.write_all(b"GET /v1/server HTTP/1.1\r\nHost: x\r\n").await.is_ok()
        {
            open.push(stream);
        }
    }
    let started = tokio::time::Instant::now();
    while !open.is_empty() && started.elapsed() < HEADER_LIMIT {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut left = Vec::new();
        for mut stream in open {
            if stream.write_all(b"x: y\r\n").await.is_ok() && !has_ended(&stream) {
                left.push(stream);
            }
        }
        open = left;
    }
    open.len()
}

/// Whether the server has closed the connection, answering first or not.
fn has_ended(stream: &TcpStream) -> bool {
    let mut buffer = [0; 1024];
    match stream.try_read(&mut buffer) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}
