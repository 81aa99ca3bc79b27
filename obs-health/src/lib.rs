//! Probes, dependency checks and circuit endpoints that tell the truth.
