use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use obs_core::output::RotatingFile;
use obs_core::trace::{DropReason, ExportReport, SpanExporter, SpanRecord};

use super::Span;

/// Writes the spans of one service to the file of its process, and hands them on to where the
/// environment wants them.
#[derive(Debug)]
pub(crate) struct FileExporter {
    service: &'static str,
    file: Arc<Mutex<RotatingFile>>,
    also: Option<Box<dyn SpanExporter>>,
}

impl FileExporter {
    pub(crate) fn new(
        service: &'static str,
        file: Arc<Mutex<RotatingFile>>,
        also: Option<Box<dyn SpanExporter>>,
    ) -> Self {
        Self { service, file, also }
    }

    fn write(&self, batch: &[SpanRecord]) -> std::io::Result<()> {
        let mut text = Vec::with_capacity(batch.len() * 512);
        for record in batch {
            serde_json::to_writer(&mut text, &Span::new(self.service, record))?;
            text.push(b'\n');
        }
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text)
    }
}

impl SpanExporter for FileExporter {
    fn export(&mut self, batch: &[SpanRecord], limit: Duration) -> ExportReport {
        let written = self.write(batch);
        match (&mut self.also, written) {
            // What counts is where the environment wants them; the file is for looking things up.
            (Some(also), _) => also.export(batch, limit),
            (None, Ok(())) => ExportReport::new().exported(batch.len()),
            (None, Err(error)) => {
                ExportReport::new().dropped(DropReason::Refused, batch.len(), error)
            }
        }
    }

    fn shutdown(&mut self, limit: Duration) {
        if let Some(also) = &mut self.also {
            also.shutdown(limit);
        }
    }
}
