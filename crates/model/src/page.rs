//! One page of a listing.

/// Which way a listing runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SortDirection {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

/// What part of a listing is wanted. Ordering is by (`sort_key`, row number).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// The last item of the page before: a uuid.
    pub marker: Option<uuid::Uuid>,
    /// How many at most; already capped.
    pub limit: u64,
    /// A column of the resource's table.
    pub sort_key: String,
    /// Which way.
    pub direction: SortDirection,
}

impl Page {
    /// The first `limit` items in the order they were made.
    #[must_use]
    pub fn first(limit: u64) -> Self {
        Self { marker: None, limit, sort_key: "id".to_owned(), direction: SortDirection::Ascending }
    }
}
