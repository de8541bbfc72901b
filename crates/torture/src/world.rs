//! Who talks to whom: accounts and conversations of every kind that the oracle looks at.

use serde_json::{Value, json};

use crate::api::{Address, Api, Call};
use crate::dice::Dice;
use crate::event::{ConversationId, UserId};
use crate::failure::{Failure, Outcome};

/// How many people there are.
pub(crate) const PEOPLE: usize = 8;

/// Somebody who signed up.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) token: String,
    /// Everything in the session that nobody else may see.
    pub(crate) refresh_token: String,
}

/// A conversation; people by their place among the accounts.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) id: ConversationId,
    pub(crate) full_history: bool,
    pub(crate) founders: Vec<usize>,
    /// A founder who stays.
    pub(crate) owner: usize,
    /// Who is added and removed again and again.
    pub(crate) guests: Vec<usize>,
}

/// Accounts and their conversations.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) accounts: Vec<Account>,
    pub(crate) rooms: Vec<Room>,
}

/// What a conversation is to be like.
struct Plan {
    kind: &'static str,
    full_history: bool,
    /// The owner first.
    founders: &'static [usize],
    guests: &'static [usize],
}

const PLANS: &[Plan] = &[
    Plan { kind: "direct", full_history: true, founders: &[0, 1], guests: &[] },
    Plan { kind: "direct", full_history: true, founders: &[2, 3], guests: &[] },
    Plan { kind: "direct", full_history: true, founders: &[4, 7], guests: &[] },
    Plan { kind: "group", full_history: true, founders: &[0, 1, 2, 3, 4, 5], guests: &[6, 7] },
    Plan { kind: "group", full_history: false, founders: &[1, 2, 3, 4, 7], guests: &[5, 6, 7] },
    Plan { kind: "group", full_history: false, founders: &[5, 6, 0], guests: &[] },
];

/// Signs somebody up.
pub(crate) async fn sign_up(api: &mut Api, dice: &mut Dice) -> Outcome<Account> {
    let (username, password) = (format!("t_{}", dice.hex(16)), dice.hex(24));
    let body = json!({"username": username, "password": password, "display_name": "Torture",
        "device": {"name": "torture", "platform": "test"}});
    let session = api.call(Call::post("/v1/auth/signup").json(&body)).await?.success()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let account = || {
        Some(Account {
            id: UserId(text(&session["user"]["id"])?),
            username,
            password,
            token: text(&session["access_token"])?,
            refresh_token: text(&session["refresh_token"])?,
        })
    };
    account().ok_or_else(|| Failure::Unexpected(format!("no session: {session}")))
}

/// Opens a conversation as the holder of `token`.
pub(crate) async fn open_conversation(api: &mut Api, body: &Value) -> Outcome<ConversationId> {
    let opened = api.call(Call::post("/v1/conversations").json(body)).await?.success()?;
    let id = opened["id"].as_str().map(|id| ConversationId(id.to_owned()));
    id.ok_or_else(|| Failure::Unexpected(format!("no conversation: {opened}")))
}

impl World {
    /// Signs everybody up and opens the conversations.
    pub(crate) async fn found(address: &Address, dice: &mut Dice) -> Outcome<Self> {
        let mut nobody = Api::new(address.clone());
        let mut accounts = Vec::new();
        for _ in 0..PEOPLE {
            accounts.push(sign_up(&mut nobody, dice).await?);
        }
        let mut rooms = Vec::new();
        for plan in PLANS {
            rooms.push(plan.open(address, &accounts).await?);
        }
        Ok(Self { accounts, rooms })
    }
}

impl Plan {
    async fn open(&self, address: &Address, accounts: &[Account]) -> Outcome<Room> {
        let [owner, others @ ..] = self.founders else {
            return Err(Failure::unexpected("a plan without founders"));
        };
        let members: Vec<&str> = others.iter().map(|place| accounts[*place].id.0.as_str()).collect();
        let mut body = json!({"kind": self.kind, "members": members});
        if self.kind != "direct" {
            body["title"] = json!("Torture");
            body["history"] = json!(if self.full_history { "full" } else { "joined" });
        }
        let mut api = Api::with_token(address.clone(), &accounts[*owner].token);
        Ok(Room {
            id: open_conversation(&mut api, &body).await?,
            full_history: self.full_history,
            founders: self.founders.to_vec(),
            owner: *owner,
            guests: self.guests.to_vec(),
        })
    }
}
