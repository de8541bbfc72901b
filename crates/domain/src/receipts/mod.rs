//! Receipts: cursors that move forward only, told to others by the lanes and saved lazily.

mod book;
mod service;

pub use book::CursorBook;
pub use service::ReceiptService;
