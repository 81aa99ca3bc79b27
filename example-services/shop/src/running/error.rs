use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use obs_core::config::ConfigError;

use crate::name::Name;

/// Why the shop could not be started.
#[derive(Debug)]
pub struct StartError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StartError {
    pub(super) fn new(what: String, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what, source: Some(source.into()) }
    }

    pub(super) fn data(folder: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::new(format!("cannot create the folder {}", folder.display()), error)
    }

    pub(super) fn locked(error: std::io::Error) -> Self {
        Self::new("the data cannot be used".to_owned(), error)
    }

    pub(super) fn bind(name: Name, address: SocketAddr) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::new(format!("the {name} service cannot listen on {address}"), error)
    }

    pub(super) fn service<E: Into<Box<dyn Error + Send + Sync>>>(
        name: Name,
    ) -> impl FnOnce(E) -> Self {
        move |error| Self::new(format!("the {name} service cannot be started"), error)
    }

    pub(super) fn not_ready(name: Name) -> Self {
        Self { what: format!("the {name} service cannot use its store"), source: None }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::new("a setting cannot be used".to_owned(), error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
