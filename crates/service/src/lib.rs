//! What each request means: policy, defaults, validation, one transaction.
