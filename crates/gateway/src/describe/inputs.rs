//! What extractors read.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use loquat_proto::Nonce;
use schemars::JsonSchema;
use serde_json::json;

use super::openapi::Draft;
use crate::extract::{ClientAddress, IdempotencyKey, Json, OptionalJson, Path, Query, SignedIn};
use crate::state::GatewayState;

/// An extractor that can say what it reads of a request.
pub(crate) trait Input {
    /// Adds it to the operation.
    fn describe(draft: &mut Draft<'_>);
}

/// Reads nothing that a client would have to know of.
macro_rules! silent {
    ($($input:ty),+) => {
        $(impl Input for $input {
            fn describe(_: &mut Draft<'_>) {}
        })+
    };
}

silent!(State<GatewayState>, SignedIn, ClientAddress, HeaderMap, Request);

impl<T: JsonSchema> Input for Json<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.body::<T>(true);
    }
}

impl<T: JsonSchema> Input for OptionalJson<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.body::<T>(false);
    }
}

impl<T: JsonSchema> Input for Query<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.query::<T>();
    }
}

impl<T: PathParameters> Input for Path<T> {
    fn describe(draft: &mut Draft<'_>) {
        T::describe(draft);
    }
}

impl Input for IdempotencyKey {
    fn describe(draft: &mut Draft<'_>) {
        let schema = draft.input_schema::<Nonce>();
        draft.parameter(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Names this call, so that a retry with the same key does nothing anew and has the first answer. \
                            For a change of a conversation it is the nonce, where the body has none.",
            "schema": schema,
        }));
    }
}

/// One or several parameters of a path, in the order of the template.
pub(crate) trait PathParameters {
    /// Adds them.
    fn describe(draft: &mut Draft<'_>);
}

/// A single parameter of a path.
macro_rules! single {
    ($($parameter:ty),+) => {
        $(impl PathParameters for $parameter {
            fn describe(draft: &mut Draft<'_>) {
                draft.path_parameter::<Self>();
            }
        })+
    };
}

single!(
    String,
    loquat_proto::Seq,
    loquat_proto::ConversationId,
    loquat_proto::DeviceId,
    loquat_proto::UserId,
    crate::extract::UserSegment
);

impl<A: PathParameters, B: PathParameters> PathParameters for (A, B) {
    fn describe(draft: &mut Draft<'_>) {
        A::describe(draft);
        B::describe(draft);
    }
}

impl<A: PathParameters, B: PathParameters, C: PathParameters> PathParameters for (A, B, C) {
    fn describe(draft: &mut Draft<'_>) {
        A::describe(draft);
        B::describe(draft);
        C::describe(draft);
    }
}
