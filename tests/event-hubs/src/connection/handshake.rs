//! The first bytes of a connection: the SASL layer, then the AMQP header.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::codec::Value;
use crate::frames::{self, Performative};
use crate::options::Options;

const SASL_HEADER: &[u8; 8] = b"AMQP\x03\x01\x00\x00";
const AMQP_HEADER: &[u8; 8] = b"AMQP\x00\x01\x00\x00";

const MECHANISMS: u8 = 0x40;
const INIT: u8 = 0x41;
const OUTCOME: u8 = 0x44;

const FRAME_BYTES_MAX: usize = 65_536;

/// True when the connection may go on.
pub(crate) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, options: &Options) -> io::Result<bool> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await?;
    stream.write_all(SASL_HEADER).await?;
    if &header != SASL_HEADER {
        // The specification's way to say which header was expected.
        stream.flush().await?;
        return Ok(false);
    }
    let offered = vec![Value::symbols(&["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"])];
    send(stream, MECHANISMS, offered).await?;

    let body = read_frame(stream).await?;
    let (init, _) = Performative::read(&body).map_err(io::Error::other)?;
    let allowed = init.code == INIT && allowed(&init, options);
    let code = if allowed { 0 } else { 1 };
    send(stream, OUTCOME, vec![Value::Ubyte(code), Value::Null]).await?;
    if !allowed {
        return Ok(false);
    }
    stream.read_exact(&mut header).await?;
    stream.write_all(AMQP_HEADER).await?;
    stream.flush().await?;
    Ok(&header == AMQP_HEADER)
}

/// Tokens decide later, so nothing is asked here; but a wrong password is refused.
fn allowed(init: &Performative, options: &Options) -> bool {
    match init.text(0) {
        Some("ANONYMOUS" | "MSSBCBS" | "EXTERNAL") => true,
        Some("PLAIN") => {
            let Some(Value::Binary(response)) = init.field(1) else { return false };
            let mut parts = response.split(|byte| *byte == 0).skip(1);
            parts.next() == Some(options.key_name.as_bytes()) && parts.next() == Some(options.key.as_bytes())
        }
        _ => false,
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, code: u8, fields: Vec<Value>) -> io::Result<()> {
    let mut out = BytesMut::new();
    frames::performative(&mut out, frames::SASL, 0, code, fields);
    stream.write_all(&out).await?;
    stream.flush().await
}

async fn read_frame<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).await?;
    let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if head[4] != 2 || !(8..=FRAME_BYTES_MAX).contains(&size) {
        return Err(io::Error::other("malformed SASL frame"));
    }
    let mut body = vec![0; size - 8];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
