//! What the suite costs, beside what its users would use instead.
