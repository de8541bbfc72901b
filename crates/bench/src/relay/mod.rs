//! A bare WebSocket relay: what the socket library and the kernel can do with these bytes, and no more.
//!
//! It speaks just enough of the protocol for a load test (`hello`, `send`, `ack`; answers, events and
//! receipts in the same shapes) with the same library and buffer sizes as Loquat's gateway. It keeps no
//! accounts, checks no permissions and remembers no message. With `--log` each message is appended to a
//! file and synced, one `fdatasync` a batch, before it is acknowledged or delivered: that is the least
//! a durable service must do, so it is the line that Loquat is measured against.
//!
//! Everything runs on one thread of a `current_thread` runtime, plus one for the log.

mod frames;
mod log;
mod outbox;
mod session;
mod state;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{State, WebSocketUpgrade},
    response::Response,
    routing::get,
};
use clap::Args;
use tokio::net::TcpListener;

use crate::{
    error::BenchError,
    layout::Layout,
    relay::{log::Log, state::Relay},
};

/// Read buffer of a socket, as Loquat sets it.
const READ_BUFFER_BYTES: usize = 2048;
/// Frames gather up to here before a write; a flush follows each round anyway.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;
/// How often gathered receipts of groups go out.
const GROUP_RECEIPT_PERIOD: Duration = Duration::from_secs(1);

/// Arguments of `loquat-bench relay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RelayArguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Who talks to whom: pairs:P, groups:GxM or users:N.
    #[arg(long, default_value = "pairs:100")]
    layout: Layout,
    /// Append every message to this file and sync it before answering.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// Serves until the process is killed.
pub(crate) fn run(arguments: &RelayArguments) -> Result<(), BenchError> {
    let log = arguments.log.as_deref().map(Log::create).transpose()?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all();
    if let Some((log, _)) = &log {
        let log = Arc::clone(log);
        // The runtime parks when every frame that has arrived is handled: the widest batch that costs
        // no waiting. Waking the log at the first append instead would sync batches of one.
        runtime.on_thread_park(move || log.commit_pending());
    }
    runtime.build()?.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await?;
        serve(listener, arguments.layout, log).await
    })
}

async fn serve(
    listener: TcpListener,
    layout: Layout,
    log: Option<(Arc<Log>, log::Committed)>,
) -> Result<(), BenchError> {
    let (log, committed) = log.unzip();
    let relay = Arc::new(Relay::new(layout, log));
    if let Some(mut committed) = committed {
        let relay = Arc::clone(&relay);
        tokio::spawn(async move {
            while let Some(batch) = committed.recv().await {
                for append in batch {
                    relay.publish(append);
                }
            }
        });
    }
    tokio::spawn(gather_group_receipts(Arc::clone(&relay)));
    let router =
        Router::new().route("/v1/ws", get(upgrade)).route("/readyz", get(async || "ready")).with_state(relay);
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Without TCP_NODELAY a lone ack would wait for the peer's delayed acknowledgement.
            let _ = stream.set_nodelay(true);
        }),
        router,
    )
    .await?;
    Ok(())
}

async fn upgrade(State(relay): State<Arc<Relay>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["loquat.v1.json"])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .on_upgrade(move |socket| session::serve(socket, relay))
}

async fn gather_group_receipts(relay: Arc<Relay>) {
    let mut period = tokio::time::interval(GROUP_RECEIPT_PERIOD);
    loop {
        period.tick().await;
        relay.flush_group_receipts();
    }
}

/// Serves a relay without a log from the current runtime; for the generator's tests.
#[cfg(test)]
pub(crate) async fn serve_in_background(layout: Layout) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { serve(listener, layout, None).await });
    address
}
