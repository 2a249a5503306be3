//! Headers that few clients send, and what proxies, browsers and scanners put beside a request.

use reqwest::Method;

use super::Maker;

/// A page that the operator lets in; the scripts of the test say so to both.
const KNOWN_ORIGIN: &str = "https://horizon.example";

type Headers = Vec<(&'static str, String)>;

impl Maker {
    pub(super) fn odd_headers(&mut self, method: &Method, headers: &mut Headers) {
        if self.random.percent(4) {
            self.accept(headers);
        }
        if *method == Method::OPTIONS && self.random.percent(85) {
            self.preflight(headers);
        } else if self.random.percent(2) {
            headers.push(("origin", self.origin()));
        }
        if self.random.percent(2) {
            self.proxy(headers);
        }
        if self.random.percent(2) {
            self.forged(headers);
        }
    }

    pub(super) fn accept(&mut self, headers: &mut Headers) {
        let accepts = [
            "application/json",
            "",
            "text/html",
            "application/xml",
            "text/plain",
            "*/*;q=0.1",
            "application/json;q=0.5, text/html",
            "text/html;q=0.5, application/json",
            "text/*",
            "application/*",
            "nonsense",
            "application/json;q=0",
        ];
        headers.push(("accept", self.random.of(&accepts).to_owned()));
    }

    fn origin(&mut self) -> String {
        let origins =
            [KNOWN_ORIGIN, KNOWN_ORIGIN, KNOWN_ORIGIN, "https://evil.example", "null", "", "HTTPS://horizon.example"];
        self.random.of(&origins).to_owned()
    }

    /// What a browser asks before it sends a request of another page's.
    fn preflight(&mut self, headers: &mut Headers) {
        if self.random.percent(90) {
            headers.push(("origin", self.origin()));
        }
        if self.random.percent(90) {
            let methods = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "TRACE", "get", ""];
            headers.push(("access-control-request-method", self.random.of(&methods).to_owned()));
        }
        if self.random.percent(60) {
            let asked = [
                "X-Auth-Token",
                "x-auth-token, content-type",
                "X-Auth-Token,,X-Roles",
                "openstack-api-version",
                "",
                " ",
                "x-own",
                "Accept, Pragma",
            ];
            headers.push(("access-control-request-headers", self.random.of(&asked).to_owned()));
        }
    }

    /// What a proxy says of the client.
    fn proxy(&mut self, headers: &mut Headers) {
        let values: [(&'static str, &[&str]); 6] = [
            ("x-forwarded-proto", &["https", "http", ""]),
            ("x-forwarded-host", &["api.example", "api.example:8443", "api.example:443", ""]),
            ("x-forwarded-prefix", &["/container-infra", "", "/a/b"]),
            ("x-forwarded-for", &["192.0.2.1", "192.0.2.1, 192.0.2.2"]),
            (
                "forwarded",
                &["for=192.0.2.1;proto=https;host=api.example", "proto=https", "host=a.example, host=b.example"],
            ),
            ("x-forwarded-port", &["443"]),
        ];
        for (name, all) in values {
            if self.random.percent(40) {
                headers.push((name, self.random.of(all).to_owned()));
            }
        }
    }

    /// What only the middleware may say, and ids of other services.
    fn forged(&mut self, headers: &mut Headers) {
        let values = [
            ("x-roles", "admin"),
            ("x-project-id", "@elsewhere@"),
            ("x-tenant-id", "@elsewhere@"),
            ("x-user-id", "somebody"),
            ("x-identity-status", "Confirmed"),
            ("x-is-admin-project", "True"),
            ("x-service-token", "nonsense"),
            ("x-openstack-request-id", "req-0f2a3b4c-1111-4222-8333-0123456789ab"),
            ("x-openstack-request-id", "no id"),
            ("accept-language", "fr"),
            ("x-http-method-override", "DELETE"),
            ("if-none-match", "*"),
        ];
        let count = 1 + self.random.below(3);
        for _ in 0..count {
            let (name, value) = values[self.random.below(values.len())];
            headers.push((name, value.to_owned()));
        }
    }
}
