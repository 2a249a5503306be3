//! Settings of the API.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// Settings of the API.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Scheme and host of the addresses that clients are given, where they do not come from the request: `https://registry.example.org`.
    pub host: Option<String>,
    /// Whether clients are given addresses without scheme and host.
    pub relative_urls: bool,
    /// What stands before `/v2/` in paths; empty, or with a slash at its beginning and none at its end.
    pub prefix: String,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// What every answer has besides, such as what browsers ask for.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What clients are to show to their users, on every answer: of a move, of an end. At most 4096 bytes.
    pub warnings: Vec<HeaderValue>,
    /// Whether clients are sent to the store for the bytes of blobs.
    pub redirect: Redirect,
    /// With [`Redirect::Auto`], smaller blobs are not worth it.
    pub redirect_minimum: u64,
    /// How long an address of the store is good.
    pub redirect_lifetime: Duration,
    /// Most names of a page of tags where no number is asked for, and where one is.
    pub tags_page: (usize, usize),
    /// Names of a page of the catalog where nothing is said, and at most.
    pub catalog_page: (usize, usize),
    /// Most tags that one push of a manifest may give it.
    pub tags_per_push: usize,
    /// Most bytes of a path and its query.
    pub longest_target: usize,
    /// Why nothing is pushed to or deleted from here, where nothing is: what only reads is answered all the same.
    pub takes_no_pushes: Option<&'static str>,
    /// How long a body may trickle, and so many bytes it has to bring each second after that.
    pub body_pace: (Duration, u64),
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            host: None,
            relative_urls: false,
            prefix: String::new(),
            trusted_proxies: Vec::new(),
            headers: Vec::new(),
            warnings: Vec::new(),
            redirect: Redirect::Off,
            redirect_minimum: 1 << 20,
            redirect_lifetime: Duration::from_secs(20 * 60),
            tags_page: (10_000, 10_000),
            catalog_page: (100, 1000),
            tags_per_push: 100,
            longest_target: 16 << 10,
            takes_no_pushes: None,
            body_pace: (Duration::from_secs(30), 1024),
        }
    }
}

/// Most bytes of all warnings of an answer together.
const WARNINGS: usize = 4096;

/// Why something is no warning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWarning {
    /// A header cannot hold it.
    #[error("has {0:?}: a warning is a line of ASCII, and not empty")]
    Text(String),
    /// No client has to read so much.
    #[error("has more than {} bytes", WARNINGS)]
    TooLong,
}

/// The headers `Warning` for these texts.
pub fn warnings(texts: &[String]) -> Result<Vec<HeaderValue>, BadWarning> {
    let mut values = Vec::new();
    for text in texts {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let value = HeaderValue::from_str(&format!("299 - \"{quoted}\"")).ok();
        let is_line = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        values.push(value.filter(|_| is_line).ok_or_else(|| BadWarning::Text(text.clone()))?);
    }
    if values.iter().map(HeaderValue::len).sum::<usize>() > WARNINGS {
        return Err(BadWarning::TooLong);
    }
    Ok(values)
}

/// Whether clients are sent to the store for the bytes of blobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Redirect {
    /// Never.
    #[default]
    Off,
    /// Always, where the store gives addresses.
    On,
    /// For blobs that are worth it, and clients of these networks; of any, where none is named.
    Auto(Vec<Network>),
}

/// Addresses that begin alike, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Something is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address, and after a slash how many of its bits count")]
pub struct BadNetwork;

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| BadNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| BadNetwork))?;
        if bits > most { Err(BadNetwork) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    /// Whether an address is one of it. An IPv4 address within IPv6 is that IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits()) << 96, u128::from(theirs.to_bits()) << 96)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits()),
            _ => return false,
        };
        let differs = ours ^ theirs;
        differs.leading_zeros() >= u32::from(self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_quoted() {
        let of = |texts: &[&str]| warnings(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["moves \"soon\"", "ends"]).unwrap(), [r#"299 - "moves \"soon\"""#, r#"299 - "ends""#]);
        for text in ["", "two\nlines", "größer"] {
            assert_eq!(of(&[text]), Err(BadWarning::Text(text.to_owned())));
        }
        let half = "x".repeat(2500);
        assert!(of(&[&half]).is_ok());
        assert_eq!(of(&[&half, &half]), Err(BadWarning::TooLong), "all of them together");
    }

    #[test]
    fn networks_have_addresses() {
        for (network, address, is) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), is, "{network:?} {address}");
        }
        for text in ["", "10", "10.0.0.0/33", "::/129", "10.0.0.0/", "a/8"] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork), "{text}");
        }
    }
}
