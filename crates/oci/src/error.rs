//! The codes that a client reads, and the status that goes with each.

/// Code of an error, as distribution-spec and distribution name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A blob that is not in this repository.
    BlobUnknown,
    /// An upload that cannot go on.
    BlobUploadInvalid,
    /// An upload that is not there.
    BlobUploadUnknown,
    /// Not allowed.
    Denied,
    /// A digest that is none, or not that of the bytes.
    DigestInvalid,
    /// A manifest that names what is not in the repository.
    ManifestBlobUnknown,
    /// A manifest that is none.
    ManifestInvalid,
    /// A manifest that is not in this repository.
    ManifestUnknown,
    /// A signature of a manifest that does not hold.
    ManifestUnverified,
    /// A name that is none.
    NameInvalid,
    /// A repository that is not there.
    NameUnknown,
    /// A page size that is none.
    PaginationNumberInvalid,
    /// A range that is not there.
    RangeInvalid,
    /// A length that is not that of the bytes.
    SizeInvalid,
    /// A tag that is none.
    TagInvalid,
    /// Too much in too short a time.
    TooManyRequests,
    /// Nobody has said who is asking, or it is not believed.
    Unauthorized,
    /// The store is away.
    Unavailable,
    /// What nobody expected.
    Unknown,
    /// What this registry does not do.
    Unsupported,
}

impl ErrorCode {
    /// The code as a client reads it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::Denied => "DENIED",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::ManifestUnverified => "MANIFEST_UNVERIFIED",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }

    /// The status of an answer with this code, as distribution v3 has it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Denied => 403,
            Self::BlobUnknown
            | Self::BlobUploadInvalid
            | Self::BlobUploadUnknown
            | Self::ManifestUnknown
            | Self::NameUnknown => 404,
            Self::Unsupported => 405,
            Self::RangeInvalid => 416,
            Self::TooManyRequests => 429,
            Self::Unknown => 500,
            Self::Unavailable => 503,
            Self::DigestInvalid
            | Self::ManifestBlobUnknown
            | Self::ManifestInvalid
            | Self::ManifestUnverified
            | Self::NameInvalid
            | Self::PaginationNumberInvalid
            | Self::SizeInvalid
            | Self::TagInvalid => 400,
        }
    }
}
