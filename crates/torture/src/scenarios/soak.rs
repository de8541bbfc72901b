//! Everything at once for a long time: memory stays where it was when it was warm, and every promise holds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Tally;
use crate::api::{Address, Api, Call, Reply};
use crate::arena::{Arena, Context, Equipment};
use crate::dice::Dice;
use crate::failure::{Failure, Outcome};
use crate::report::Report;
use crate::server::Server;
use crate::socket::Socket;
use crate::world::{Account, open_conversation, sign_up};

/// How long people and conversations are used before there are new ones, so that the oracle's logs stay short.
const ROUND: Duration = Duration::from_secs(60);
/// Rounds that a run has at least, so that a short one is judged, too.
const ROUNDS: u32 = 10;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Between two visits.
const PAUSE_MS: u64 = 30;
/// Messages that there are to page in.
const HISTORY: u64 = 300;

/// Senders, readers and visitors for as long as the options say.
pub(super) async fn soak(context: Context) -> Outcome<Report> {
    let mut report = Report::new("soak");
    // Caches that are full when memory counts as warm: what grows after that, grows without end.
    let small = ("LOQUAT_LANES__CONVERSATIONS".to_owned(), "8".to_owned());
    let equipment = Equipment { settings: vec![small], ..Equipment::default() };
    let mut arena = Arena::open(&context, "soak", equipment).await?;
    let length = Duration::from_secs(60 * context.soak_minutes);
    let round = ROUND.min(length / ROUNDS);
    let mut visitor = Visitor::arrive(&arena.address, arena.dice.fork("visitor")).await?;
    let mut tally = Tally::default();
    let (mut samples, mut descriptors) = (Vec::new(), Vec::new());
    let mut loaded = Duration::ZERO;
    while loaded < length {
        let started = Instant::now();
        let visits = &mut visitor;
        let seen = arena
            .load(async |server: &mut Option<Server>| visit_and_watch(server, visits, round).await)
            .await?;
        loaded += started.elapsed();
        samples.extend(seen);
        context.progress.set_position(loaded.as_secs());
        arena.let_something_expire().await?;
        if !tally.verify(&mut arena).await? {
            break;
        }
        descriptors.push(arena.running()?.descriptors()?);
        arena.renew().await?;
    }
    judge(&mut report, &samples, &descriptors);
    let Visitor { visits, wrong, .. } = visitor;
    let first =
        wrong.first().map_or(String::new(), |first| format!("{} others, the first: {first}", wrong.len()));
    report.check(format!("each of {visits} visits got what it may get"), wrong.is_empty(), first);
    tally.report(&mut report);
    Ok(report)
}

/// Visits until the round is over; the resident memory at each look, in KiB.
async fn visit_and_watch(
    server: &mut Option<Server>,
    visitor: &mut Visitor,
    round: Duration,
) -> Outcome<Vec<u64>> {
    let end = Instant::now() + round;
    let mut samples = Vec::new();
    let mut next_look = Instant::now() + LOOK;
    while Instant::now() < end {
        visitor.visit().await?;
        tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
        if Instant::now() >= next_look {
            let server = server.as_ref().ok_or_else(|| Failure::unexpected("the service does not run"))?;
            samples.push(server.resident_kib()?);
            next_look += LOOK;
        }
    }
    Ok(samples)
}

/// Compares the last fifth of the run with the fifth that follows the first, in which everything becomes warm.
fn judge(report: &mut Report, samples: &[u64], descriptors: &[usize]) {
    let fifth = samples.len() / 5;
    let median = |part: &[u64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or(0)
    };
    let (warm, last) = (median(&samples[fifth..2 * fifth]), median(&samples[samples.len() - fifth..]));
    let most = samples.iter().max().copied().unwrap_or(0);
    let detail =
        format!("{warm} KiB warm, {last} KiB at the end, {most} KiB at most, {} looks", samples.len());
    report.check("memory within 5 %", fifth > 0 && last <= warm + warm / 20, detail);
    // Twice the sockets and connections of the load are room enough for what is just being closed.
    let (first, last) = (descriptors.first().copied().unwrap_or(0), descriptors.last().copied().unwrap_or(0));
    report.check(
        "descriptors stay",
        last <= first.saturating_mul(2),
        format!("{first} first, {last} at the end"),
    );
}

/// Two people whom the oracle does not know, who use everything that the load does not.
struct Visitor {
    address: Address,
    dice: Dice,
    host: (Account, Api),
    guest: (Account, Api),
    /// A group of the two with a past, and a channel of the host.
    group: String,
    channel: String,
    visits: u64,
    /// Answers that are none of what they may be.
    wrong: Vec<String>,
}

impl Visitor {
    async fn arrive(address: &Address, mut dice: Dice) -> Outcome<Self> {
        let mut nobody = Api::new(address.clone());
        let (host, guest) = (sign_up(&mut nobody, &mut dice).await?, sign_up(&mut nobody, &mut dice).await?);
        let mut as_host = Api::with_token(address.clone(), &host.token);
        let as_guest = Api::with_token(address.clone(), &guest.token);
        let group = json!({"kind": "group", "title": "Soak", "members": [guest.id.0]});
        let group = open_conversation(&mut as_host, &group).await?.0;
        let channel = json!({"kind": "channel", "title": "Soak", "members": []});
        let channel = open_conversation(&mut as_host, &channel).await?.0;
        for number in 0..HISTORY {
            let message = json!({"nonce": format!("soak-{number}"), "text": dice.hex(200)});
            let call = Call::post(format!("/v1/conversations/{group}/messages")).json(&message);
            as_host.call(call).await?.success()?;
        }
        let (host, guest) = ((host, as_host), (guest, as_guest));
        let address = address.clone();
        Ok(Self { address, dice, host, guest, group, channel, visits: 0, wrong: Vec::new() })
    }

    async fn visit(&mut self) -> Outcome<()> {
        self.visits += 1;
        match self.dice.between(0, 9) {
            0..=3 => self.page().await,
            4 => self.look_around().await,
            5 => self.join_and_leave().await,
            6 => self.meet_people().await,
            7 => self.come_and_go().await,
            8 => self.send_nothing().await,
            _ => self.change_what_is_mine().await,
        }
    }

    /// Notes an answer that is none of these.
    fn expect(&mut self, reply: &Reply, what: &str, statuses: &[u16]) {
        if !statuses.contains(&reply.status) {
            self.wrong.push(format!("{what}: {} {}", reply.status, reply.text));
        }
    }

    async fn as_guest(&mut self, call: Call, what: &str, statuses: &[u16]) -> Outcome<Reply> {
        let reply = self.guest.1.call(call).await?;
        self.expect(&reply, what, statuses);
        Ok(reply)
    }

    async fn as_host(&mut self, call: Call, what: &str, statuses: &[u16]) -> Outcome<Reply> {
        let reply = self.host.1.call(call).await?;
        self.expect(&reply, what, statuses);
        Ok(reply)
    }

    /// Pages of messages in all four ways, and of the log.
    async fn page(&mut self) -> Outcome<()> {
        let place = self.dice.between(1, HISTORY);
        let query = ["before", "after", "around"][usize::try_from(self.dice.between(0, 2)).unwrap_or(0)];
        let group = self.group.clone();
        let path = match self.dice.between(0, 3) {
            0 => format!("/v1/conversations/{group}/events?after={place}&limit=200"),
            1 => format!("/v1/conversations/{group}/messages?limit=50&at=0"),
            _ => format!("/v1/conversations/{group}/messages?limit=50&{query}={place}"),
        };
        self.as_guest(Call::get(path), "a page", &[200]).await.map(drop)
    }

    /// Lists, searches, presence, a long poll that does not wait, and all that is kept of the guest.
    async fn look_around(&mut self) -> Outcome<()> {
        let host = self.host.0.id.0.clone();
        for path in [
            "/v1/conversations?limit=20".to_owned(),
            format!("/v1/conversations/{}/members", self.group),
            "/v1/users?q=t_&limit=20".to_owned(),
            format!("/v1/presence?users={host}"),
            "/v1/sync?timeout=0".to_owned(),
            "/v1/me/devices".to_owned(),
        ] {
            self.as_guest(Call::get(path.clone()), &path, &[200]).await?;
        }
        if self.dice.percent(10) {
            self.as_guest(Call::get("/v1/me/export"), "an export", &[200]).await?;
        }
        Ok(())
    }

    /// By an invitation into the channel, and out again.
    async fn join_and_leave(&mut self) -> Outcome<()> {
        let path = format!("/v1/conversations/{}", self.channel);
        let invites = Call::post(format!("{path}/invites")).json(&json!({"max_uses": 1, "expires_in": 60}));
        let invite = self.as_host(invites, "an invitation", &[201]).await?;
        let code = invite.body["code"].as_str().unwrap_or("").to_owned();
        self.as_guest(Call::get(format!("/v1/invites/{code}")), "a preview", &[200]).await?;
        self.as_guest(Call::post(format!("/v1/invites/{code}/join")), "a join", &[200]).await?;
        let message = json!({"nonce": self.dice.hex(20), "text": self.dice.hex(100)});
        let send = Call::post(format!("{path}/messages")).json(&message);
        let sent = self.as_host(send, "a message in the channel", &[201]).await?;
        let read = Call::post(format!("{path}/receipts")).json(&json!({"read": sent.body["seq"]}));
        self.as_guest(read, "a receipt", &[200]).await?;
        self.as_guest(Call::delete(format!("{path}/members/me")), "a leave", &[200]).await.map(drop)
    }

    /// A request that is declined or withdrawn, and a block that ends.
    async fn meet_people(&mut self) -> Outcome<()> {
        let (host, guest) = (self.host.0.id.0.clone(), self.guest.0.id.0.clone());
        let ask = Call::post("/v1/contacts/requests").json(&json!({"user": host}));
        // Only so many an hour.
        self.as_guest(ask, "a request", &[200, 201, 429]).await?;
        self.as_guest(Call::delete(format!("/v1/contacts/{host}")), "its withdrawal", &[204]).await?;
        self.as_host(Call::put(format!("/v1/blocks/{guest}")), "a block", &[204]).await?;
        self.as_host(Call::delete(format!("/v1/blocks/{guest}")), "its end", &[204]).await.map(drop)
    }

    /// A socket, and another device that signs in and out.
    async fn come_and_go(&mut self) -> Outcome<()> {
        let (socket, _) = Socket::connect(&self.address, &self.guest.0.token, None).await?;
        let watch = json!({"op": "watch", "users": [self.host.0.id.0]});
        let watched = socket.request(watch).await?;
        if watched.get("ok").is_none() {
            self.wrong.push(format!("a watch: {watched}"));
        }
        drop(socket);
        let Account { username, password, .. } = self.guest.0.clone();
        let log_in = Call::post("/v1/auth/login").json(&json!({"login": username, "password": password}));
        let session = self.as_guest(log_in, "a log-in", &[200]).await?;
        let token = session.body["access_token"].as_str().unwrap_or("").to_owned();
        let logged_out =
            Api::with_token(self.address.clone(), &token).call(Call::post("/v1/auth/logout")).await?;
        self.expect(&logged_out, "a log-out", &[204]);
        Ok(())
    }

    /// Uploads of nothing: bodies that are empty, cut short, or say that there is nothing.
    async fn send_nothing(&mut self) -> Outcome<()> {
        let path = format!("/v1/conversations/{}/messages", self.group);
        for body in ["", "{", "null", "{}", r#"{"nonce":"nothing","text":""}"#] {
            self.as_guest(Call::post(path.clone()).raw(body), "nothing", &[400]).await?;
        }
        Ok(())
    }

    /// Profile, settings, preferences and a draft.
    async fn change_what_is_mine(&mut self) -> Outcome<()> {
        let text = self.dice.hex(500);
        let profile = Call::patch("/v1/me").json(&json!({"bio": text, "settings": {"filler": text}}));
        self.as_guest(profile, "a profile", &[200]).await?;
        let draft = if self.dice.percent(50) { json!(text) } else { Value::Null };
        let path = format!("/v1/conversations/{}/preferences", self.group);
        let preferences = Call::patch(path).json(&json!({"draft": draft, "pinned": self.dice.percent(50)}));
        self.as_guest(preferences, "preferences", &[200]).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::report::Report;

    fn passes(samples: &[u64], descriptors: &[usize]) -> Vec<bool> {
        let mut report = Report::new("soak");
        judge(&mut report, samples, descriptors);
        report.checks.iter().map(|check| check.passed).collect()
    }

    #[test]
    fn what_grows_after_the_first_fifth_is_found() {
        let warming: Vec<u64> = (0..100).map(|look| if look < 20 { 50 * look } else { 1_000 }).collect();
        assert_eq!(passes(&warming, &[20, 22]), [true, true], "a start is no leak");
        let leaking: Vec<u64> = (0..100).map(|look| 1_000 + look).collect();
        assert_eq!(passes(&leaking, &[20, 41]), [false, false]);
        let peak: Vec<u64> = (0..100).map(|look| if look == 99 { 5_000 } else { 1_000 }).collect();
        assert_eq!(passes(&peak, &[20, 20]), [true, true], "one look is none");
        assert_eq!(passes(&[1, 1], &[]), [false, true], "too few to tell");
    }
}
