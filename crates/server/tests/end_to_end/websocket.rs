//! A WebSocket by hand: enough to say hello and to see how the socket closes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::Service;

/// An open socket that has said hello.
pub struct Socket {
    stream: TcpStream,
}

impl Socket {
    pub fn open(service: &Service, token: &str) -> Self {
        let mut stream = service.connect();
        let head = "GET /v1/ws HTTP/1.1\r\nhost: loquat\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                    sec-websocket-protocol: loquat.v1.json\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("a request");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        let mut socket = Self { stream };
        socket.say(&serde_json::json!({ "op": "hello", "id": 1, "token": token }).to_string());
        let (opcode, ready) = socket.frame();
        assert_eq!(opcode, 1, "{}", String::from_utf8_lossy(&ready));
        assert!(
            String::from_utf8_lossy(&ready).contains("\"session\""),
            "{}",
            String::from_utf8_lossy(&ready)
        );
        socket
    }

    /// Sends a text frame, masked by zeros (RFC 6455, section 5.3, leaves the choice to the client).
    fn say(&mut self, text: &str) {
        let length = u16::try_from(text.len()).expect("a short frame");
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).expect("a frame is sent");
    }

    /// The next frame: its opcode and payload.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).expect("a frame");
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length).expect("a length");
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.stream.read_exact(&mut length).expect("a length");
                u64::from_be_bytes(length)
            }
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a frame fits into memory")];
        self.stream.read_exact(&mut payload).expect("a payload");
        (head[0] & 0x0f, payload)
    }

    /// Waits for the close and answers its code.
    pub fn close_code(&mut self) -> u16 {
        loop {
            if let (8, payload) = self.frame() {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}
