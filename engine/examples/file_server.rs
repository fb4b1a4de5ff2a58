//! Serves the files of a directory over HTTP/1.0, read by an [`AsyncEngine`] whatever the kernel allows: io_uring, kernel AIO or threads.
//!
//! ```text
//! cargo run --release --features tokio --example file_server -- DIRECTORY [ADDRESS [CONNECTIONS]]
//! cargo run --release --features tokio --example file_server -- --self-test
//! ```
//!
//! With a number of connections it ends after them. The self test asks itself for files, 16 at a time, and compares.

use std::env;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use engine::tokio::AsyncEngine;
use engine::{AlignedBuf, Options};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Bytes that are read at once.
const CHUNK: usize = 128 * 1024;

/// Bytes of a request that anybody has to read.
const LONGEST_REQUEST: u64 = 4096;

/// Finds the file that a request line asks for, within the directory.
fn find(directory: &Path, request: &str) -> Option<PathBuf> {
    let path = request.strip_prefix("GET /")?.split(' ').next()?;
    // No `..`, no second root: what is asked for stays in the directory, as long as no link leads out of it.
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| directory.join(path))
}

/// Answers one request.
async fn serve(engine: &AsyncEngine, directory: &Path, stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    (&mut stream).take(LONGEST_REQUEST).read_line(&mut request).await?;
    // Opening blocks for as long as the names are not in the cache; a server for slow disks has `spawn_blocking` do it.
    let found = find(directory, &request).and_then(|path| File::open(path).ok());
    let Some((file, metadata)) = found.and_then(|file| file.metadata().ok().map(|metadata| (file, metadata)))
    else {
        return stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n").await;
    };
    if !metadata.is_file() {
        return stream.write_all(b"HTTP/1.0 403 Forbidden\r\n\r\n").await;
    }
    let len = metadata.len();
    stream.write_all(format!("HTTP/1.0 200 OK\r\nContent-Length: {len}\r\n\r\n").as_bytes()).await?;
    let (mut file, mut buffer, mut offset) = (file, AlignedBuf::new(CHUNK), 0);
    while offset < len {
        // Both go into the operation, and come back with it.
        let read = engine.read_at(file, buffer, offset).await?;
        if read.count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (file, buffer) = (read.file, read.buffer);
        let count = read.count.min(usize::try_from(len - offset).unwrap_or(usize::MAX));
        stream.write_all(&buffer[..count]).await?;
        offset += count as u64;
    }
    stream.shutdown().await
}

/// Answers so many connections, or for ever.
async fn listen(listener: TcpListener, directory: PathBuf, connections: Option<usize>) -> io::Result<()> {
    let engine = AsyncEngine::new(&Options::new(64))?;
    let directory: Arc<Path> = directory.into();
    println!("{} by {} on {}", directory.display(), engine.backend(), listener.local_addr()?);
    let mut serving = JoinSet::new();
    let mut accepted = 0;
    while connections.is_none_or(|connections| accepted < connections) {
        let (stream, peer) = listener.accept().await?;
        accepted += 1;
        let (engine, directory) = (engine.clone(), Arc::clone(&directory));
        serving.spawn(async move {
            if let Err(error) = serve(&engine, &directory, stream).await {
                eprintln!("{peer}: {error}");
            }
        });
        while serving.try_join_next().is_some() {}
    }
    serving.join_all().await;
    engine.close().await
}

/// Asks for a file, and returns the head and the body of the answer.
async fn get(address: SocketAddr, name: String) -> io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET /{name} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let body = answer.split_off(head);
    Ok((String::from_utf8_lossy(&answer).into_owned(), body))
}

async fn self_test() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let lens = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 1_000_000];
    let content = |len: usize| (0..len).map(|at| (at * 31 % 251) as u8).collect::<Vec<_>>();
    for len in lens {
        std::fs::write(directory.path().join(len.to_string()), content(len))?;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(listen(listener, directory.path().to_owned(), Some(16 * lens.len() + 2)));
    for len in lens {
        let mut answers: JoinSet<_> = (0..16).map(|_| get(address, len.to_string())).collect();
        while let Some(answer) = answers.join_next().await {
            let (head, body) = answer??;
            assert!(head.starts_with("HTTP/1.0 200") && body == content(len), "{len} bytes: {head}");
        }
    }
    for (name, status) in [("../secret", "404"), ("nothing", "404")] {
        let (head, _) = get(address, name.into()).await?;
        assert_eq!(head.split(' ').nth(1), Some(status));
    }
    server.await??;
    println!("{} files, 16 times each, as they are on the disk", lens.len());
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let usage = || io::Error::other("usage: file_server DIRECTORY [ADDRESS [CONNECTIONS]], or --self-test");
    let directory = arguments.next().ok_or_else(usage)?;
    if directory == "--self-test" {
        return self_test().await;
    }
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let connections = arguments.next().map(|text| text.parse().map_err(|_| usage())).transpose()?;
    listen(TcpListener::bind(address).await?, directory.into(), connections).await
}
