//! OpenSSL's traditional form of an encrypted key: `Proc-Type` and `DEK-Info` above the text.
//!
//! MD5 stretches the passphrase there. It is read for old rows alone; nothing is written so.

use aws_lc_rs::cipher::{
    AES_128, AES_128_KEY_LEN, AES_256, AES_256_KEY_LEN, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use secrecy::{ExposeSecret, SecretString};

use crate::BadKey;

/// Opens such a key; the answer is the same form without encryption.
pub(crate) fn open(pem: &str, passphrase: &SecretString) -> Result<SecretString, BadKey> {
    let mut lines = pem.lines().map(str::trim);
    let begin = lines.next().unwrap_or_default();
    let label = begin.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
    let label =
        label.filter(|label| label.ends_with("PRIVATE KEY")).ok_or(BadKey::Traditional("it is no private key"))?;
    let headers: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let how = headers.iter().find_map(|header| header.strip_prefix("DEK-Info:"));
    let (name, iv) = how.and_then(|how| how.trim().split_once(',')).ok_or(BadKey::Traditional("it has no DEK-Info"))?;
    let iv: [u8; 16] = bytes_of_hex(iv).ok_or(BadKey::Traditional("its initial vector is odd"))?;
    let body: String = lines.take_while(|line| !line.starts_with("-----END")).collect();
    let mut body = STANDARD.decode(body).map_err(|_| BadKey::Traditional("it is not base64"))?;

    let (algorithm, length) = match name {
        "AES-128-CBC" => (&AES_128, AES_128_KEY_LEN),
        "AES-256-CBC" => (&AES_256, AES_256_KEY_LEN),
        _ => return Err(BadKey::Traditional("its cipher is not known here: expected AES-128-CBC or AES-256-CBC")),
    };
    let key = stretched(passphrase.expose_secret().as_bytes(), &iv[..8], length);
    let wrong = || BadKey::Traditional("it does not open with its passphrase");
    let key = UnboundCipherKey::new(algorithm, &key).map_err(|_| wrong())?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| wrong())?;
    let open = key.decrypt(&mut body, DecryptionContext::Iv128(iv.into())).map_err(|_| wrong())?;
    // One in 256 wrong passphrases gives a padding that fits, but hardly ever a sequence of the right length.
    if !is_sequence(open) {
        return Err(wrong());
    }
    let text = STANDARD.encode(open);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    Ok(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into())
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn stretched(passphrase: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let mut key: Vec<u8> = Vec::with_capacity(length + 16);
    while key.len() < length {
        let before = key.len().saturating_sub(16);
        let block = Md5::new().chain_update(&key[before..]).chain_update(passphrase).chain_update(salt).finalize();
        key.extend_from_slice(&block);
    }
    key.truncate(length);
    key
}

fn is_sequence(der: &[u8]) -> bool {
    match der {
        [0x30, 0x82, high, low, rest @ ..] => rest.len() == usize::from(*high) * 256 + usize::from(*low),
        [0x30, 0x81, length, rest @ ..] => rest.len() == usize::from(*length),
        [0x30, length, rest @ ..] => rest.len() == usize::from(*length),
        _ => false,
    }
}

fn bytes_of_hex(text: &str) -> Option<[u8; 16]> {
    let text = text.trim();
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
