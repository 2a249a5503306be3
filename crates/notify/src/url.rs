//! Where RabbitMQ is: `rabbit://user:password@host:port,user:password@host:port/virtual_host`, as oslo.messaging reads it.

use secrecy::SecretString;

/// RabbitMQ's port.
const PORT: u16 = 5672;

/// A bus: its brokers, which stand in for each other.
#[derive(Clone, Debug)]
pub struct TransportUrl {
    /// Brokers in the order in which they are tried.
    pub(crate) brokers: Vec<BrokerAddress>,
    pub(crate) virtual_host: String,
    /// What is said after `?`, which goes before the configuration.
    pub(crate) query: Vec<(String, String)>,
}

/// One broker.
#[derive(Clone, Debug)]
pub(crate) struct BrokerAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

/// An address that can not be used. Its text is not repeated: it holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transport_url {0}")]
pub struct BadUrl(String);

impl std::str::FromStr for TransportUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let bad = |why: &str| BadUrl(why.to_owned());
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(|| bad("has no ://"))?;
        if !matches!(scheme, "rabbit" | "amqp" | "kombu" | "kombu+amqp") {
            return Err(BadUrl(format!("begins with {scheme}://, but only rabbit:// is spoken here")));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let brokers = hosts.split(',').filter(|host| !host.is_empty()).map(broker);
        let mut brokers = brokers.collect::<Option<Vec<_>>>().ok_or_else(|| bad("has a broken port or a broken %"))?;
        if brokers.is_empty() {
            brokers.push(broker("localhost").ok_or_else(|| bad("is empty"))?);
        }
        let path = unquoted(path).ok_or_else(|| bad("has a broken % in its virtual host"))?;
        // kombu: no virtual host is the one called `/`.
        let virtual_host = if path.is_empty() { "/".to_owned() } else { path };
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = pairs.filter_map(|(name, value)| Some((name.to_owned(), unquoted(&value.replace('+', " "))?)));
        Ok(Self { brokers, virtual_host, query: query.collect() })
    }
}

impl TransportUrl {
    /// What the address itself says of an option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.query.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn broker(text: &str) -> Option<BrokerAddress> {
    let (login, place) = match text.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, text),
    };
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None | Some("") => PORT,
        Some(port) => port.parse().ok()?,
    };
    let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
        Some((user, password)) => (unquoted(user)?, unquoted(password)?),
        None => ("guest".to_owned(), "guest".to_owned()),
    };
    let host = if host.is_empty() { "localhost" } else { host };
    Some(BrokerAddress { host: host.to_owned(), port, user, password: password.into() })
}

/// `%41` is `A`. `None`: a percent sign without two digits, or no text.
fn unquoted(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok())?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn an_address_is_read_as_oslo_messaging_reads_it() {
        for (text, hosts, virtual_host) in [
            ("rabbit://", &["guest:guest@localhost:5672"][..], "/"),
            ("rabbit://m:s@bus:5673/", &["m:s@bus:5673"], "/"),
            ("rabbit://m:s@bus//magnum", &["m:s@bus:5672"], "/magnum"),
            ("rabbit://m:s@bus/magnum?ssl=1", &["m:s@bus:5672"], "magnum"),
            ("rabbit://m:p%40ss%3A@one:1,n:t@two:2/v%2Fh", &["m:p@ss:@one:1", "n:t@two:2"], "v/h"),
            ("rabbit://m:s@[::1]:5671/", &["m:s@::1:5671"], "/"),
            ("amqp://bus", &["guest:guest@bus:5672"], "/"),
        ] {
            let url: TransportUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let shown = |one: &BrokerAddress| {
                format!("{}:{}@{}:{}", one.user, one.password.expose_secret(), one.host, one.port)
            };
            assert_eq!(url.brokers.iter().map(shown).collect::<Vec<_>>(), hosts, "{text}");
            assert_eq!(url.virtual_host, virtual_host, "{text}");
        }
        assert_eq!(
            "rabbit://h/?ssl=1&ssl_ca_file=%2Fca"
                .parse::<TransportUrl>()
                .ok()
                .and_then(|url| url.option("ssl_ca_file").map(str::to_owned))
                .as_deref(),
            Some("/ca")
        );
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for text in
            ["", "bus:5672", "kafka://m:hunter2@bus", "rabbit://m:hunter2@bus:port", "rabbit://m:hunter2%@bus/%zz"]
        {
            let error = text.parse::<TransportUrl>().expect_err(text).to_string();
            assert!(error.starts_with("transport_url ") && !error.contains("hunter2"), "{error}");
        }
    }
}
