//! oslo.policy: rules in its language, Magnum's defaults, the operator's file on top.

mod attribute;
mod audit;
mod check;
mod credentials;
mod defaults;
mod enforcer;
mod parse;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod properties;
mod template;

pub use attribute::Attribute;
pub use audit::{PolicyFinding, policy_check};
pub use credentials::Credentials;
pub use defaults::{Rule, policy_sample, rules};
pub use enforcer::{Enforcer, PolicyError, PolicySettings};
pub use template::Target;

#[cfg(test)]
mod tests;
