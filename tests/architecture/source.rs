//! What one Rust file declares, imports and refers to, read from its tokens.
//!
//! The compiler's lexer, as a library, tells code from comments and strings. Of the grammar
//! this needs to know three things: items at the top of a file, `use` trees, and paths. Paths
//! in macros are tokens too, so they count. What is compiled for unit tests only is left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// The declarations and references of a file.
#[derive(Debug, Default)]
pub struct Source {
    /// Names of the modules that stand in files of their own.
    pub modules: Vec<String>,
    /// Names of the items defined at the top of the file.
    pub items: BTreeSet<String>,
    /// What it brings into scope, wherever in the file.
    pub imports: Vec<Import>,
    /// The paths in its code.
    pub references: Vec<Reference>,
    /// Whether there is anything but modules and imports.
    pub has_code: bool,
}

/// One name of a `use`.
#[derive(Clone, Debug)]
pub struct Import {
    /// Its path; that of the module when all of it is imported.
    pub path: Vec<String>,
    /// The name it has in this file; none for `*`.
    pub name: Option<String>,
    /// Whether it is exported, to whomever.
    pub exported: bool,
    /// The line, from 1.
    pub line: usize,
}

/// A path in code; a single name is one too.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Its segments.
    pub path: Vec<String>,
    /// The line, from 1.
    pub line: usize,
}

/// The words that an item's name follows.
const ITEMS: [&str; 9] =
    ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"];

impl Source {
    /// Reads a file.
    ///
    /// # Panics
    /// When it cannot be read, or is no Rust.
    pub fn read(path: &Path) -> Source {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let tokens: TokenStream =
            text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut source = Source::default();
        source.scan(&tokens.into_iter().collect::<Vec<_>>(), true);
        source
    }

    fn scan(&mut self, tokens: &[TokenTree], top: bool) {
        let mut at = 0;
        let mut is_test = false;
        while at < tokens.len() {
            if let Some((attribute, next)) = attribute(tokens, at) {
                is_test |= attribute.to_string().replace(' ', "") == "cfg(test)";
                self.scan_attribute(&attribute);
                at = next;
                continue;
            }
            if is_test {
                at = end_of_item(tokens, at);
                is_test = false;
                continue;
            }
            at = match &tokens[at] {
                TokenTree::Ident(word) if word == "use" && !is_punct(tokens.get(at + 1), '<') => {
                    self.scan_use(tokens, at)
                }
                TokenTree::Ident(word) if word == "mod" && top => {
                    let name = tokens[at + 1].to_string();
                    if let Some(TokenTree::Group(body)) = tokens.get(at + 2) {
                        self.scan_inline(name, body.stream());
                    } else {
                        self.modules.push(name);
                    }
                    at + 3
                }
                TokenTree::Ident(word) => {
                    if top && (word == "impl" || ITEMS.contains(&word.to_string().as_str())) {
                        self.has_code = true;
                        self.define(word, &tokens[at + 1..]);
                    }
                    self.scan_path(tokens, at)
                }
                TokenTree::Group(group) => {
                    self.scan(&group.stream().into_iter().collect::<Vec<_>>(), false);
                    at + 1
                }
                _ => at + 1,
            };
        }
    }

    /// A module in braces is part of its file: what refers to it stays in the file, and `super`
    /// in it means the file.
    fn scan_inline(&mut self, name: String, body: TokenStream) {
        let mut inner = Source::default();
        inner.scan(&body.into_iter().collect::<Vec<_>>(), true);
        let outward = |path: &mut Vec<String>| {
            if path[0] == "super" {
                path[0] = if path.get(1).is_some_and(|next| next == "super") {
                    path.remove(1)
                } else {
                    "self".to_owned()
                };
            }
        };
        inner.imports.iter_mut().for_each(|import| outward(&mut import.path));
        inner.references.iter_mut().for_each(|reference| outward(&mut reference.path));
        self.has_code = true;
        self.items.insert(name);
        self.items.extend(inner.items);
        self.modules.extend(inner.modules);
        self.imports.extend(inner.imports);
        self.references.extend(inner.references);
    }

    fn define(&mut self, word: &Ident, rest: &[TokenTree]) {
        let mut names = rest.iter().skip(usize::from(word == "macro_rules"));
        if let Some(TokenTree::Ident(name)) = names.next()
            && !ITEMS.contains(&name.to_string().as_str())
        {
            self.items.insert(name.to_string());
        }
    }

    /// An attribute may name a function in a string, as those of serde do.
    fn scan_attribute(&mut self, attribute: &TokenStream) {
        let tokens: Vec<TokenTree> = attribute.clone().into_iter().collect();
        if matches!(tokens.first(), Some(TokenTree::Ident(word)) if word == "doc") {
            return;
        }
        self.scan(&tokens, false);
        for group in tokens.iter().filter_map(|token| match token {
            TokenTree::Group(group) => Some(group.stream()),
            _ => None,
        }) {
            for token in group {
                let TokenTree::Literal(literal) = token else { continue };
                let text = literal.to_string();
                let path: Vec<String> =
                    text.trim_matches('"').split("::").map(str::to_owned).collect();
                let is_name = |part: &String| {
                    part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
                };
                if path.iter().all(is_name) {
                    self.references.push(Reference { path, line: literal.span().start().line });
                }
            }
        }
    }

    /// The `use` at `at`; returns where it ends.
    fn scan_use(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let end = (at..tokens.len()).find(|&at| is_punct(tokens.get(at), ';'));
        let end = end.expect("a use ends with a semicolon");
        let exported = match (at.checked_sub(1), at.checked_sub(2)) {
            (Some(one), _) if is_word(&tokens[one], "pub") => true,
            (Some(one), Some(two)) => {
                matches!(tokens[one], TokenTree::Group(_)) && is_word(&tokens[two], "pub")
            }
            _ => false,
        };
        self.scan_tree(&tokens[at + 1..end], &[], exported);
        end + 1
    }

    fn scan_tree(&mut self, tokens: &[TokenTree], prefix: &[String], exported: bool) {
        let mut path = prefix.to_vec();
        for (at, token) in tokens.iter().enumerate() {
            let line = token.span().start().line;
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    let import = self.imports.last_mut();
                    import.expect("something to rename").name = Some(tokens[at + 1].to_string());
                    return;
                }
                TokenTree::Ident(word) => {
                    // `a::{self}` is `a`.
                    if word != "self" || path.is_empty() {
                        path.push(word.to_string());
                    }
                    if !is_punct(tokens.get(at + 1), ':') {
                        let name = path.last().cloned();
                        self.imports.push(Import { path: path.clone(), name, exported, line });
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == '*' => {
                    self.imports.push(Import { path: path.clone(), name: None, exported, line });
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    for tree in inner.split(|token| is_punct(Some(token), ',')) {
                        self.scan_tree(tree, &path, exported);
                    }
                }
                _ => {}
            }
        }
    }

    /// The path that begins with the name at `at`; returns where it ends.
    fn scan_path(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let mut path = vec![tokens[at].to_string()];
        let mut end = at + 1;
        while is_punct(tokens.get(end), ':') && is_punct(tokens.get(end + 1), ':') {
            let Some(TokenTree::Ident(name)) = tokens.get(end + 2) else { break };
            path.push(name.to_string());
            end += 3;
        }
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        // A method or field, a lifetime, the end of `<T as Trait>::NAME`.
        let follows = (is_punct(before(1), '.') && !is_punct(before(2), '.'))
            || is_punct(before(1), '\'')
            || (is_punct(before(1), ':') && is_punct(before(2), ':'));
        // The name of a field, a parameter, a variable.
        let is_typed = path.len() == 1
            && is_punct(tokens.get(end), ':')
            && !is_punct(tokens.get(end + 1), ':');
        if !follows && !is_typed {
            self.references.push(Reference { path, line: tokens[at].span().start().line });
        }
        end
    }
}

/// The content of the attribute at `at`, and where it ends.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(TokenStream, usize)> {
    if !is_punct(tokens.get(at), '#') {
        return None;
    }
    let at = at + 1 + usize::from(is_punct(tokens.get(at + 1), '!'));
    match tokens.get(at)? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            Some((group.stream(), at + 1))
        }
        _ => None,
    }
}

/// Where the item at `at` ends: after its braces or its semicolon.
fn end_of_item(tokens: &[TokenTree], at: usize) -> usize {
    let is_use = tokens[at..].iter().take(3).any(|token| is_word(token, "use"));
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_use,
        token => is_punct(Some(token), ';'),
    };
    tokens[at..].iter().position(ends).map_or(tokens.len(), |length| at + length + 1)
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_word(token: &TokenTree, text: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word == text)
}
