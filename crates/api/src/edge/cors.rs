//! Requests that browsers send from pages of other origins, answered as oslo.middleware's `cors` does.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::CorsConfig;

/// Headers that any page may send.
const SIMPLE: [&str; 8] = [
    "accept",
    "accept-language",
    "content-type",
    "cache-control",
    "content-language",
    "expires",
    "last-modified",
    "pragma",
];

/// The headers of an answer to `OPTIONS`; none when the page may not do what it asks for.
pub(super) fn preflight(rules: &CorsConfig, asked: &HeaderMap) -> HeaderMap {
    permission(rules, asked).unwrap_or_default()
}

fn permission(rules: &CorsConfig, asked: &HeaderMap) -> Option<HeaderMap> {
    let origin = allowed_origin(rules, asked.get(ORIGIN)?)?;
    let method = asked.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    if !rules.methods.iter().any(|known| method == known.as_str()) {
        return None;
    }
    let headers = asked.get(ACCESS_CONTROL_REQUEST_HEADERS).map(HeaderValue::to_str).transpose().ok()?;
    let headers: Vec<&str> = headers.unwrap_or_default().split(',').map(str::trim).filter(|h| !h.is_empty()).collect();
    let known = |name: &&str| {
        let listed = rules.headers.iter().any(|known| known.eq_ignore_ascii_case(name));
        listed || SIMPLE.iter().any(|simple| simple.eq_ignore_ascii_case(name))
    };
    if !headers.iter().all(known) {
        return None;
    }
    let mut answer = HeaderMap::new();
    answer.insert(VARY, HeaderValue::from_static("Origin"));
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    credentials(rules, &mut answer);
    if rules.max_age > 0 {
        answer.insert(ACCESS_CONTROL_MAX_AGE, rules.max_age.into());
    }
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    put_list(&mut answer, ACCESS_CONTROL_ALLOW_HEADERS, &headers);
    Some(answer)
}

/// Lets a page of this origin read the answer, where it may.
pub(super) fn decorate(rules: &CorsConfig, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
    let Some(origin) = origin.and_then(|origin| allowed_origin(rules, origin)) else { return };
    let vary = answer.get(VARY).and_then(|value| value.to_str().ok()).map(|value| format!("{value},Origin"));
    let vary = vary.and_then(|value| HeaderValue::from_str(&value).ok());
    answer.insert(VARY, vary.unwrap_or(HeaderValue::from_static("Origin")));
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    credentials(rules, answer);
    let exposed: Vec<&str> = rules.exposed.iter().map(String::as_str).collect();
    put_list(answer, ACCESS_CONTROL_EXPOSE_HEADERS, &exposed);
}

/// The origin as it is named back: itself, or `*` where all are allowed.
fn allowed_origin(rules: &CorsConfig, origin: &HeaderValue) -> Option<HeaderValue> {
    if rules.origins.iter().any(|known| origin == known.as_str()) {
        return Some(origin.clone());
    }
    rules.origins.iter().any(|known| known == "*").then_some(HeaderValue::from_static("*"))
}

fn credentials(rules: &CorsConfig, answer: &mut HeaderMap) {
    if rules.credentials {
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

fn put_list(answer: &mut HeaderMap, name: HeaderName, items: &[&str]) {
    if let (false, Ok(value)) = (items.is_empty(), HeaderValue::from_str(&items.join(","))) {
        answer.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origins: &[&str]) -> CorsConfig {
        CorsConfig { origins: origins.iter().map(|&origin| origin.to_owned()).collect(), ..CorsConfig::default() }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_page_may_ask_for_what_the_operator_allows() {
        let horizon = ("origin", "https://horizon.example");
        let patch = ("access-control-request-method", "PATCH");
        let known = rules(&["https://horizon.example"]);
        let granted = preflight(&known, &headers(&[horizon, patch]));
        assert_eq!(
            shown(&granted),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-methods: PATCH",
                "access-control-allow-origin: https://horizon.example",
                "access-control-max-age: 3600",
                "vary: Origin",
            ]
        );
        let named = ("access-control-request-headers", "X-Auth-Token, content-type");
        let granted = preflight(&known, &headers(&[horizon, patch, named]));
        assert_eq!(granted["access-control-allow-headers"], "X-Auth-Token,content-type");
        let any = CorsConfig { credentials: false, max_age: 0, ..rules(&["*"]) };
        let granted = preflight(&any, &headers(&[horizon, patch]));
        assert_eq!(
            shown(&granted),
            ["access-control-allow-methods: PATCH", "access-control-allow-origin: *", "vary: Origin"]
        );
        let refused = [
            (&known, headers(&[patch])),
            (&known, headers(&[horizon])),
            (&known, headers(&[("origin", "https://evil.example"), patch])),
            (&known, headers(&[horizon, ("access-control-request-method", "TRACE")])),
            (&known, headers(&[horizon, patch, ("access-control-request-headers", "x-own")])),
            (&rules(&[]), headers(&[horizon, patch])),
        ];
        for (rules, asked) in refused {
            assert!(preflight(rules, &asked).is_empty(), "{asked:?}");
        }
    }

    #[test]
    fn a_page_may_read_the_answer_if_its_origin_is_known() {
        let known = rules(&["https://horizon.example"]);
        let mut answer = headers(&[("vary", "OpenStack-API-Version")]);
        decorate(&known, Some(&HeaderValue::from_static("https://horizon.example")), &mut answer);
        assert_eq!(
            shown(&answer),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-origin: https://horizon.example",
                "access-control-expose-headers: X-Auth-Token,X-Subject-Token,X-Service-Token,X-OpenStack-Request-ID,X-Server-Management-Url",
                "vary: OpenStack-API-Version,Origin",
            ]
        );
        for origin in [None, Some(HeaderValue::from_static("https://evil.example"))] {
            let mut answer = HeaderMap::new();
            decorate(&known, origin.as_ref(), &mut answer);
            assert!(answer.is_empty(), "{origin:?}");
        }
    }
}
