//! Plays a sequence to one service and writes down what it answers.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::database::Database;
use crate::normal;
use crate::people::People;
use crate::sequence::{Request, Sequence, Step};

/// What every caller names: links are made from it, and so are the same from both.
const HOST: &str = "cloud.example:9511";

/// Stands for what no answer said.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Where the service remembers what it read, it is told that its rows have changed, which it would see a few seconds later.
fn anew() -> String {
    let of = |table: &str| {
        format!(
            "SET @anew = IF(EXISTS(SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() \
             AND table_name = '{table}'), 'UPDATE {table} SET version = version - 1', 'DO 0'); EXECUTE IMMEDIATE @anew;"
        )
    };
    of("jeroboam_cluster_version") + &of("jeroboam_template_version")
}

/// The headers of an answer that clients read.
const HEADERS: [&str; 15] = [
    "content-type",
    "openstack-api-minimum-version",
    "openstack-api-maximum-version",
    "openstack-api-version",
    "vary",
    "location",
    "www-authenticate",
    "allow",
    "x-openstack-request-id",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];

/// One of the two services.
pub(crate) struct Side {
    pub(crate) http: reqwest::Client,
    /// `http://127.0.0.1:1234`, several when several processes share a database.
    pub(crate) urls: Vec<String>,
    pub(crate) database: Database,
}

/// What was answered, with everything that must differ given a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Answer {
    /// The sentence of an error.
    pub(crate) fn detail(&self) -> &str {
        self.body["errors"][0]["detail"].as_str().unwrap_or_default()
    }
}

impl Side {
    /// The answers to all requests, in order; what is no request has none.
    pub(crate) async fn play(
        &self,
        sequence: &Sequence,
        people: &People,
        number: usize,
    ) -> Result<Vec<Option<Answer>>> {
        let url = &self.urls[number % self.urls.len()];
        let mut said = BTreeMap::from([
            ("project".to_owned(), people.project.clone()),
            ("elsewhere".to_owned(), people.elsewhere.clone()),
        ]);
        let mut answers = Vec::new();
        for step in &sequence.steps {
            answers.push(match step {
                Step::Ask(request) => Some(self.ask(url, request, people, &mut said).await?),
                Step::Rows(sql) => {
                    self.database.run(&format!("{} {}", fill(sql, &said), anew())).await?;
                    None
                }
            });
        }
        Ok(answers)
    }

    async fn ask(
        &self,
        url: &str,
        request: &Request,
        people: &People,
        said: &mut BTreeMap<String, String>,
    ) -> Result<Answer> {
        let mut call = self.http.request(request.method.clone(), format!("{url}{}", fill(&request.path, said)));
        call = call.header("host", HOST);
        for (name, value) in &request.headers {
            call = call.header(*name, fill(value, said));
        }
        if let Some(token) = people.token(request.who).await? {
            call = call.header("x-auth-token", token);
        }
        if let Some(body) = &request.body {
            call = call.body(fill(body, said));
        }
        let answer = call.send().await.with_context(|| format!("no answer from {url} to {request}"))?;
        let status = answer.status().as_u16();
        let mut headers = BTreeMap::new();
        for name in HEADERS {
            let Some(value) = answer.headers().get(name) else { continue };
            let value = value.to_str().unwrap_or("<not ASCII>");
            headers.insert(name.to_owned(), header(name, value));
        }
        let text = answer.text().await.with_context(|| format!("half an answer from {url} to {request}"))?;
        let raw: Value = serde_json::from_str(&text).unwrap_or_default();
        for (name, pointer) in &request.saves {
            let value = match raw.pointer(pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => continue,
            };
            said.insert((*name).to_owned(), value);
        }
        let body = if text.is_empty() { Value::Null } else { normal::body(&text) };
        let headers = headers.into_iter().map(|(name, value)| (name, normal::text("", &value))).collect();
        Ok(Answer { status, headers, body })
    }
}

fn header(name: &str, value: &str) -> String {
    match name {
        "x-openstack-request-id" => {
            let shaped = value.len() == 40 && value.starts_with("req-");
            if shaped { "<request id>".to_owned() } else { value.to_owned() }
        }
        // Which of several methods is named first says nothing.
        "allow" => {
            let mut methods: Vec<&str> = value.split(',').map(str::trim).collect();
            methods.sort_unstable();
            methods.join(", ")
        }
        "content-type" => value.to_lowercase().replace(' ', ""),
        _ => value.to_owned(),
    }
}

/// Puts what was said in place of its names.
fn fill(text: &str, said: &BTreeMap<String, String>) -> String {
    let mut parts = text.split('@');
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut open = false;
    let rest: Vec<&str> = parts.collect();
    for (place, part) in rest.iter().enumerate() {
        let name =
            !open && place + 1 < rest.len() && !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if name {
            out.push_str(said.get(*part).map_or(UNKNOWN, String::as_str));
            open = true;
        } else {
            if !open {
                out.push('@');
            }
            out.push_str(part);
            open = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_other_signs_stay() {
        let said = BTreeMap::from([("c".to_owned(), "7".to_owned()), ("t".to_owned(), "8".to_owned())]);
        for (text, filled) in [
            ("/v1/@c@/x", "/v1/7/x"),
            ("@c@@t@", "78"),
            ("mail@example", "mail@example"),
            ("a@b c@d", "a@b c@d"),
            ("@c@ and @gone@", &format!("7 and {UNKNOWN}")),
        ] {
            assert_eq!(fill(text, &said), filled);
        }
    }

    #[test]
    fn headers_that_say_the_same_are_the_same() {
        assert_eq!(header("allow", "POST, GET"), header("allow", "GET,POST"));
        assert_eq!(header("content-type", "text/html; charset=UTF-8"), "text/html;charset=utf-8");
        assert_eq!(header("x-openstack-request-id", "req-1"), "req-1");
    }
}
