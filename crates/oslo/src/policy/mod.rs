//! oslo.policy: rules in its language, Magnum's defaults, the operator's file on top.

mod audit;
mod check;
mod credentials;
mod defaults;
mod enforcer;
mod parse;

pub use audit::{PolicyFinding, policy_check};
pub use credentials::{Credentials, TokenScope};
pub use defaults::{Rule, policy_sample, rules};
pub use enforcer::{Enforcer, PolicyError, PolicySettings};

#[cfg(test)]
mod tests;
