//! CloudWatch Embedded Metric Format that is never invalid and never silently lost.
