use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use obs_core::environment::Environment;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::process::until;

/// Far longer than a page takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often to look whether something has happened on a page.
const LOOK: Duration = Duration::from_millis(20);

/// A headless Chromium with one tab, driven over its
/// [DevTools protocol](https://chromedevtools.github.io/devtools-protocol/); killed when dropped.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    socket: WebSocketStream<TcpStream>,
    session: Option<String>,
    asked: u64,
    /// What the tab told without being asked.
    pub events: Vec<Value>,
    _profile: TempDir,
}

impl Chromium {
    /// The browser that `OBS_TEST_CHROMIUM` names.
    pub async fn start() -> Self {
        let environment = Environment::process();
        let program = environment.get("OBS_TEST_CHROMIUM");
        let program = program.expect("OBS_TEST_CHROMIUM names a Chromium");
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new(program)
            // Pages are our own, and a container has no sandbox for root.
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--mute-audio"])
            .args(["--remote-debugging-port=0", "--window-size=1100,900"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let socket = connect(profile.path()).await;
        let mut this =
            Self { child, socket, session: None, asked: 0, events: Vec::new(), _profile: profile };
        let target = this.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let session = this.call("Target.attachToTarget", target).await;
        this.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Network", "Log", "DOM", "Accessibility"] {
            this.call(&format!("{domain}.enable"), json!({})).await;
        }
        this
    }

    /// What a command answers.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let message = self.receive().await;
            if message["id"] == self.asked {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    async fn receive(&mut self) -> Value {
        let next = tokio::time::timeout(PATIENCE, self.socket.next());
        let message = next.await.expect("a message in time").unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    /// Waits for an event that has not been seen yet.
    pub async fn event(&mut self, method: &str) -> Value {
        loop {
            let message = self.receive().await;
            self.events.push(message.clone());
            if message["method"] == method {
                return message["params"].clone();
            }
        }
    }

    /// All events of a kind so far.
    pub fn told(&self, method: &str) -> Vec<&Value> {
        let of_kind = self.events.iter().filter(|event| event["method"] == method);
        of_kind.map(|event| &event["params"]).collect()
    }

    /// Opens an address and waits until the page is there.
    pub async fn open(&mut self, address: &str) {
        let answer = self.call("Page.navigate", json!({"url": address})).await;
        assert!(answer["errorText"].is_null(), "{address}: {answer}");
        self.event("Page.loadEventFired").await;
    }

    /// The value of an expression on the page.
    pub async fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", params).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true, over as many pages as that takes.
    pub async fn until(&mut self, expression: &str) {
        let params = json!({"expression": expression, "returnByValue": true});
        let looking = async {
            // While one page gives way to the next there is nothing to ask.
            while self.call("Runtime.evaluate", params.clone()).await["result"]["value"] != true {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{expression}"));
    }

    /// Presses a key that is no letter.
    pub async fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            other => panic!("{other} is not among the keys"),
        };
        let mut down =
            json!({"type": "rawKeyDown", "key": key, "code": key, "windowsVirtualKeyCode": code});
        if !text.is_empty() {
            down["type"] = json!("keyDown");
            down["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", down).await;
        let up = json!({"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", up).await;
    }

    /// Types into what has the focus.
    pub async fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text})).await;
    }

    /// Presses Tab until the focus is on what `selector` selects.
    pub async fn tab_to(&mut self, selector: &str) {
        let there = format!("document.activeElement.matches({})", json!(selector));
        for _ in 0..60 {
            self.press("Tab").await;
            if self.eval(&there).await == true {
                return;
            }
        }
        panic!("{selector} cannot be reached with Tab");
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it listens it writes into its profile: the port, then the path of the browser's socket.
async fn connect(profile: &Path) -> WebSocketStream<TcpStream> {
    let file = profile.join("DevToolsActivePort");
    let told = || std::fs::read_to_string(&file).unwrap_or_default();
    until(|| told().lines().count() == 2).await;
    let told = told();
    let (port, path) = told.split_once('\n').unwrap();
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    let address = format!("ws://127.0.0.1:{port}{}", path.trim());
    client_async(address, stream).await.unwrap().0
}
