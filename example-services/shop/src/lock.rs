//! One process at a time for the data of a service.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::name::Name;

/// The right to the data of some services; dropped, or with the end of the process, however that
/// comes about, it is free again.
#[derive(Debug)]
pub struct DataLock {
    _files: Vec<File>,
}

impl DataLock {
    /// Takes the data of `services` in the folder `data`.
    ///
    /// # Errors
    /// `WouldBlock` when another process has one of them; else what the system says.
    pub fn take(data: &Path, services: &[Name]) -> io::Result<Self> {
        let folder = data.join("run");
        std::fs::create_dir_all(&folder)?;
        let take = |name: &Name| {
            let path = folder.join(format!("{name}.lock"));
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    format!("the {name} service of {} is running already", data.display()),
                )),
                Err(error) => Err(error.into()),
            }
        };
        Ok(Self { _files: services.iter().map(take).collect::<io::Result<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_a_service_belongs_to_one_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        let first = DataLock::take(data.path(), &[Name::Order, Name::Cart]).unwrap();
        assert!(DataLock::take(data.path(), &[Name::Product]).is_ok());
        let second = DataLock::take(data.path(), &[Name::Product, Name::Cart]).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        assert!(second.to_string().contains("cart"), "{second}");
        drop(first);
        assert!(DataLock::take(data.path(), &[Name::Cart]).is_ok());
    }
}
