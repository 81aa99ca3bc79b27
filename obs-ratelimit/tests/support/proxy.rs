//! A TCP proxy whose weather can be changed: late, garbled, cut off.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to the answers of the server behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// Each answer comes this much later.
    Late(Duration),
    /// Each answer is replaced by these bytes.
    Garbage(&'static [u8]),
    /// Requests are read and never answered.
    Silence,
    /// Connections are closed as soon as something is said.
    Cut,
}

#[derive(Clone, Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    weather: Arc<Mutex<Weather>>,
}

impl Proxy {
    pub async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = Arc::new(Mutex::new(Weather::Fair));
        let proxy = Self { address, weather };
        let (server, this) = (server.to_owned(), proxy.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(this.clone().carry(client, server.clone()));
            }
        });
        proxy
    }

    pub fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap()
    }

    async fn carry(self, client: TcpStream, server: String) {
        let Ok(server) = TcpStream::connect(server).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let up = self.clone();
        let requests = async move {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
                match up.weather() {
                    Weather::Cut => return,
                    Weather::Silence => {}
                    _ => {
                        if to_server.write_all(&bytes[..count]).await.is_err() {
                            return;
                        }
                    }
                }
            }
        };
        let answers = async move {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                let sent = match self.weather() {
                    Weather::Cut => return,
                    Weather::Silence => Ok(()),
                    Weather::Garbage(garbage) => to_client.write_all(garbage).await,
                    Weather::Fair => to_client.write_all(&bytes[..count]).await,
                    Weather::Late(time) => {
                        tokio::time::sleep(time).await;
                        to_client.write_all(&bytes[..count]).await
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = requests => {}
            () = answers => {}
        }
    }
}
