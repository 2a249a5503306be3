//! Asks Python's oslo.policy and oslo.config and Magnum 23 itself, and says the same.
//!
//! `tests/oracle/oracle.py` answers; its Python comes from `JEROBOAM_ORACLE`.

mod config;
mod lists;
mod oracle;
mod policy;
mod rng;
mod yaml;
