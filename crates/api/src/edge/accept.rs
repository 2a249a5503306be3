//! Whether a client takes JSON.

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether JSON is among what the client accepts. None at all, an empty one and nonsense mean yes: openstacksdk sends an
/// empty header.
pub(super) fn takes_json(headers: &HeaderMap) -> bool {
    let mut named =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut any = false;
    let found = named.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        if !media.contains('/') {
            return false;
        }
        any = true;
        let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>() == Ok(0.0)));
        let json = matches!(media.as_str(), "*/*" | "application/*" | "application/json") || media.ends_with("+json");
        json && !refused
    });
    found || !any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clients_that_name_other_types_alone_are_refused() {
        let rows = [
            (None, true),
            (Some(""), true),
            (Some("*/*"), true),
            (Some("application/json"), true),
            (Some("text/html, application/json;q=0.5"), true),
            (Some("application/*"), true),
            (Some("nonsense"), true),
            (Some("text/html"), false),
            (Some("application/xml"), false),
            (Some("application/json;q=0"), false),
        ];
        for (accept, expected) in rows {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, http::HeaderValue::from_static(accept));
            }
            assert_eq!(takes_json(&headers), expected, "{accept:?}");
        }
    }
}
