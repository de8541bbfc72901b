//! Web addresses in a text: where they begin and end, and where they lead.

use std::ops::Range;

/// Addresses longer than this are not offered: nobody can check them by eye.
const LONGEST: usize = 2_048;

/// A web address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The whole address, `http://` or `https://` at its beginning. Every character is visible ASCII.
    pub url: String,
    /// The name (or number) of the host that it leads to, with the port if there is one.
    pub host: String,
    /// What a reader should be warned of.
    pub warning: Option<&'static str>,
}

/// The places of the addresses in a text, ascending.
#[must_use]
pub fn ranges(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = next_start(text, at) {
        let rest = &text[start..];
        let end = rest.find(ends_link).unwrap_or(rest.len());
        let length = without_trailing(&rest[..end]).len();
        if parse(&rest[..length]).is_some() {
            found.push(start..start + length);
        }
        at = start + length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    found
}

/// The addresses in a text, in order, each once.
#[must_use]
pub fn links(text: &str) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for range in ranges(text) {
        if let Some(link) = parse(&text[range])
            && !links.contains(&link)
        {
            links.push(link);
        }
    }
    links
}

/// Reads one address; `None` for what is none, has another scheme, or holds what is not visible ASCII. An address of
/// another script can be written in ASCII, and is not offered as it imitates others too easily.
#[must_use]
pub fn parse(text: &str) -> Option<Link> {
    let scheme = scheme_length(text)?;
    let visible = |byte: u8| byte.is_ascii_graphic();
    if text.len() > LONGEST || !text.bytes().all(visible) {
        return None;
    }
    let rest = &text[scheme..];
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let named = host.bytes().any(|byte| byte.is_ascii_alphanumeric());
    let valid = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    if !named || !valid {
        return None;
    }
    let host = host.to_ascii_lowercase();
    let warning = if user.is_some() {
        Some("What stands before the @ is not where it leads.")
    } else if host.split('.').any(|label| label.starts_with("xn--")) {
        Some("The name is of another script and may imitate one you know.")
    } else if text[..scheme].eq_ignore_ascii_case("http://") {
        Some("The connection is not encrypted.")
    } else {
        None
    };
    Some(Link { url: text.to_owned(), host, warning })
}

fn next_start(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    (from..text.len()).find(|at| {
        let begins = text.is_char_boundary(*at) && scheme_length(&text[*at..]).is_some();
        begins && (*at == 0 || !bytes[*at - 1].is_ascii_alphanumeric())
    })
}

fn scheme_length(text: &str) -> Option<usize> {
    let begins =
        |scheme: &&str| text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    ["https://", "http://"].into_iter().find(begins).map(str::len)
}

fn ends_link(character: char) -> bool {
    character.is_whitespace() || !character.is_ascii_graphic() || matches!(character, '<' | '>' | '"' | '`')
}

/// Without what more likely ends the sentence than the address.
fn without_trailing(text: &str) -> &str {
    let mut text = text;
    loop {
        let shorter = text.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']);
        let unpaired = |open: char, close: char| {
            shorter.ends_with(close) && shorter.matches(close).count() > shorter.matches(open).count()
        };
        let shorter = if unpaired('(', ')') || unpaired('[', ']') || unpaired('{', '}') {
            &shorter[..shorter.len() - 1]
        } else {
            shorter
        };
        if shorter.len() == text.len() {
            return text;
        }
        text = shorter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_where_they_begin_and_end() {
        for (text, expected) in [
            ("no address", vec![]),
            ("see https://example.org.", vec!["https://example.org"]),
            ("(https://example.org/a_(b))", vec!["https://example.org/a_(b)"]),
            (
                "a HTTPS://Example.org/x?y=1#z, and http://b.example!",
                vec!["HTTPS://Example.org/x?y=1#z", "http://b.example"],
            ),
            ("<https://example.org>", vec!["https://example.org"]),
            ("日本https://example.org語", vec!["https://example.org"]),
            ("xhttps://example.org", vec![]),
            ("javascript:alert(1) file:///etc/passwd ftp://a.b", vec![]),
            ("https://", vec![]),
            ("https:///path", vec![]),
        ] {
            let found: Vec<String> = links(text).into_iter().map(|link| link.url).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn where_it_leads_is_told() {
        for (url, host, warned) in [
            ("https://example.org/x", "example.org", false),
            ("https://example.org:8443", "example.org:8443", false),
            ("https://bank.example@evil.example/", "evil.example", true),
            ("https://xn--80ak6aa92e.example", "xn--80ak6aa92e.example", true),
            ("http://example.org", "example.org", true),
            ("https://[2001:db8::1]/", "[2001:db8::1]", false),
        ] {
            let link = parse(url).unwrap();
            assert_eq!((link.host.as_str(), link.warning.is_some()), (host, warned), "{url}");
        }
    }

    #[test]
    fn what_could_do_harm_is_no_address() {
        for text in [
            "https://exa\u{202e}mple.org",
            "https://a b",
            "https://пример.example",
            "-https://a.b",
            "https://$(id)",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
