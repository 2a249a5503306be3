//! The loop that makes clusters what they are wanted to be.
