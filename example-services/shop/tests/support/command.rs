use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What `shop …` on a data folder said.
#[derive(Debug)]
pub struct Said {
    pub good: bool,
    pub text: String,
}

/// Runs `shop` with these words on the data folder `data`.
pub async fn shop(data: &Path, words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    command.env_clear().args(words).arg("--data").arg(data).stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Said { good: output.status.success(), text: format!("{text}{told}") }
}

impl Said {
    /// What it said, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// Runs `shop` again and again until it says that all is well: what is in memory of the shop is
/// written within seconds.
pub async fn until_good(data: &Path, words: &[&str], attempts: usize) -> Said {
    let mut said = shop(data, words).await;
    for _ in 1..attempts {
        if said.good {
            return said;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        said = shop(data, words).await;
    }
    assert!(said.good, "{words:?}: {}", said.text);
    said
}
