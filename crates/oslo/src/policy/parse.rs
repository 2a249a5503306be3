//! The policy language: words, `and`, `or`, `not`, parentheses; and the older list of lists.

use std::iter::Peekable;

use serde_json::Value;

use super::check::{Check, Kind};
use super::template::Template;

/// How many parentheses may be open at a time; the stack has room for more, and no rule needs them.
const DEEPEST: usize = 100;

/// A value that can be no rule at all; oslo.policy does not load a file with one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rule is text or a list of lists of text")]
pub(super) struct NoRule;

/// Why a rule is not understood. oslo.policy logs such a rule and lets it refuse everybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum BadRule {
    #[error("{0:?} stands where a check, an operator or the end should be")]
    Unexpected(String),
    #[error("the rule ends too early")]
    EndsEarly,
    #[error("more than {DEEPEST} parentheses are open at a time")]
    TooDeep,
}

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Check(String),
    Quoted(String),
}

/// Reads one value of a policy file.
pub(super) fn rule(value: &Value) -> Result<Check, NoRule> {
    match value {
        Value::Null => Ok(Check::Always),
        Value::String(text) => Ok(text_rule(text)),
        Value::Array(outer) => list_rule(outer),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(NoRule),
    }
}

/// Reads a rule in the policy language.
pub(super) fn text_rule(text: &str) -> Check {
    if text.is_empty() {
        return Check::Always;
    }
    let mut parser = Parser { tokens: tokens(text).into_iter().peekable(), open: 0 };
    let read = parser.either().and_then(|check| match parser.tokens.next() {
        None => Ok(check),
        Some(token) => Err(BadRule::Unexpected(shown(&token))),
    });
    read.unwrap_or_else(|bad| Check::Unreadable(bad.to_string()))
}

/// The outer list is joined by `or`, the inner ones by `and`.
fn list_rule(outer: &[Value]) -> Result<Check, NoRule> {
    if outer.is_empty() {
        return Ok(Check::Always);
    }
    let item = |item: &Value| match item.as_str() {
        Some(text) => single(text),
        None => {
            let begins: String = item.to_string().chars().take(60).collect();
            Check::Unreadable(format!("{begins} is not a check: expected kind:match"))
        }
    };
    let mut any = Vec::new();
    for inner in outer {
        match inner {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => any.push(single(text)),
            Value::Array(all) if all.is_empty() => {}
            Value::Array(all) => any.push(joined(all.iter().map(item).collect(), Check::And)),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Err(NoRule),
        }
    }
    if any.is_empty() { Ok(Check::Never) } else { Ok(joined(any, Check::Or)) }
}

/// A list of one is that one.
fn joined(mut checks: Vec<Check>, join: fn(Vec<Check>) -> Check) -> Check {
    match (checks.len(), checks.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            checks.push(last);
            join(checks)
        }
        (_, None) => Check::Never,
    }
}

/// Splits at white space, then takes parentheses off both ends of each word; those inside belong to `%(name)s`.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for word in text.split_whitespace() {
        let inner = word.trim_start_matches('(');
        tokens.extend((0..word.len() - inner.len()).map(|_| Token::Open));
        let clean = inner.trim_end_matches(')');
        let quoted = |quote: char| inner.len() >= 2 && inner.starts_with(quote) && inner.ends_with(quote);
        match clean.to_lowercase().as_str() {
            "" => {}
            "and" => tokens.push(Token::And),
            "or" => tokens.push(Token::Or),
            "not" => tokens.push(Token::Not),
            _ if quoted('"') || quoted('\'') => tokens.push(Token::Quoted(inner.to_owned())),
            _ => tokens.push(Token::Check(clean.to_owned())),
        }
        tokens.extend((0..inner.len() - clean.len()).map(|_| Token::Close));
    }
    tokens
}

fn shown(token: &Token) -> String {
    match token {
        Token::Open => "(".to_owned(),
        Token::Close => ")".to_owned(),
        Token::And => "and".to_owned(),
        Token::Or => "or".to_owned(),
        Token::Not => "not".to_owned(),
        Token::Check(text) | Token::Quoted(text) => text.clone(),
    }
}

struct Parser {
    tokens: Peekable<std::vec::IntoIter<Token>>,
    open: usize,
}

impl Parser {
    fn take(&mut self, wanted: &Token) -> bool {
        self.tokens.next_if_eq(wanted).is_some()
    }

    fn either(&mut self) -> Result<Check, BadRule> {
        let mut checks = vec![self.both()?];
        while self.take(&Token::Or) {
            checks.push(self.both()?);
        }
        Ok(joined(checks, Check::Or))
    }

    fn both(&mut self) -> Result<Check, BadRule> {
        let mut checks = vec![self.one()?];
        while self.take(&Token::And) {
            checks.push(self.one()?);
        }
        Ok(joined(checks, Check::And))
    }

    fn one(&mut self) -> Result<Check, BadRule> {
        // A loop, not recursion: a file may hold any number of `not`.
        let mut negated = false;
        while self.take(&Token::Not) {
            negated = !negated;
        }
        let check = match self.tokens.next() {
            None => return Err(BadRule::EndsEarly),
            Some(Token::Check(text)) => single(&text),
            Some(Token::Open) => {
                if self.open == DEEPEST {
                    return Err(BadRule::TooDeep);
                }
                self.open += 1;
                let inner = self.either()?;
                self.open -= 1;
                if !self.take(&Token::Close) {
                    let found = self.tokens.next();
                    return Err(found.map_or(BadRule::EndsEarly, |token| BadRule::Unexpected(shown(&token))));
                }
                inner
            }
            Some(token) => return Err(BadRule::Unexpected(shown(&token))),
        };
        Ok(if negated { Check::Not(Box::new(check)) } else { check })
    }
}

fn single(text: &str) -> Check {
    match text {
        "!" => return Check::Never,
        "@" => return Check::Always,
        _ => {}
    }
    let Some((kind, wanted)) = text.split_once(':') else {
        return Check::Unreadable(format!("{text:?} is not a check: expected kind:match"));
    };
    match kind {
        "rule" => Check::Rule(wanted.to_owned()),
        "role" => Check::Role(Template::parse(wanted)),
        "http" | "https" => Check::Remote(text.to_owned()),
        _ => Check::Generic { kind: left_side(kind), wanted: Template::parse(wanted) },
    }
}

/// A Python literal where the text is one, a path into the credentials where Python can read it, else nothing.
fn left_side(kind: &str) -> Kind {
    if let Some(literal) = literal(kind) {
        return Kind::Literal(literal);
    }
    if is_expression(kind) { Kind::Path(kind.to_owned()) } else { Kind::Broken(kind.to_owned()) }
}

/// What `str()` makes of a literal: a text without escapes, a number, a constant.
fn literal(kind: &str) -> Option<String> {
    if let "None" | "True" | "False" = kind {
        return Some(kind.to_owned());
    }
    let quoted = |quote: char| {
        let inner = kind.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains([quote, '\\'])).then(|| inner.to_owned())
    };
    quoted('\'').or_else(|| quoted('"')).or_else(|| number(kind))
}

/// A decimal number with a sign or without, as Python shows it.
fn number(kind: &str) -> Option<String> {
    let (sign, digits) = match kind.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", kind.strip_prefix('+').unwrap_or(kind)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !digits.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let whole = digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if whole {
        let plain = digits.replace('_', "");
        let zero = plain.bytes().all(|byte| byte == b'0');
        return match plain.as_str() {
            _ if zero => Some("0".to_owned()),
            leading if leading.starts_with('0') => None,
            plain => Some(format!("{sign}{plain}")),
        };
    }
    let value: f64 = if digits.contains('_') { return None } else { digits.parse().ok()? };
    Some(format!("{sign}{}", crate::python::float(value)))
}

/// Whether Python can read the text as names with dots, with operators between them. oslo.policy tries that first, and a
/// request fails where it cannot.
fn is_expression(kind: &str) -> bool {
    kind.split(['-', '+', '*', '/', '@', '&', '|', '^', '%']).enumerate().all(|(at, operand)| {
        let signed = operand.is_empty() && at == 0 && kind.starts_with(['-', '+']);
        signed || number(operand).is_some() || is_dotted_name(operand)
    })
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').enumerate().all(|(at, part)| {
        let constant = matches!(part, "None" | "True" | "False") && at > 0;
        let first = |c: char| c.is_alphabetic() || c == '_';
        let named = part.starts_with(first) && part.chars().all(|c| c.is_alphanumeric() || c == '_');
        named && !constant && !KEYWORDS.contains(&part)
    })
}

const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
    "return", "try", "while", "with", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match text_rule(text) {
            Check::Unreadable(why) => format!("error: {why}"),
            check => format!("{check:?}"),
        }
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tighter_than_both() {
        assert_eq!(parsed("rule:a or rule:b and not rule:c"), parsed("rule:a or (rule:b and (not rule:c))"));
        assert_eq!(parsed("((rule:a)) AND rule:b"), parsed("rule:a and rule:b"));
        assert_ne!(parsed("(rule:a or rule:b) and rule:c"), parsed("rule:a or rule:b and rule:c"));
        assert_eq!(parsed("not not rule:a"), parsed("rule:a"));
    }

    #[test]
    fn what_oslo_does_not_understand_is_an_error() {
        for (text, error) in [
            ("admin", "error: \"admin\" is not a check: expected kind:match"),
            ("rule:a and", "error: the rule ends too early"),
            ("(rule:a", "error: the rule ends too early"),
            ("rule:a)", "error: \")\" stands where a check, an operator or the end should be"),
            ("rule:a rule:b", "error: \"rule:b\" stands where a check, an operator or the end should be"),
            ("'literal'", "error: \"'literal'\" stands where a check, an operator or the end should be"),
            ("   ", "error: the rule ends too early"),
            ("()", "error: \")\" stands where a check, an operator or the end should be"),
        ] {
            assert_eq!(parsed(text), error, "{text}");
        }
    }

    #[test]
    fn a_rule_of_many_parentheses_is_refused_and_not_followed() {
        let nested = |depth| format!("{}rule:a{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(parsed(&nested(100)), parsed("rule:a"));
        assert_eq!(parsed(&nested(100_000)), "error: more than 100 parentheses are open at a time");
    }

    #[test]
    fn lists_are_or_of_and() {
        let list = serde_json::json!([["role:admin"], ["role:member", "project_id:%(project_id)s"], []]);
        let text = "role:admin or role:member and project_id:%(project_id)s";
        assert_eq!(rule(&list), Ok(text_rule(text)));
        assert_eq!(rule(&serde_json::json!([])), Ok(Check::Always));
        assert_eq!(rule(&serde_json::json!([[]])), Ok(Check::Never));
        assert_eq!(rule(&serde_json::json!(3)), Err(NoRule));
        assert_eq!(rule(&serde_json::json!([{}])), Err(NoRule));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-c:()'\"%! @ndort]{0,40}") {
            let _ = text_rule(&text);
        }
    }
}
