//! What runs on a data folder: a file per process, with the base URLs of its services.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::Fault;

fn folder(data: &Path) -> PathBuf {
    data.join("run")
}

/// A process that runs services, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// What it is called after the services it runs.
    #[serde(skip)]
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// How long it took from its start until all its services were ready, in milliseconds.
    pub ready_after_ms: u64,
    /// The base URLs of its services.
    pub services: BTreeMap<String, String>,
}

/// The file of a process; dropped, it is removed.
#[derive(Debug)]
pub struct RunFile(PathBuf);

impl RunFile {
    /// Writes down that this process, which is called `process`, serves `urls`, and how long it
    /// took to get there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(
        data: &Path,
        process: &str,
        urls: &BTreeMap<&'static str, String>,
        ready_after: Duration,
    ) -> io::Result<Self> {
        let file = folder(data).join(format!("{process}.json"));
        std::fs::create_dir_all(folder(data))?;
        let services = urls.iter().map(|(name, url)| ((*name).to_owned(), url.clone()));
        let process = Process {
            name: process.to_owned(),
            pid: std::process::id(),
            ready_after_ms: u64::try_from(ready_after.as_millis()).unwrap_or(u64::MAX),
            services: services.collect(),
        };
        write_whole(&file, &serde_json::to_vec_pretty(&process)?)?;
        Ok(Self(file))
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether `process` left its file behind when it ran last on `data`: it was killed.
#[must_use]
pub fn was_killed(data: &Path, process: &str) -> bool {
    folder(data).join(format!("{process}.json")).exists()
}

/// Writes a file in one step, so that whoever sees it can read it.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, content)?;
    std::fs::rename(&partial, file)
}

/// The processes that run on `data`, also those that were killed and have not been started again,
/// by name.
///
/// # Errors
/// When the folder cannot be read. One that is not there runs nothing.
pub fn processes(data: &Path) -> io::Result<Vec<Process>> {
    let entries = match std::fs::read_dir(folder(data)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            // One that ends just now takes its file away.
            let text = std::fs::read(&path).unwrap_or_default();
            let process = serde_json::from_slice::<Process>(&text);
            all.extend(process.map(|process| Process { name: name.to_owned(), ..process }));
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// The base URLs of all services of those processes.
///
/// # Errors
/// As [`processes`].
pub fn urls(data: &Path) -> io::Result<BTreeMap<String, String>> {
    Ok(processes(data)?.into_iter().flat_map(|process| process.services).collect())
}

/// As [`urls`], where something must run.
pub(crate) fn running(data: &Path) -> Result<BTreeMap<String, String>, Fault> {
    let urls = urls(data)?;
    if urls.is_empty() {
        let data = data.display();
        return Err(format!("no shop runs on {data}; start one with: shop up --data {data}").into());
    }
    Ok(urls)
}

/// The base URL of one service.
pub(crate) fn url(data: &Path, service: &str) -> Result<String, Fault> {
    let found = running(data)?.remove(service);
    found.ok_or_else(|| format!("the {service} service does not run").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_millis(7);

    #[test]
    fn what_runs_is_found_until_it_ends() {
        let data = tempfile::tempdir().unwrap();
        assert!(urls(data.path()).unwrap().is_empty());
        let of = |name, url: &str| BTreeMap::from([(name, url.to_owned())]);
        let cart = RunFile::write(data.path(), "cart", &of("cart", "http://a"), AFTER).unwrap();
        let _order = RunFile::write(data.path(), "order", &of("order", "http://b"), AFTER).unwrap();
        assert_eq!(urls(data.path()).unwrap().len(), 2);
        let [one, other] = &processes(data.path()).unwrap()[..] else { panic!("two processes") };
        assert_eq!((&*one.name, one.ready_after_ms), ("cart", 7));
        assert_eq!((&*other.name, other.pid), ("order", std::process::id()));
        assert!(was_killed(data.path(), "cart") && !was_killed(data.path(), "menu"));
        drop(cart);
        assert!(!was_killed(data.path(), "cart"));
        assert_eq!(urls(data.path()).unwrap()["order"], "http://b");
    }
}
