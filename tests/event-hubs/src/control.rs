//! The control channel: a TCP port that takes a command a line, as JSON, and answers with a line.

use std::io;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::shared::Shared;

pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { converse(stream, &shared).await });
    }
}

async fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let done =
            serde_json::from_str(&line).map_err(|error| error.to_string()).and_then(|command| shared.apply(command));
        let answer = done.unwrap_or_else(|error| json!({ "error": error }));
        writer.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}
