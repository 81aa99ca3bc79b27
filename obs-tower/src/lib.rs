//! One tower layer for logs, metrics and traces, and the service-mesh patterns beside it.
