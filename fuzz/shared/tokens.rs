//! Access tokens: nothing but the token that was issued, to the byte, is let in.

use std::sync::{Arc, OnceLock};

use loquat_domain::Storage;
use loquat_proto::account::SignUp;
use loquat_testkit::{MemoryStore, TestApp, TestSettings};
use tokio::runtime::{Builder, Runtime};

/// Where to begin, besides a valid token.
pub const SEEDS: &[&str] = &[
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwiZGlkIjoiMSJ9.",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.AAAA",
    "a.b.c",
];

struct World {
    runtime: Runtime,
    app: TestApp,
    token: String,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (app, token) = runtime.block_on(async {
            let storage = Storage::from_one(Arc::new(MemoryStore::new(1)));
            let app = TestApp::start(storage, TestSettings::default()).await;
            let request: SignUp =
                serde_json::from_str(r#"{"username":"ada","password":"correct horse"}"#).expect("a sign-up");
            let signed_in = app.auth().sign_up(request, None).await.expect("an account");
            (app, signed_in.session.access_token.0)
        });
        World { runtime, app, token }
    })
}

/// The valid token.
pub fn valid() -> &'static str {
    &world().token
}

/// One input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let World { runtime, app, token } = world();
    let verified = runtime.block_on(app.auth().verify(text));
    assert_eq!(verified.is_ok(), text == token, "{text:?}");
    let _ = runtime.block_on(app.auth().redeem_ticket(text));
}
