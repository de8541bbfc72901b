//! The statements as PostgreSQL reads them.
//!
//! Three differences, no more: parameters are `$1` in place of `?1`; what stands in a comment `/*pg …*/` is for
//! PostgreSQL alone (locks of rows); and the few functions that SQLite has and PostgreSQL lacks (`min` and `max` of two
//! values, `json_extract`, `json_valid`, `json_each`) are functions of the schema, see `migrations/postgres`.

/// A statement in PostgreSQL's words.
pub(crate) fn postgres(sql: &str) -> String {
    let mut translated = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(place) = rest.find(['?', '\'', '/', '*']) {
        let (before, from) = rest.split_at(place);
        translated.push_str(before);
        let taken = match from.as_bytes() {
            [b'?', b'0'..=b'9', ..] => {
                translated.push('$');
                1
            }
            [b'\'', ..] => {
                let end = from[1..].find('\'').map_or(from.len(), |end| end + 2);
                translated.push_str(&from[..end]);
                end
            }
            [b'/', b'*', b'p', b'g', b' ', ..] => {
                let end = from.find("*/").unwrap_or(from.len());
                translated.push_str(&postgres(&from[5..end]));
                (end + 2).min(from.len())
            }
            _ => {
                translated.push_str(&from[..1]);
                1
            }
        };
        rest = &from[taken..];
    }
    translated.push_str(rest);
    translated
}

#[cfg(test)]
mod tests {
    use super::postgres;

    #[test]
    fn statements_are_translated() {
        for (sqlite, expected) in [
            ("SELECT 1", "SELECT 1"),
            ("a = ?1 AND b = ?12", "a = $1 AND b = $12"),
            ("json_extract(body, '$.on?1') = ?2", "json_extract(body, '$.on?1') = $2"),
            ("SELECT id WHERE c = ?1 /*pg FOR UPDATE*/", "SELECT id WHERE c = $1 FOR UPDATE"),
            ("a * b / c /* kept */", "a * b / c /* kept */"),
        ] {
            assert_eq!(postgres(sqlite), expected);
        }
    }
}
