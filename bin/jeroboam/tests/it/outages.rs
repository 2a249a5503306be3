//! Placeholder until the service is wired.
