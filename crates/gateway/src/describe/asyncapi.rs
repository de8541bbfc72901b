//! The AsyncAPI 3 document of the socket, generated from the frame types and the table of frames.
//!
//! It is the service's: what clients send is `receive`, what it pushes and answers is `send`. Schemas are in JSON Schema
//! draft 7, of which AsyncAPI's own dialect is a superset.

use loquat_proto::conversation::Cursor;
use loquat_proto::frame::{Push, WatchAnswer};
use loquat_proto::message::{Appended, EventPage};
use loquat_proto::{ClientFrame, CloseCode, ErrorBody, Ready, SUBPROTOCOL};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::schemas::speak_plainly;
use crate::socket::{FrameOp, SOCKET_PATH, ops};

const ABOUT: &str = "\
The socket of Loquat, version 1: a WebSocket (RFC 6455) with the subprotocol `loquat.v1.json`. Each message is one text frame \
with one JSON object. A reader passes over fields and pushes that it does not know.\n\n\
The first frame is `hello`, within 10 seconds, with a ticket of `POST /v1/connect` or an access token. A frame with an `id` \
is answered by `{\"re\": id, \"ok\": …}` or `{\"re\": id, \"error\": …}`, in any order; sends to one conversation are appended in \
the order in which they were sent. An answer to what appends means that it is durable.\n\n\
Events of a conversation are pushed in `seq` order, without gaps: whoever sees one fetches what is missing.";

const CHANNEL: &str = "#/channels/socket";

/// The AsyncAPI 3 document of the socket.
#[must_use]
pub fn asyncapi() -> Value {
    let mut document = Document::new();
    for op in ops() {
        document.frame(op);
    }
    document.pushes();
    document.finish()
}

struct Document {
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
    frames: Vec<Value>,
    messages: Map<String, Value>,
    operations: Map<String, Value>,
}

impl Document {
    fn new() -> Self {
        let settings = SchemaSettings::draft07().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        let mut inputs = settings.clone().for_deserialize().into_generator();
        let frames = variants(ClientFrame::json_schema(&mut inputs).to_value());
        let outputs = settings.for_serialize().into_generator();
        Self { inputs, outputs, frames, messages: Map::new(), operations: Map::new() }
    }

    /// A frame that clients send, and its answers.
    fn frame(&mut self, op: FrameOp) {
        let name = op.name();
        let mut payload = self
            .frames
            .iter()
            .find(|frame| op_of(frame) == Some(name))
            .cloned()
            .expect("every op is a variant of the frame type");
        payload["properties"]["id"] = json!({
            "type": "integer", "minimum": 1,
            "description": "The client's name for this frame, under which it is answered.",
        });
        let answer = self.answer(op);
        let mut operation = json!({
            "action": "receive",
            "channel": {"$ref": CHANNEL},
            "messages": [{"$ref": format!("{CHANNEL}/messages/{name}")}],
        });
        if let Some(answer) = answer {
            if op == FrameOp::Hello {
                // Nothing else may come before it is answered.
                require(&mut payload, "id");
            }
            let reply = format!("{name}_answer");
            let schema = json!({
                "type": "object",
                "required": ["re", "ok"],
                "properties": {"re": {"type": "integer", "description": "The id of the frame."}, "ok": answer},
            });
            self.message(&reply, "The answer.", schema);
            operation["reply"] = json!({
                "channel": {"$ref": CHANNEL},
                "messages": [
                    {"$ref": format!("{CHANNEL}/messages/{reply}")},
                    {"$ref": format!("{CHANNEL}/messages/refusal")},
                ],
            });
        }
        let about = payload.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.message(name, &about, payload);
        self.operations.insert(name.to_owned(), operation);
    }

    /// What answers a frame with an id. `None` where nothing does.
    fn answer(&mut self, op: FrameOp) -> Option<Value> {
        let outputs = &mut self.outputs;
        let schema = match op {
            FrameOp::Hello => outputs.subschema_for::<Ready>(),
            FrameOp::Send | FrameOp::Edit | FrameOp::Delete | FrameOp::React | FrameOp::Pin => {
                outputs.subschema_for::<Appended>()
            }
            FrameOp::Ack => outputs.subschema_for::<Cursor>(),
            FrameOp::Watch => outputs.subschema_for::<WatchAnswer>(),
            FrameOp::Fetch => outputs.subschema_for::<EventPage>(),
            FrameOp::Ping => return Some(json!({"type": "object"})),
            FrameOp::Typing | FrameOp::Status => return None,
        };
        Some(schema.to_value())
    }

    /// What the service sends unasked, and refusals.
    fn pushes(&mut self) {
        for payload in variants(Push::json_schema(&mut self.outputs).to_value()) {
            let Some(op) = op_of(&payload).map(str::to_owned) else { continue };
            let name = format!("push_{op}");
            let about = payload.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
            self.operations.insert(
                name.clone(),
                json!({
                    "action": "send",
                    "channel": {"$ref": CHANNEL},
                    "messages": [{"$ref": format!("{CHANNEL}/messages/{name}")}],
                }),
            );
            self.message(&name, &about, payload);
        }
        let error = self.outputs.subschema_for::<ErrorBody>();
        let refusal = json!({
            "type": "object",
            "required": ["re", "error"],
            "properties": {"re": {"type": "integer", "description": "The id of the frame."}, "error": error},
        });
        self.message("refusal", "The answer to a frame that is refused.", refusal);
    }

    fn message(&mut self, name: &str, about: &str, payload: Value) {
        let message = json!({
            "name": name,
            "summary": about,
            "contentType": "application/json",
            "payload": payload,
        });
        self.messages.insert(name.to_owned(), message);
    }

    fn finish(mut self) -> Value {
        let mut schemas = self.outputs.take_definitions(true);
        // What a client may leave out and the service never does: the same name, and the looser shape serves both.
        schemas.extend(self.inputs.take_definitions(true));
        let references: Map<String, Value> = self
            .messages
            .keys()
            .map(|name| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")})))
            .collect();
        let codes: Vec<String> =
            CloseCode::ALL.iter().map(|code| format!("{}: {}", code.code(), code.reason())).collect();
        let mut document = json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Loquat, the socket",
                "version": env!("CARGO_PKG_VERSION"),
                "description": format!("{ABOUT}\n\nClose codes: {}.", codes.join(", ")),
                "license": {"name": "Apache-2.0"},
            },
            "defaultContentType": "application/json",
            "channels": {
                "socket": {
                    "address": SOCKET_PATH,
                    "description": "Where clients and the service exchange frames.",
                    "messages": references,
                    "bindings": {"ws": {
                        "method": "GET",
                        "headers": {
                            "type": "object",
                            "properties": {"Sec-WebSocket-Protocol": {"type": "string", "const": SUBPROTOCOL}},
                        },
                        "bindingVersion": "0.1.0",
                    }},
                },
            },
            "operations": self.operations,
            "components": {"messages": self.messages, "schemas": schemas},
        });
        speak_plainly(&mut document);
        document
    }
}

/// The alternatives of an enumeration with an inner tag.
fn variants(mut schema: Value) -> Vec<Value> {
    match schema.get_mut("oneOf").map(Value::take) {
        Some(Value::Array(variants)) => variants,
        _ => Vec::new(),
    }
}

fn op_of(frame: &Value) -> Option<&str> {
    frame["properties"]["op"]["const"].as_str()
}

fn require(schema: &mut Value, field: &str) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.push(field.into());
    }
}
