//! Who acts, and on what stage.

use loquat_proto::Role;
use serde_json::json;

use crate::support::{Client, Group, Person, Server};

/// Everybody who could try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Without credentials.
    Nobody,
    /// A member on a device that was revoked.
    Revoked,
    /// Signed in, never a member.
    Stranger,
    /// Signed in, never a member; the bystander blocks them.
    Blocked,
    /// A member once.
    Former,
    Guest,
    Member,
    /// A member, who wrote the message and owns the device in question.
    Author,
    Admin,
    Owner,
}

impl Actor {
    pub const ALL: [Self; 10] = [
        Self::Nobody,
        Self::Revoked,
        Self::Stranger,
        Self::Blocked,
        Self::Former,
        Self::Guest,
        Self::Member,
        Self::Author,
        Self::Admin,
        Self::Owner,
    ];

    /// The role in the conversation, of who is a member and signed in.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Nobody | Self::Revoked | Self::Stranger | Self::Blocked | Self::Former => None,
            Self::Guest => Some(Role::Guest),
            Self::Member | Self::Author => Some(Role::Member),
            Self::Admin => Some(Role::Admin),
            Self::Owner => Some(Role::Owner),
        }
    }
}

/// The people behind the actors.
pub struct Cast {
    pub revoked: Person,
    pub stranger: Person,
    pub blocked: Person,
    pub former: Person,
    pub guest: Person,
    pub member: Person,
    pub author: Person,
    pub admin: Person,
    pub owner: Person,
    /// Somebody to act upon.
    pub bystander: Person,
    /// The direct conversation of the blocked and the bystander.
    pub direct: Group,
}

impl Cast {
    pub async fn sign_up(server: &Server, index: usize) -> Self {
        let someone = async |name: &str| server.sign_up(&format!("{name}{index}")).await;
        let revoked = someone("revoked").await;
        let second = Person::log_in(server, &revoked.username).await;
        second.delete(&format!("/v1/me/devices/{}", revoked.device)).await.expect(204);
        let (blocked, bystander) = (someone("blocked").await, someone("bystander").await);
        let body = json!({"kind": "direct", "members": [bystander.id]});
        let id = blocked.post("/v1/conversations", body).await.expect(201)["id"].as_str().unwrap().to_owned();
        let message = blocked.say(&id, "before the block").await;
        bystander.put(&format!("/v1/blocks/{}", blocked.id)).await.expect(204);
        Self {
            direct: Group { id, message },
            revoked,
            blocked,
            bystander,
            stranger: someone("stranger").await,
            former: someone("former").await,
            guest: someone("guest").await,
            member: someone("member").await,
            author: someone("author").await,
            admin: someone("admin").await,
            owner: someone("owner").await,
        }
    }
}

/// A fresh conversation of the cast.
pub struct Scene<'a> {
    pub server: &'a Server,
    pub cast: &'a Cast,
    pub group: Group,
    observer: Person,
    owner: Person,
}

impl<'a> Scene<'a> {
    pub async fn set(server: &'a Server, cast: &'a Cast, kind: &str) -> Self {
        // Whoever's account the calls before ended is replaced where the group needs them.
        let founder = Founders::of(server, cast).await;
        let Founders { owner, admin, author, guest, former, others } = &founder;
        let group =
            Group::create((kind, owner), [admin, author, guest, former], &others.iter().collect::<Vec<_>>())
                .await;
        let observer = others.last().unwrap().clone();
        let owner = founder.owner;
        Self { server, cast, group, observer, owner }
    }

    /// The direct conversation of the blocked and the one who blocks them.
    pub fn in_direct(server: &'a Server, cast: &'a Cast) -> Self {
        let group = Group { id: cast.direct.id.clone(), message: cast.direct.message };
        let (observer, owner) = (cast.stranger.clone(), cast.owner.clone());
        Self { server, cast, group, observer, owner }
    }

    /// The client that the actor calls with.
    pub fn client(&self, actor: Actor) -> Client {
        self.person(actor).map_or_else(|| self.server.client(), |person| (**person).clone())
    }

    pub fn person(&self, actor: Actor) -> Option<&'a Person> {
        let cast = self.cast;
        Some(match actor {
            Actor::Nobody => return None,
            Actor::Revoked => &cast.revoked,
            Actor::Stranger => &cast.stranger,
            Actor::Blocked => &cast.blocked,
            Actor::Former => &cast.former,
            Actor::Guest => &cast.guest,
            Actor::Member => &cast.member,
            Actor::Author => &cast.author,
            Actor::Admin => &cast.admin,
            Actor::Owner => &cast.owner,
        })
    }

    /// A member who watches.
    pub fn observer(&self) -> &Person {
        &self.observer
    }

    /// An invitation by the owner.
    pub async fn invite(&self) -> String {
        if self.group.id == self.cast.direct.id {
            return "nobody-is-invited-here".to_owned();
        }
        let path = format!("/v1/conversations/{}/invites", self.group.id);
        let invite = self.owner.post(&path, json!({})).await.expect(201);
        invite["code"].as_str().unwrap().to_owned()
    }

    /// How far the log goes; `None` once the conversation is deleted.
    pub async fn head(&self) -> Option<u64> {
        let answer = self.observer.get(&format!("/v1/conversations/{}", self.group.id)).await;
        (answer.status == 200).then(|| answer.body["head"].as_u64().unwrap())
    }
}

/// Those of the cast who can still sign in, and substitutes for the others.
struct Founders {
    owner: Person,
    admin: Person,
    author: Person,
    guest: Person,
    former: Person,
    others: Vec<Person>,
}

impl Founders {
    async fn of(server: &Server, cast: &Cast) -> Self {
        let present = async |person: &Person| {
            if person.get("/v1/me").await.status == 200 {
                return person.clone();
            }
            server.sign_up(&format!("s{}", crate::support::nonce().replace('-', "."))).await
        };
        let observer = server.sign_up(&format!("o{}", crate::support::nonce().replace('-', "."))).await;
        let mut others = vec![present(&cast.member).await, present(&cast.bystander).await];
        // The device is revoked, the account is a member.
        let again = Person::log_in_unless_gone(server, &cast.revoked.username).await;
        others.extend(again);
        others.push(observer);
        Self {
            owner: present(&cast.owner).await,
            admin: present(&cast.admin).await,
            author: present(&cast.author).await,
            guest: present(&cast.guest).await,
            former: present(&cast.former).await,
            others,
        }
    }
}

impl Person {
    async fn log_in_unless_gone(server: &Server, username: &str) -> Option<Self> {
        let body = json!({"login": username, "password": crate::support::PASSWORD});
        let answer = server.client().post("/v1/auth/login", body).await;
        (answer.status == 200).then(|| Self::from_session(server, &answer.body))
    }
}
