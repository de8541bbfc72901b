//! One Rust file as tokens: its functions, their length and nesting, and what only tests may do.
//!
//! Tokens rather than a syntax tree: strings and comments fall away, code inside macros stays visible, and
//! the lexer costs a fraction of a parser. Code under `#[cfg(test)]` and `#[test]` is passed over.

use anyhow::Result;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// What one file holds, tests left out.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Lines of code, comments and blanks that are no tests.
    pub(crate) lines: usize,
    pub(crate) functions: Vec<Function>,
    /// Lines that call `unwrap()`.
    pub(crate) unwraps: Vec<usize>,
    /// Lines that read the system's clock.
    pub(crate) clock_reads: Vec<usize>,
    /// Names of `#[cfg(test)] mod name;`, whose files are tests too.
    pub(crate) test_modules: Vec<String>,
}

/// A function with a body.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of `fn`.
    pub(crate) line: usize,
    /// From `fn` to the closing brace.
    pub(crate) lines: usize,
    /// Blocks within blocks, the body not counted. The block of a `match` arm counts as part of its `match`.
    pub(crate) nesting: usize,
    /// The line of the deepest block.
    pub(crate) deepest: usize,
}

/// Reads a file. Fails where its text is not Rust.
pub(crate) fn read(text: &str) -> Result<Source> {
    let stream: TokenStream = text.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut reader = Reader { tokio_time: imports_tokio_instant(text), ..Reader::default() };
    let total = text.lines().count();
    if tokens.len() > 2 && is_punct(&tokens[1], '!') && test_attribute(&tokens[0], &tokens[2]) {
        return Ok(Source::default());
    }
    reader.walk(&tokens, None);
    reader.source.lines = total - reader.test_lines.min(total);
    Ok(reader.source)
}

#[derive(Default)]
struct Reader {
    source: Source,
    /// Whether `Instant` is tokio's, whose time is the runtime's: monotonic, and paused and turned by tests.
    tokio_time: bool,
    test_lines: usize,
}

/// Where in a function a stream of tokens stands.
#[derive(Clone, Copy)]
struct Place {
    /// Index into the functions found.
    function: usize,
    depth: usize,
    /// Whether the stream is the inside of braces, where a brace can open a bare block.
    braced: bool,
}

/// What stands between the last boundary of a statement and the token at hand.
#[derive(Clone, Copy, Default)]
struct Segment {
    control: bool,
    arrow: bool,
    item: bool,
}

impl Reader {
    fn walk(&mut self, tokens: &[TokenTree], place: Option<Place>) {
        let mut segment = Segment::default();
        let mut index = 0;
        while index < tokens.len() {
            if index + 1 < tokens.len() && test_attribute(&tokens[index], &tokens[index + 1]) {
                index = self.skip_test_item(tokens, index);
                segment = Segment::default();
                continue;
            }
            if let Some(next) = self.function(tokens, index) {
                index = next;
                segment = Segment::default();
                continue;
            }
            match &tokens[index] {
                TokenTree::Group(group) => self.group(tokens, index, group, place, &mut segment),
                TokenTree::Ident(name) => self.word(tokens, index, &name.to_string(), &mut segment),
                TokenTree::Punct(punct) => match punct.as_char() {
                    ';' | ',' => segment = Segment::default(),
                    '>' if index > 0 && is_punct(&tokens[index - 1], '=') => segment = Segment::default(),
                    '>' if index > 0 && is_punct(&tokens[index - 1], '-') => segment.arrow = true,
                    _ => {}
                },
                TokenTree::Literal(_) => {}
            }
            index += 1;
        }
    }

    fn word(&mut self, tokens: &[TokenTree], index: usize, name: &str, segment: &mut Segment) {
        match name {
            "if" | "else" | "match" | "for" | "while" | "loop" | "unsafe" | "async" => segment.control = true,
            "struct" | "enum" | "union" | "trait" | "impl" | "mod" | "use" => segment.item = true,
            "unwrap" if follows(tokens, index, &['.', ':']) => self.source.unwraps.push(line(&tokens[index])),
            "now" if follows(tokens, index, &[':']) && index > 2 => {
                if let TokenTree::Ident(name) = &tokens[index - 3]
                    && (name == "SystemTime" || name == "Instant" && !self.tokio_time)
                {
                    self.source.clock_reads.push(line(&tokens[index]));
                }
            }
            _ => {}
        }
    }

    /// Walks into a group, one level deeper where it is a block.
    fn group(
        &mut self,
        tokens: &[TokenTree],
        index: usize,
        group: &Group,
        place: Option<Place>,
        segment: &mut Segment,
    ) {
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        let braced = group.delimiter() == Delimiter::Brace;
        let Some(place) = place else {
            self.walk(&inner, None);
            return;
        };
        let mut depth = place.depth;
        if braced && !is_pattern(tokens, index) {
            if opens_block(tokens, index, place, *segment) {
                depth += 1;
                let function = &mut self.source.functions[place.function];
                if depth > function.nesting {
                    function.nesting = depth;
                    function.deepest = group.span_open().start().line;
                }
            }
            *segment = Segment::default();
        }
        self.walk(&inner, Some(Place { depth, braced, ..place }));
    }

    /// Takes a function with a body that starts at `index`; returns where the code after it starts.
    fn function(&mut self, tokens: &[TokenTree], index: usize) -> Option<usize> {
        let (TokenTree::Ident(keyword), Some(TokenTree::Ident(name))) =
            (&tokens[index], tokens.get(index + 1))
        else {
            return None;
        };
        if keyword != "fn" {
            return None;
        }
        let end = tokens[index..].iter().position(|token| is_brace(token) || is_punct(token, ';'))? + index;
        let TokenTree::Group(body) = &tokens[end] else { return Some(end + 1) };
        let first = keyword.span().start().line;
        let last = body.span_close().end().line;
        let function = self.source.functions.len();
        self.source.functions.push(Function {
            name: name.to_string(),
            line: first,
            lines: last - first + 1,
            nesting: 0,
            deepest: first,
        });
        let inner: Vec<TokenTree> = body.stream().into_iter().collect();
        self.walk(&inner, Some(Place { function, depth: 0, braced: true }));
        Some(end + 1)
    }

    /// Passes over the item behind a test attribute at `index`; returns where the code after it starts.
    fn skip_test_item(&mut self, tokens: &[TokenTree], index: usize) -> usize {
        let mut start = index;
        while start + 1 < tokens.len() && is_punct(&tokens[start], '#') {
            start += 2;
        }
        let is_item = tokens[start..].iter().find_map(item_keyword).unwrap_or(false);
        let ends =
            |token: &TokenTree| is_brace(token) || is_punct(token, ';') || (!is_item && is_punct(token, ','));
        let last = tokens[start..].iter().position(ends).map_or(tokens.len() - 1, |offset| start + offset);
        self.test_lines += tokens[last].span().end().line - line(&tokens[index]) + 1;
        let is_module = |token: &TokenTree| matches!(token, TokenTree::Ident(name) if name == "mod");
        if is_punct(&tokens[last], ';')
            && let Some(module) = tokens[start..last].iter().position(is_module)
            && let Some(TokenTree::Ident(name)) = tokens.get(start + module + 1)
        {
            self.source.test_modules.push(name.to_string());
        }
        last + 1
    }
}

/// Whether the first word that is no visibility starts an item, in place of naming a field or an arm.
fn item_keyword(token: &TokenTree) -> Option<bool> {
    const ITEMS: [&str; 14] = [
        "fn", "mod", "impl", "use", "struct", "enum", "const", "static", "type", "trait", "async", "unsafe",
        "extern", "let",
    ];
    match token {
        TokenTree::Ident(name) if name == "pub" => None,
        TokenTree::Ident(name) => Some(ITEMS.iter().any(|item| name == item)),
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => None,
        _ => Some(false),
    }
}

/// Whether `#` and the group behind it say that an item is a test's.
fn test_attribute(hash: &TokenTree, group: &TokenTree) -> bool {
    let TokenTree::Group(group) = group else { return false };
    if !is_punct(hash, '#') || group.delimiter() != Delimiter::Bracket {
        return false;
    }
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(name), TokenTree::Group(condition)] if name == "cfg" => requires_test(condition),
        // `#[test]`, and `#[tokio::test]` with or without arguments.
        tokens => {
            let path = tokens.iter().take_while(|token| !matches!(token, TokenTree::Group(_)));
            matches!(path.last(), Some(TokenTree::Ident(name)) if name == "test")
        }
    }
}

fn imports_tokio_instant(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("use tokio::time::") && line.contains("Instant"))
}

/// Whether a `cfg` condition holds in tests only: `test`, or `all(…)` with `test` in it.
fn requires_test(condition: &Group) -> bool {
    let tokens: Vec<TokenTree> = condition.stream().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(all), TokenTree::Group(parts)] if all == "all" => {
            let parts: Vec<TokenTree> = parts.stream().into_iter().collect();
            parts
                .split(|token| is_punct(token, ','))
                .any(|part| matches!(part, [TokenTree::Ident(name)] if name == "test"))
        }
        [TokenTree::Ident(name)] => name == "test",
        _ => false,
    }
}

/// Whether the braces at `index` belong to a pattern: `if let Point { x } = point {`.
fn is_pattern(tokens: &[TokenTree], index: usize) -> bool {
    match tokens.get(index + 1) {
        Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => {
            !matches!(tokens.get(index + 2), Some(TokenTree::Punct(next)) if next.as_char() == '=')
        }
        Some(TokenTree::Punct(punct)) => punct.as_char() == '|',
        Some(TokenTree::Ident(name)) => name == "in",
        _ => false,
    }
}

/// Whether the braces at `index` hold statements one level deeper, and are no struct literal, no item and no
/// block of a `match` arm.
fn opens_block(tokens: &[TokenTree], index: usize, place: Place, segment: Segment) -> bool {
    if segment.item {
        return false;
    }
    if segment.control || segment.arrow {
        return true;
    }
    match index.checked_sub(1).map(|before| &tokens[before]) {
        None => place.braced,
        Some(TokenTree::Punct(punct)) => match punct.as_char() {
            ';' | '|' | '!' => true,
            '=' => !(index > 1 && is_punct(&tokens[index - 2], '=')),
            _ => false,
        },
        Some(token) => is_brace(token),
    }
}

/// Whether one of these characters stands before the token at `index`.
fn follows(tokens: &[TokenTree], index: usize, characters: &[char]) -> bool {
    index > 0 && characters.iter().any(|character| is_punct(&tokens[index - 1], *character))
}

fn is_brace(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

#[cfg(test)]
mod tests;
