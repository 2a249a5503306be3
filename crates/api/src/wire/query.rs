//! Query arguments: every endpoint names the ones it knows, and refuses all others.

use std::fmt::Display;

use axum::extract::FromRequestParts;
use http::request::Parts;
use jeroboam_model::{Page, SortDirection};
use uuid::Uuid;

use super::fields::{boolean, cut};
use crate::App;
use crate::error::{ApiError, ApiResult};

/// Arguments of every listing.
const PAGE: [&str; 4] = ["marker", "limit", "sort_key", "sort_dir"];

/// The arguments as they came, decoded.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

/// What part of a listing is asked for.
#[derive(Debug)]
pub(crate) struct Listing {
    /// For the service.
    pub(crate) page: Page,
    /// The key of the order as it was asked for, which the address of the next page repeats.
    asked_key: String,
}

impl Query {
    /// Refuses an argument that is not among `known`.
    pub(crate) fn only(&self, known: &[&str]) -> ApiResult<&Self> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(ApiError::bad_request(format!("Unknown argument: \"{}\"", cut(name.clone())))),
            None => Ok(self),
        }
    }

    /// The argument's value; an empty one is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// The argument's value, empty or not.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A boolean.
    pub(crate) fn boolean(&self, name: &str) -> ApiResult<Option<bool>> {
        self.get(name).map(|text| boolean(name, text)).transpose()
    }

    /// `marker`, `limit`, `sort_key`, `sort_dir`, and whatever the listing knows besides.
    pub(crate) fn listing(&self, others: &[&str], max_limit: u64) -> ApiResult<Listing> {
        self.only(&[&PAGE[..], others].concat())?;
        let marker = self.given("marker").map(uuid).transpose()?;
        self.page(marker, max_limit)
    }

    /// The same for things that have numbers and no ids.
    pub(crate) fn listing_by_number(&self, others: &[&str], max_limit: u64) -> ApiResult<(Option<i64>, Listing)> {
        self.only(&[&PAGE[..], others].concat())?;
        let marker = self.given("marker").map(|text| integer("marker", text)).transpose()?;
        // Magnum: number 0 is no marker.
        Ok((marker.filter(|marker| *marker != 0), self.page(None, max_limit)?))
    }

    fn page(&self, marker: Option<Uuid>, max_limit: u64) -> ApiResult<Listing> {
        let limit = self.given("limit").map(|text| limit(text, max_limit)).transpose()?.unwrap_or(max_limit);
        let direction = match self.given("sort_dir") {
            None | Some("asc") => SortDirection::Ascending,
            Some("desc") => SortDirection::Descending,
            Some(other) => {
                let other = cut(other.to_owned());
                let sentence = format!("Invalid sort direction: {other}. Acceptable values are 'asc' or 'desc'");
                return Err(ApiError::bad_request(sentence));
            }
        };
        let sort_key = self.get("sort_key").unwrap_or("id").to_owned();
        let asked_key = self.given("sort_key").unwrap_or("id").to_owned();
        Ok(Listing { page: Page { marker, limit, sort_key, direction }, asked_key })
    }
}

impl Listing {
    /// Where the next page is, when this one is full. Magnum: `magnum/api/controllers/v1/collection.py`.
    pub(crate) fn next(
        &self,
        base: &str,
        path: &str,
        filter: &str,
        count: usize,
        last: Option<impl Display>,
    ) -> Option<String> {
        let last = last.filter(|_| u64::try_from(count) == Ok(self.page.limit))?;
        let (Page { limit, direction, .. }, sort_key) = (&self.page, &self.asked_key);
        let direction = match direction {
            SortDirection::Ascending => "asc",
            SortDirection::Descending => "desc",
        };
        Some(format!("{base}{path}?{filter}sort_key={sort_key}&sort_dir={direction}&limit={limit}&marker={last}"))
    }
}

/// A text as it may stand in a query.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

fn uuid(text: &str) -> ApiResult<Uuid> {
    let id: Result<jeroboam_model::ClusterId, _> = text.parse();
    id.map(jeroboam_model::ClusterId::uuid).map_err(|_| {
        let text = cut(text.to_owned());
        let why = format!("unable to convert to uuid. Error: Expected a uuid but received {text}.");
        ApiError::invalid("marker", &text, &why)
    })
}

fn integer(name: &str, text: &str) -> ApiResult<i64> {
    text.trim().parse().map_err(|_| {
        let text = cut(text.to_owned());
        let why = format!("unable to convert to int. Error: invalid literal for int() with base 10: '{text}'");
        ApiError::invalid(name, &text, &why)
    })
}

fn limit(text: &str, max: u64) -> ApiResult<u64> {
    match u64::try_from(integer("limit", text)?) {
        Ok(number) if number > 0 => Ok(number.min(max)),
        _ => Err(ApiError::bad_request("Limit must be positive")),
    }
}

impl FromRequestParts<App> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> ApiResult<Self> {
        let Some(_) = parts.uri.query().filter(|query| !query.is_empty()) else { return Ok(Self(Vec::new())) };
        let query: Result<axum::extract::Query<Vec<(String, String)>>, _> =
            axum::extract::Query::try_from_uri(&parts.uri);
        let query = query.map_err(|_| ApiError::bad_request("The query could not be read."))?;
        if query.0.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(ApiError::bad_request("The query holds NUL characters."));
        }
        Ok(Self(query.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        let pairs =
            text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Query(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn a_listing_is_read_or_refused_in_one_sentence() {
        let rows = [
            ("limit=0", "Limit must be positive"),
            ("limit=-1", "Limit must be positive"),
            (
                "limit=x",
                "Invalid input for field/attribute limit. Value: 'x'. unable to convert to int. Error: invalid literal for int() with base 10: 'x'",
            ),
            (
                "limit=",
                "Invalid input for field/attribute limit. Value: ''. unable to convert to int. Error: invalid literal for int() with base 10: ''",
            ),
            (
                "marker=x",
                "Invalid input for field/attribute marker. Value: 'x'. unable to convert to uuid. Error: Expected a uuid but received x.",
            ),
            ("sort_dir=", "Invalid sort direction: . Acceptable values are 'asc' or 'desc'"),
            ("sort_dir=up", "Invalid sort direction: up. Acceptable values are 'asc' or 'desc'"),
            ("limit=1&foo=1", "Unknown argument: \"foo\""),
            ("role=worker", "Unknown argument: \"role\""),
        ];
        for (text, expected) in rows {
            assert_eq!(query(text).listing(&[], 1000).expect_err(expected).detail(), expected);
        }
        let rows = [("", 1000), ("sort_key=", 1000), ("limit=7", 7), ("limit=5000", 1000)];
        for (text, expected) in rows {
            assert_eq!(query(text).listing(&[], 1000).expect("good").page.limit, expected, "{text}");
        }
        assert!(query("role=worker&sort_dir=desc").listing(&["role"], 1000).is_ok());
        for (text, expected) in [("", None), ("marker=7", Some(7)), ("marker=0", None), ("marker=-3", Some(-3))] {
            assert_eq!(query(text).listing_by_number(&[], 1000).expect("good").0, expected, "{text}");
        }
        assert!(query("marker=x").listing_by_number(&[], 1000).is_err());
    }

    #[test]
    fn only_a_full_page_has_a_next_one() {
        let listing = query("limit=2&sort_key=name").listing(&[], 1000).expect("good");
        let last = Some(Uuid::nil());
        assert_eq!(listing.next("http://h", "/v1/clusters", "", 1, last), None);
        assert_eq!(listing.next("http://h", "/v1/clusters", "", 0, None::<Uuid>), None);
        assert_eq!(
            listing.next("http://h", "/v1/clusters", "", 2, last).as_deref(),
            Some("http://h/v1/clusters?sort_key=name&sort_dir=asc&limit=2&marker=00000000-0000-0000-0000-000000000000")
        );
        let listing = query("limit=2&sort_key=").listing(&[], 1000).expect("good");
        assert_eq!(listing.page.sort_key, "id");
        let next = listing.next("http://h", "/v1/clusters", "", 2, last).expect("a full page");
        assert!(next.contains("?sort_key=&sort_dir=asc"), "{next} repeats what was asked");
    }
}
