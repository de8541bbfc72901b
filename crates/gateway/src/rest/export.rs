//! `/v1/me/export`: everything of the caller, as one archive.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use loquat_domain::export::Export;

use crate::describe::{Answer, Draft, on};
use crate::extract::SignedIn;
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

/// What an archive is.
const TAR: &str = "application/x-tar";

pub(crate) static ROUTES: &[Route] =
    &[Route::new(Method::GET, "/v1/me/export", Access::SignedIn(Audience::Everyone), |method| {
        on(method, export)
    })
    .about(
        "Exports everything of the caller as one archive.",
        "A tar archive that explains itself; `docs/export.md` describes it. It is made while it is read: one that could \
         not be finished ends without its `manifest.json`. One at a time.",
    )];

async fn export(State(state): State<GatewayState>, SignedIn(caller): SignedIn) -> Result<Archive, Failure> {
    Ok(Archive(state.app.exports().start(caller).await?))
}

/// An archive that is made while it is read.
struct Archive(Export);

impl IntoResponse for Archive {
    fn into_response(self) -> Response {
        // A username has no character that a quoted string would have to escape.
        let disposition = format!("attachment; filename=\"{}\"", self.0.file_name());
        let pieces = stream::unfold(self.0, |mut export| async move {
            let piece = export.next().await?.map(|piece| piece.bytes);
            Some((piece, export))
        });
        let headers = [(header::CONTENT_TYPE, TAR.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
        (headers, Body::from_stream(pieces)).into_response()
    }
}

impl Answer for Archive {
    fn describe(draft: &mut Draft<'_>) {
        draft.media(TAR, "The archive.");
    }
}
