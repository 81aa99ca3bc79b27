//! What runs on a data folder: a file per process, with the base URLs of its services.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::client::Fault;

fn folder(data: &Path) -> PathBuf {
    data.join("run")
}

/// The file of a process; dropped, it is removed.
#[derive(Debug)]
pub struct RunFile(PathBuf);

impl RunFile {
    /// Writes down that `process` serves `urls`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(
        data: &Path,
        process: &str,
        urls: &BTreeMap<&'static str, String>,
    ) -> io::Result<Self> {
        let file = folder(data).join(format!("{process}.json"));
        std::fs::create_dir_all(folder(data))?;
        write_whole(&file, &serde_json::to_vec_pretty(urls)?)?;
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

/// The base URLs of all services that run on `data`, also of processes that were killed and have
/// not been started again.
///
/// # Errors
/// When the folder cannot be read. One that is not there runs nothing.
pub fn urls(data: &Path) -> io::Result<BTreeMap<String, String>> {
    let entries = match std::fs::read_dir(folder(data)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let mut all = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read(&path)?;
            all.extend(
                serde_json::from_slice::<BTreeMap<String, String>>(&text).unwrap_or_default(),
            );
        }
    }
    Ok(all)
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

    #[test]
    fn what_runs_is_found_until_it_ends() {
        let data = tempfile::tempdir().unwrap();
        assert!(urls(data.path()).unwrap().is_empty());
        let of = |name, url: &str| BTreeMap::from([(name, url.to_owned())]);
        let cart = RunFile::write(data.path(), "cart", &of("cart", "http://a")).unwrap();
        let _order = RunFile::write(data.path(), "order", &of("order", "http://b")).unwrap();
        assert_eq!(urls(data.path()).unwrap().len(), 2);
        assert!(was_killed(data.path(), "cart") && !was_killed(data.path(), "menu"));
        drop(cart);
        assert!(!was_killed(data.path(), "cart"));
        assert_eq!(urls(data.path()).unwrap()["order"], "http://b");
    }
}
