//! The names that clusters and federations may have.

use super::fields::{Fields, Length};
use crate::error::{ApiError, ApiResult};

/// A name that becomes part of host names. Magnum leaves room for what Heat puts behind it.
pub(crate) fn cluster_name(fields: &Fields) -> ApiResult<Option<String>> {
    let rest = |c: char| c.is_ascii_alphanumeric() || ['_', '.', '-'].contains(&c);
    let fits = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(rest);
    match fields.text("name", Length(1, 242))? {
        Some(bad) if !fits(&bad) => {
            Err(ApiError::invalid("name", &bad, "Value should match the pattern ^[a-zA-Z][a-zA-Z0-9_.-]*$"))
        }
        fine => Ok(fine),
    }
}
