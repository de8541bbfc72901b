//! The published contract against the live service: schemathesis makes thousands of calls from `/v1/openapi.json` and
//! holds each answer against it.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::shell::{self, Workspace};
use crate::smoke::{self, Service};
use crate::tools;

/// What the tool cannot know: conversations that are there, with the account as an admin in them; and that ids are digits
/// below 2^51, which a pattern cannot say. Half of the ids that it tries are of something.
const HOOKS: &str = include_str!("contract/hooks.py");

/// `too_large` is a refusal, too.
const CONFIGURATION: &str = "[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 410, 413, 429, 503]
";

/// Not that each input which fits the schema is taken: names and texts have rules that no schema tells.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,negative_data_rejection,\
                      unsupported_method,ignored_auth";

/// Calls that end the session which all others are made with, and those that wait.
const LEFT_OUT: [&str; 4] = ["/v1/auth/logout", "/v1/me/devices/{device}", "/v1/ws", "/v1/sync"];

/// No rates, and passwords that cost nothing: the tool is quick.
const SETTINGS: [(&str, &str); 6] = [
    ("LOQUAT_LIMITS__REQUESTS_PER_SECOND", "0"),
    ("LOQUAT_LIMITS__SENDS_PER_SECOND", "0"),
    ("LOQUAT_LIMITS__SIGNUPS_PER_HOUR", "0"),
    ("LOQUAT_LIMITS__LOGINS_PER_MINUTE", "0"),
    ("LOQUAT_AUTH__ARGON2__MEMORY_KIB", "8"),
    ("LOQUAT_AUTH__ACCESS_TOKEN_SECONDS", "86400"),
];

/// Serves with an account and lets schemathesis loose on it.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let tool = tools::schemathesis(workspace)?;
    let folder = workspace.target.join("schemathesis");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("hooks.py"), HOOKS)?;
    fs::write(folder.join("schemathesis.toml"), CONFIGURATION)?;
    let (mut service, address) = Service::start(workspace, &folder.join("data"), &SETTINGS)?;
    let account = r#"{"username":"schemathesis","password":"correct horse battery"}"#;
    let session = smoke::post(address, "/v1/auth/signup", account)?;
    ensure!(session.status == 201, "no account: {}", session.body);
    let token = session.body.split_once("\"access_token\":\"").and_then(|(_, rest)| rest.split_once('"'));
    let (token, _) = token.context("no access token in the answer to a sign-up")?;
    let mut run = workspace.command(tool);
    run.current_dir(&folder).env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", &folder);
    run.env("LOQUAT_ADDRESS", address.to_string()).env("LOQUAT_TOKEN", token);
    run.args(["run", &format!("http://{address}/v1/openapi.json"), "--checks", CHECKS]);
    run.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "50", "--seed", "1", "--no-color"]);
    for path in LEFT_OUT {
        run.args(["--exclude-path", path]);
    }
    run.arg("--header").arg(format!("Authorization: Bearer {token}"));
    shell::succeed(&mut run)?;
    // Otherwise the calls after the end of the session were all refused, and nothing was held against the contract.
    let alive = smoke::get_as(address, "/v1/me", token)?;
    ensure!(alive.status == 200, "the session ended while it was used: {}", alive.body);
    service.stop(workspace).map(drop)
}
