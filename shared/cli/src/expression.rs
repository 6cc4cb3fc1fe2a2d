//! The text of a jq expression, parsed.
//!
//! jaq-syn accepts more than the engine evaluates, and panics when it converts the rest. That is
//! refused here, with the place where it stands.

use jaq_syn::lex::{Lexer, StrPart};
use jaq_syn::{Main, Parser};

type Token<'a> = jaq_syn::lex::Token<&'a str>;

const OPERATORS: [&str; 20] = [
    "|", "//", "+", "-", "*", "/", "%", "=", "|=", "+=", "-=", "*=", "/=", "%=", "<", ">", "<=",
    ">=", "==", "!=",
];
const FOLDS: [&str; 3] = ["reduce", "foreach", "for"];

/// Parses an expression.
///
/// # Errors
/// What is wrong, and where.
pub fn parse(expression: &str) -> Result<Main, String> {
    if let Some(escape) = surrogate(expression) {
        return Err(unexpected(expression, escape));
    }
    let tokens = Lexer::new(expression).lex().map_err(|errors| {
        let rest = errors.first().map_or("", |(_, rest)| rest);
        let first = rest.chars().next().map_or(0, char::len_utf8);
        unexpected(expression, &rest[..first])
    })?;
    let tokens = normalize(tokens);
    refuse(&tokens, true).map_err(|token| unexpected(expression, token))?;
    let module = Parser::new(&tokens).parse(|parser| parser.module(Parser::term));
    let module = module.map_err(|errors| {
        let found = errors.first().and_then(|(_, found)| *found);
        unexpected(expression, Token::opt_as_str(found, expression))
    })?;
    Ok(module.conv(expression))
}

/// `found` is a part of the expression; an empty one is its end.
fn unexpected(expression: &str, found: &str) -> String {
    if found.is_empty() {
        return "it ends too early".to_owned();
    }
    let before = found.as_ptr() as usize - expression.as_ptr() as usize;
    let character = expression[..before].chars().count() + 1;
    format!("{found:?} is not expected at character {character}")
}

/// An escape of half a character, such as `\ud83d`: jq knows only whole ones.
fn surrogate(expression: &str) -> Option<&str> {
    let escapes = expression.match_indices("\\u").map(|(start, _)| start);
    escapes.filter_map(|start| expression.get(start..start + 6)).find(|escape| {
        u32::from_str_radix(&escape[2..], 16).is_ok_and(|code| char::from_u32(code).is_none())
    })
}

/// The tokens as the parser wants them. An operator is parted from the signs that follow it at
/// once, as in `.n==-1`, and `.a.[0]` becomes `.a[0]`.
fn normalize(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let mut normal = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let index_follows =
            matches!(tokens.peek(), Some(Token::Block(text, _)) if text.starts_with('['));
        match token {
            Token::Op(text) => part_signs(text, &mut normal),
            Token::Char(".")
                if index_follows
                    && normal.last().is_some_and(|last| ends_at(last, token.as_str())) => {}
            Token::Block(text, inner) => normal.push(Token::Block(text, normalize(inner))),
            Token::Str(text, parts) => {
                let part = |part| match part {
                    StrPart::Filter(Token::Block(text, inner)) => {
                        StrPart::Filter(Token::Block(text, normalize(inner)))
                    }
                    part => part,
                };
                normal.push(Token::Str(text, parts.into_iter().map(part).collect()));
            }
            token => normal.push(token),
        }
    }
    normal
}

fn part_signs<'a>(text: &'a str, tokens: &mut Vec<Token<'a>>) {
    if OPERATORS.contains(&text) || !text.ends_with('-') {
        return tokens.push(Token::Op(text));
    }
    let (operator, sign) = text.split_at(text.len() - 1);
    part_signs(operator, tokens);
    tokens.push(Token::Op(sign));
}

/// Whether this token is the end of a path, and `next` follows it at once.
fn ends_at(token: &Token, next: &str) -> bool {
    let text = token.as_str();
    let is_path = match token {
        Token::Block(..) | Token::Str(..) | Token::Char("?") => true,
        Token::Char(_) => text.starts_with('.') && !["..", "."].contains(&text),
        Token::Word(_) => text.starts_with('$'),
        Token::Num(_) | Token::Op(_) => false,
    };
    is_path && text.as_bytes().as_ptr_range().end == next.as_ptr()
}

/// The text of the first token that the engine does not evaluate: modules, labels, unknown
/// operators, definitions other than at the beginning, and `reduce` without its two arguments.
/// `outermost`: these tokens are not in parentheses, brackets or braces.
fn refuse<'a>(tokens: &[Token<'a>], outermost: bool) -> Result<(), &'a str> {
    // Of how many folds `as` is still to come.
    let mut folds = 0;
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &tokens[before]);
        let after = &tokens[index + 1..];
        let is_key = matches!(after, [Token::Char(":"), ..]) && !outermost;
        match token {
            Token::Word("module" | "include" | "import") if outermost && index == 0 => {
                return Err(token.as_str());
            }
            Token::Word("label" | "break") if !is_key => return Err(token.as_str()),
            Token::Word("def") if !is_key => {
                let begins = matches!(before, None | Some(Token::Char(";" | ":")));
                if !outermost || !begins {
                    return Err(token.as_str());
                }
            }
            Token::Word(word) if FOLDS.contains(word) && !is_key => folds += 1,
            Token::Word("as") if folds > 0 => {
                folds -= 1;
                let two = |inner: &[Token]| {
                    inner.iter().filter(|token| matches!(token, Token::Char(";"))).count() == 1
                };
                match after {
                    [_, Token::Block(_, inner), ..] if two(inner) => {}
                    _ => return Err(token.as_str()),
                }
            }
            Token::Op(operator) if !OPERATORS.contains(operator) => return Err(operator),
            Token::Block(_, inner) => refuse(inner, false)?,
            Token::Str(_, parts) => {
                for part in parts {
                    if let StrPart::Filter(Token::Block(_, inner)) = part {
                        refuse(inner, false)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_error_says_what_and_where() {
        for (expression, error) in [
            ("", "it ends too early"),
            (".name ==", "it ends too early"),
            (".a ==)", "\")\" is not expected at character 6"),
            ("\"é\" & 1", "\"&\" is not expected at character 5"),
            (".a => 1", "\"=>\" is not expected at character 4"),
            ("(.a", "it ends too early"),
            ("\"\\ud83d\"", "\"\\\\ud83d\" is not expected at character 2"),
            ("import \"a\" as a; .", "\"import\" is not expected at character 1"),
            ("label $x | .", "\"label\" is not expected at character 1"),
            ("1 | def f: 2; f", "\"def\" is not expected at character 5"),
            ("reduce .[] as $x | .", "\"as\" is not expected at character 12"),
            ("foreach .[] as $x (0; 1; 2)", "\"as\" is not expected at character 13"),
        ] {
            assert_eq!(parse(expression).unwrap_err(), error, "{expression}");
        }
    }

    #[test]
    fn what_jq_knows_is_parsed() {
        for expression in [
            ".a==-1",
            "1---1",
            ".a.[0].[1].b, $x.[0], .a?.[0] and .[0]",
            ".a|-1",
            "\"\\(.a+-1)\" == \"2\"",
            "def f: def g: 1; g; def h(x): x; f + h(2)",
            "reduce .[] as $x (0; . + $x)",
            "{label: 1, def: 2, reduce: 3} | .label, .def",
            ".a as $x | .b | test($x; \"x\")",
            "if .a then .b elif .c then 1 else 2 end",
            "try error catch .",
            ".[\"a\"]?, .[1:-1], .. , $ENV.HOME, @base64",
            ".a # a comment",
        ] {
            parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        }
    }

    proptest! {
        /// Words of the language in any order: refused or parsed, never a panic.
        #[test]
        fn no_expression_panics(words in prop::collection::vec(prop::sample::select(vec![
            ".", "..", ".a", "$x", "@json", "1", "-", "1e", "\"", "\"s\"", "\"\\(", "\\u", "dfff",
            "(", ")", "[", "]", "{", "}", ":", ";", ",", "?", "|", "as", "def", "f", "label",
            "break", "reduce", "foreach", "for", "if", "then", "else", "elif", "end", "try",
            "catch", "and", "or", "not", "import", "include", "module", "==", "!=", "//", "|=",
            "<", "=", "+", "*", "/", "%", "#", "\n", "é",
        ]), 0..12), space in any::<bool>()) {
            let _ = parse(&words.join(if space { " " } else { "" }));
        }
    }
}
