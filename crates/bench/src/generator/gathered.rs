//! A TCP stream that gathers small writes.
//!
//! The WebSocket library hands each frame to the kernel as two slices of a vectored write, which costs the
//! kernel more than copying them together costs us. Here writes only copy; the flush makes one system call.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A stream whose writes wait for a flush. What may wait is bounded by the windows of the load.
pub(crate) struct Gathered {
    stream: TcpStream,
    waiting: Vec<u8>,
    /// Bytes of `waiting` that the kernel has taken.
    written: usize,
}

impl Gathered {
    /// Wraps a connected stream.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, waiting: Vec::new(), written: 0 }
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        for slice in slices {
            self.waiting.extend_from_slice(slice);
        }
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.written < this.waiting.len() {
            match ready!(Pin::new(&mut this.stream).poll_write(context, &this.waiting[this.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => this.written += taken,
            }
        }
        this.waiting.clear();
        this.written = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn bytes_leave_at_the_flush_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut near = Gathered::new(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
        let (mut far, _) = listener.accept().await.unwrap();
        near.write_all(b"one ").await.unwrap();
        near.write_all(b"two").await.unwrap();
        assert!(far.try_read(&mut [0; 8]).is_err(), "nothing may be on the way before the flush");
        near.flush().await.unwrap();
        let mut received = [0; 7];
        far.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"one two");
        near.shutdown().await.unwrap();
        assert_eq!(far.read(&mut received).await.unwrap(), 0);
    }
}
