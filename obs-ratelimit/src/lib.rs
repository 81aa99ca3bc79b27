//! Multi-tenant rate limits, local and shared by a fleet.
