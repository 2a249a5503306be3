//! The policy language: words, `and`, `or`, `not`, parentheses; and the older list of lists.

use std::iter::Peekable;

use serde_json::Value;

use super::check::{Check, Kind, Template};

/// Why a rule is not understood. oslo.policy logs such a rule and lets it refuse everybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRule {
    #[error("{0:?} is not a check: expected kind:match")]
    NotACheck(String),
    #[error("{0:?} stands where a check, an operator or the end should be")]
    Unexpected(String),
    #[error("the rule ends too early")]
    EndsEarly,
    #[error("a rule is text or a list of lists of text")]
    NotARule,
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
pub(super) fn rule(value: &Value) -> Result<Check, BadRule> {
    match value {
        Value::Null => Ok(Check::Always),
        Value::String(text) => text_rule(text),
        Value::Array(outer) => list_rule(outer),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(BadRule::NotARule),
    }
}

/// Reads a rule in the policy language.
pub(super) fn text_rule(text: &str) -> Result<Check, BadRule> {
    if text.is_empty() {
        return Ok(Check::Always);
    }
    let mut parser = Parser { tokens: tokens(text).into_iter().peekable() };
    let check = parser.either()?;
    match parser.tokens.next() {
        None => Ok(check),
        Some(token) => Err(BadRule::Unexpected(shown(&token))),
    }
}

/// The outer list is joined by `or`, the inner ones by `and`.
fn list_rule(outer: &[Value]) -> Result<Check, BadRule> {
    if outer.is_empty() {
        return Ok(Check::Always);
    }
    let mut any = Vec::new();
    for inner in outer {
        match inner {
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => any.push(single(text)?),
            Value::Array(all) if all.is_empty() => {}
            Value::Array(all) => {
                let checks = all.iter().map(|item| single(item.as_str().ok_or(BadRule::NotARule)?));
                any.push(joined(checks.collect::<Result<_, _>>()?, Check::And));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Err(BadRule::NotARule),
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
            Some(Token::Check(text)) => single(&text)?,
            Some(Token::Open) => {
                let inner = self.either()?;
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

fn single(text: &str) -> Result<Check, BadRule> {
    match text {
        "!" => return Ok(Check::Never),
        "@" => return Ok(Check::Always),
        _ => {}
    }
    let Some((kind, wanted)) = text.split_once(':') else { return Err(BadRule::NotACheck(text.to_owned())) };
    Ok(match kind {
        "rule" => Check::Rule(wanted.to_owned()),
        "role" => Check::Role(Template::parse(wanted)),
        "http" | "https" => Check::Remote(text.to_owned()),
        _ => Check::Generic { kind: left_side(kind), wanted: Template::parse(wanted) },
    })
}

/// A Python literal where the text is one, a path into the credentials otherwise.
fn left_side(kind: &str) -> Kind {
    let quoted = ['\'', '"'].into_iter().find_map(|quote| kind.strip_prefix(quote)?.strip_suffix(quote));
    match (kind, quoted) {
        (_, Some(inner)) => Kind::Literal(inner.to_owned()),
        ("None" | "True" | "False", None) => Kind::Literal(kind.to_owned()),
        _ if kind.parse::<i64>().is_ok() => Kind::Literal(kind.to_owned()),
        _ => Kind::Path(kind.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        text_rule(text).map_or_else(|error| format!("error: {error}"), |check| format!("{check:?}"))
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
    fn lists_are_or_of_and() {
        let list = serde_json::json!([["role:admin"], ["role:member", "project_id:%(project_id)s"], []]);
        let text = "role:admin or role:member and project_id:%(project_id)s";
        assert_eq!(rule(&list), text_rule(text));
        assert_eq!(rule(&serde_json::json!([])), Ok(Check::Always));
        assert_eq!(rule(&serde_json::json!([[]])), Ok(Check::Never));
        assert_eq!(rule(&serde_json::json!(3)), Err(BadRule::NotARule));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-c:()'\"%! @ndort]{0,40}") {
            let _ = text_rule(&text);
        }
    }
}
