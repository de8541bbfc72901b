//! The OpenAPI 3.1 document, generated from the table of routes and the types of their handlers.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, StatusCode};
use axum::routing::MethodFilter;
use loquat_proto::{ErrorCode, Problem};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::schemas::{Schemas, speak_plainly};
use crate::route::{Access, Audience, Route, routes};

/// What every reader of the document should know first.
const ABOUT: &str = "\
The calls of Loquat, version 1. JSON in UTF-8; times are integer milliseconds since the Unix epoch; ids are decimal \
strings. A reader passes over fields and values that it does not know; fields are added, and never change their meaning.\n\n\
**Signing in.** `POST /v1/auth/login` answers with an access token, sent as `Authorization: Bearer …` for 15 minutes, and a \
refresh token for the next one.\n\n\
**Errors** are problem documents (RFC 9457) with a stable `code`. What the caller may not see is `404 not_found`, never 403.\n\n\
**Nonces.** A change of a conversation carries a nonce, in the body or as `Idempotency-Key`; a repeated one has the first \
answer and changes nothing.\n\n\
**Lists** take `limit` (1 to 200, 50 by default) and the opaque `cursor` of the page before.\n\n\
The socket is described in `/v1/asyncapi.json`.";

/// What the sections of the document are called, by the part of the path that names a resource.
const TAGS: &[(&str, &str, &str)] = &[
    ("auth", "Signing in", "Accounts and sessions begin and end."),
    ("me", "Own account", "The own profile, settings and devices."),
    ("users", "Users", "Others' public profiles."),
    ("contacts", "Contacts", "Contacts and the requests that lead to them."),
    ("blocks", "Blocks", "Whom the caller wants nothing from."),
    ("presence", "Presence", "Who is there."),
    ("conversations", "Conversations", "Conversations and the caller's own part in them."),
    ("members", "Members", "Who is in a conversation, and as what."),
    ("invites", "Invitations", "Links by which others join."),
    ("messages", "Messages", "What was said: messages, reactions, pins and the raw log."),
    ("receipts", "Receipts and typing", "How far each member has read, and who is writing."),
    ("connect", "Staying in touch", "The socket, and the long poll for clients that cannot hold one."),
    ("server", "Service", "What the service says about itself."),
];

/// The OpenAPI 3.1 document of all routes.
#[must_use]
pub fn openapi() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for route in routes() {
        let tag = tag(route.template());
        used.insert(tag);
        let method = route.method().as_str().to_ascii_lowercase();
        paths.entry(route.template()).or_default().insert(method, operation(route, tag, &mut schemas));
    }
    let tags: Vec<Value> = TAGS
        .iter()
        .filter(|(_, name, _)| used.contains(name))
        .map(|(_, name, about)| json!({"name": name, "description": about}))
        .collect();
    let problem = schemas.output::<Problem>();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Loquat",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An open chat service",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "accessToken": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "An access token of a session.",
                },
            },
            "responses": refusals(&problem),
        },
    });
    let components = schemas.finish(&mut document);
    document["components"]["schemas"] = Value::Object(components);
    speak_plainly(&mut document);
    document
}

/// The section of a route: the last part of its path that names a resource.
fn tag(template: &str) -> &'static str {
    let resource = |part: &str| {
        // Parts that belong to the section of another.
        let part = match part {
            "reactions" | "pins" | "events" => "messages",
            "typing" => "receipts",
            "preferences" => "conversations",
            "sync" | "ws" => "connect",
            "jwks.json" => "auth",
            part => part,
        };
        TAGS.iter().find(|(key, ..)| *key == part).map(|(_, name, _)| *name)
    };
    template.rsplit('/').find_map(resource).unwrap_or("Service")
}

/// One operation.
fn operation(route: &Route, tag: &str, schemas: &mut Schemas) -> Value {
    let endpoint = route.endpoint(MethodFilter::GET);
    let mut names: Vec<&'static str> = parameters_of(route.template()).collect();
    names.reverse();
    let mut draft = Draft { schemas, names, parameters: Vec::new(), body: None, responses: BTreeMap::new() };
    (endpoint.describe)(&mut draft);
    let Draft { parameters, body, responses, .. } = draft;
    let mut responses: Map<String, Value> =
        responses.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
    for status in refused_with(route, &parameters, body.is_some()) {
        responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{status}")}));
    }
    responses.insert("default".to_owned(), json!({"$ref": "#/components/responses/default"}));
    let (summary, description) = route.words();
    let mut operation = json!({
        "operationId": operation_id(endpoint.name),
        "tags": [tag],
        "summary": summary,
        "responses": responses,
        "security": match route.access() {
            Access::Probe | Access::Public => json!([]),
            Access::SignedIn(_) => json!([{"accessToken": []}]),
        },
    });
    let description = [description, audience(route.access())].into_iter().filter(|text| !text.is_empty());
    let description = description.collect::<Vec<_>>().join("\n\n");
    if !description.is_empty() {
        operation["description"] = description.into();
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

/// `loquat_gateway::rest::messages::put_reaction` is called `messages_put_reaction`.
fn operation_id(handler: &str) -> String {
    let mut parts = handler.rsplit("::");
    let (name, module) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{module}_{name}")
}

fn audience(access: Access) -> &'static str {
    let Access::SignedIn(audience) = access else { return "" };
    match audience {
        Audience::Everyone => "",
        Audience::Unblocked => "For everyone whom the other user does not block.",
        Audience::NotRemoved => "For everyone but those whom the members removed.",
        Audience::DeviceOwner => "For the user whose device it is.",
        Audience::Members(loquat_proto::Role::Guest) => "For members of the conversation.",
        Audience::Members(loquat_proto::Role::Member) => {
            "For members of the conversation who are not guests, unless its permissions say otherwise."
        }
        Audience::Members(loquat_proto::Role::Admin) => {
            "For admins of the conversation and its owner, unless its permissions say otherwise."
        }
        Audience::Members(loquat_proto::Role::Owner) => "For the owner of the conversation.",
        Audience::Author => "For the author of the message.",
        Audience::AuthorOrAdmin => "For the author of the message, and for admins.",
    }
}

/// With which statuses a call may be refused, as far as its shape tells.
fn refused_with(route: &Route, parameters: &[Value], has_body: bool) -> BTreeSet<u16> {
    let of = |code: ErrorCode| code.status();
    let mut statuses = BTreeSet::from([of(ErrorCode::Unavailable)]);
    if route.access() == Access::Probe {
        return statuses;
    }
    statuses.insert(of(ErrorCode::RateLimited));
    let is_in = |place: &str| parameters.iter().any(|parameter| parameter["in"] == place);
    if has_body || !parameters.is_empty() {
        statuses.insert(of(ErrorCode::Invalid));
    }
    if has_body {
        statuses.insert(of(ErrorCode::TooLarge));
    }
    if is_in("path") {
        statuses.insert(of(ErrorCode::NotFound));
    }
    if let Access::SignedIn(audience) = route.access() {
        statuses.insert(of(ErrorCode::Unauthorized));
        if !matches!(audience, Audience::Everyone | Audience::DeviceOwner) {
            statuses.insert(of(ErrorCode::Forbidden));
        }
        if *route.method() != Method::GET && is_in("path") {
            statuses.insert(of(ErrorCode::Conflict));
        }
    }
    statuses
}

/// The refusals that operations refer to, by status; `default` is any.
fn refusals(problem: &Value) -> Map<String, Value> {
    let mut codes: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in ErrorCode::ALL {
        codes.entry(code.status()).or_default().push(code);
    }
    let content = json!({"application/problem+json": {"schema": problem}});
    let mut refusals: Map<String, Value> = codes
        .into_iter()
        .map(|(status, codes)| {
            let lines = codes.iter().map(|code| format!("`{code}`: {}.", code.title()));
            let description = lines.collect::<Vec<_>>().join(" ");
            let mut response = json!({"description": description, "content": content.clone()});
            if codes.iter().any(|code| code.is_retryable()) {
                response["headers"] = json!({"Retry-After": {
                    "description": "Seconds until a retry makes sense.",
                    "schema": {"type": "integer", "minimum": 1},
                }});
            }
            (status.to_string(), response)
        })
        .collect();
    refusals.insert(
        "default".to_owned(),
        json!({"description": "A refusal: the `code` says which.", "content": content}),
    );
    refusals
}

/// The names in the braces of a template.
fn parameters_of(template: &'static str) -> impl Iterator<Item = &'static str> {
    template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// An operation that is being described by the parts of its handler.
pub(crate) struct Draft<'a> {
    schemas: &'a mut Schemas,
    /// Names of the path's parameters that no part has described yet, the next one last.
    names: Vec<&'static str>,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: BTreeMap<u16, Value>,
}

impl Draft<'_> {
    /// The schema of what a request carries.
    pub(super) fn input_schema<T: JsonSchema>(&mut self) -> Value {
        self.schemas.input::<T>()
    }

    /// Adds a parameter, as OpenAPI writes it.
    pub(super) fn parameter(&mut self, parameter: Value) {
        self.parameters.push(parameter);
    }

    /// Adds the next parameter of the path.
    pub(super) fn path_parameter<T: JsonSchema>(&mut self) {
        let name = self.names.pop().expect("a handler reads no more parameters than its path has");
        let schema = self.schemas.input::<T>();
        self.parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
    }

    /// Adds the fields of an object as parameters of the query.
    pub(super) fn query<T: JsonSchema>(&mut self) {
        let mut schema = self.schemas.input_in_full::<T>();
        let required: BTreeSet<String> = schema["required"]
            .as_array()
            .map(|names| names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect())
            .unwrap_or_default();
        let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
        for (name, mut field) in std::mem::take(fields) {
            forbid_null(&mut field);
            let description = field.as_object_mut().and_then(|field| field.remove("description"));
            let mut parameter = json!({"name": name, "in": "query", "schema": field});
            if required.contains(&name) {
                parameter["required"] = true.into();
            }
            if let Some(description) = description {
                parameter["description"] = description;
            }
            self.parameters.push(parameter);
        }
    }

    /// Says what the body is.
    pub(super) fn body<T: JsonSchema>(&mut self, required: bool) {
        let schema = self.schemas.input::<T>();
        self.body = Some(json!({"required": required, "content": {"application/json": {"schema": schema}}}));
    }

    /// Adds an answer with a JSON body.
    pub(crate) fn answer<T: JsonSchema>(&mut self, status: StatusCode, about: &str) {
        let schema = self.schemas.output::<T>();
        let content = json!({"application/json": {"schema": schema}});
        self.responses.insert(status.as_u16(), json!({"description": about, "content": content}));
    }

    /// Adds an answer of another media type.
    pub(crate) fn media(&mut self, media_type: &str, about: &str) {
        let content = json!({media_type: {"schema": {"type": "string"}}});
        self.responses.insert(200, json!({"description": about, "content": content}));
    }

    /// Adds an answer without a body.
    pub(crate) fn empty_answer(&mut self, status: StatusCode, about: &str) {
        self.responses.insert(status.as_u16(), json!({"description": about}));
    }

    /// Adds a header to an answer that was added before.
    pub(crate) fn answer_header(&mut self, status: StatusCode, name: &str, about: &str) {
        if let Some(response) = self.responses.get_mut(&status.as_u16()) {
            response["headers"][name] = json!({"description": about, "schema": {"type": "string"}});
        }
    }
}

/// A parameter of a query is there or not; it cannot be null.
fn forbid_null(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    fields.remove("default");
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [kind] = types.as_slice() {
            let kind = kind.clone();
            fields.insert("type".to_owned(), kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_operation_and_says_what_it_does() {
        let document = openapi();
        for route in routes() {
            let method = route.method().as_str().to_ascii_lowercase();
            let name = format!("{} {}", route.method(), route.template());
            let operation = &document["paths"][route.template()][&method];
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(
                summary.ends_with('.') && summary.len() > 10,
                "{name} does not say what it does: add `.about(\"Does this.\", \"More words, or none.\")` to its route"
            );
            let described = operation["parameters"].as_array().map_or(0, |parameters| {
                parameters.iter().filter(|parameter| parameter["in"] == "path").count()
            });
            assert_eq!(
                described,
                parameters_of(route.template()).count(),
                "{name} reads all parameters of its path"
            );
            let answers = operation["responses"].as_object().unwrap();
            assert!(
                answers.keys().any(|status| status.starts_with('2') || status == "101"),
                "{name} has an answer"
            );
        }
    }

    #[test]
    fn names_of_operations_are_unique() {
        let mut seen = BTreeSet::new();
        for route in routes() {
            let name = operation_id(route.endpoint(MethodFilter::GET).name);
            assert!(seen.insert(name.clone()), "{name} names two operations");
        }
    }

    #[test]
    fn references_lead_somewhere() {
        let document = openapi();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
        }
        assert!(!text.contains("#input/"));
    }
}
