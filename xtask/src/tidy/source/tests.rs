use super::*;

fn source(text: &str) -> Source {
    read(text).expect("a fixture is Rust")
}

/// The nesting of the one function with this body.
fn nesting(body: &str) -> usize {
    let source = source(&format!("fn f() {{\n{body}\n}}"));
    source.functions[0].nesting
}

#[test]
fn blocks_nest_and_literals_do_not() {
    let cases = [
        ("let x = 1;", 0),
        ("if a { b(); }", 1),
        ("if a { b(); } else if c { d(); } else { e(); }", 1),
        ("if a { if b { c(); } }", 2),
        ("{ { } }", 2),
        ("if a {} { }", 1),
        ("match a { B => { c(); } D => {} }", 1),
        ("match a { B { c } => if c { d(); }, _ => {} }", 2),
        ("match a { B { c } if c > 1 => { e() } _ => {} }", 1),
        ("let a = B { c: D { e: F { g } } };", 0),
        ("let a = B { c: if d { 1 } else { 2 } };", 1),
        ("if let B { c } = d { e(); }", 1),
        ("if let B { c } | D { c } = d { if e {} }", 2),
        ("if a == (B { c }) { d(); }", 1),
        ("for B { c } in d { e(); }", 1),
        ("while let Some(a) = b.next() { loop { c(); } }", 2),
        ("let Some(a) = b else { return; };", 1),
        ("let f = |a| { b(a) };", 1),
        ("let f = |B { c }| { d(c) };", 1),
        ("let f = |a| -> B { if a {} };", 2),
        ("run(async move { a.await; });", 1),
        ("let a = unsafe { b() };", 1),
        ("let a = { b() };", 1),
        ("'outer: loop { break 'outer; }", 1),
        ("tokio::select! { a = b => { if c { d(); } } }", 2),
        ("json!({ \"a\": { \"b\": {} } });", 0),
        ("use a::{b, c};", 0),
        ("struct A { b: C } impl D for A { const E: u8 = 1; }", 0),
        ("let s = \"{{{{{{\"; // {{{{{{", 0),
        ("a.map(|b| match b { C => 1, _ => 2 });", 1),
    ];
    for (body, expected) in cases {
        assert_eq!(nesting(body), expected, "{body}");
    }
}

#[test]
fn the_deepest_line_is_told() {
    let source =
        source("fn f() {\n    if a {\n        for b in c {\n            d();\n        }\n    }\n}\n");
    assert_eq!((source.functions[0].nesting, source.functions[0].deepest), (2, 3));
}

#[test]
fn functions_are_measured_from_fn_to_the_closing_brace() {
    let text =
        "/// Docs.\npub fn a(\n    b: u8,\n) -> u8 {\n    b\n}\n\ntrait T {\n    fn c();\n    fn d() {}\n}\n";
    let functions = source(text).functions;
    let measured: Vec<_> =
        functions.iter().map(|function| (&*function.name, function.line, function.lines)).collect();
    assert_eq!(measured, [("a", 2, 5), ("d", 10, 1)]);
}

#[test]
fn a_function_in_a_function_starts_at_no_nesting() {
    let functions = source("fn a() { if b { fn c() { if d {} } } }").functions;
    let nesting: Vec<_> = functions.iter().map(|function| (&*function.name, function.nesting)).collect();
    assert_eq!(nesting, [("a", 1), ("c", 1)]);
}

#[test]
fn function_types_are_no_functions() {
    assert!(source("struct A { f: fn(u8) -> u8 }\ntype B = fn();\n").functions.is_empty());
}

#[test]
fn unwrap_is_seen_in_code_and_macros_and_nowhere_else() {
    let text = "fn a() {\n    b.unwrap();\n    println!(\"{}\", c.unwrap());\n    d.map(Option::unwrap);\n\
                // e.unwrap()\n    f.unwrap_or(1);\n    let s = \".unwrap()\";\n}\n";
    assert_eq!(source(text).unwraps, [2, 3, 4]);
}

#[test]
fn reading_the_clock_is_seen() {
    let text = "fn a() {\n    Instant::now();\n    std::time::SystemTime::now();\n    clock.now();\n    Mine::now();\n}\n";
    assert_eq!(source(text).clock_reads, [2, 3]);
    let runtime = format!("use tokio::time::{{Duration, Instant}};\n{text}");
    assert_eq!(source(&runtime).clock_reads, [4]);
}

#[test]
fn tests_are_passed_over() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c.unwrap(); }\n}\n#[tokio::test(flavor = \"x\")]\n\
                async fn d() {\n    e.unwrap();\n}\n#[cfg(all(test, unix))]\n#[allow(dead_code)]\nfn f<A, B>() {}\nfn g() {}\n";
    let source = source(text);
    let names: Vec<_> = source.functions.iter().map(|function| &*function.name).collect();
    assert_eq!(names, ["a", "g"]);
    assert!(source.unwraps.is_empty());
    assert_eq!(source.lines, 2);
}

#[test]
fn what_tests_leave_out_is_production() {
    let text = "#[cfg(not(test))]\nfn a() { b.unwrap(); }\n#[cfg(any(test, unix))]\nfn c() { d.unwrap(); }\n";
    assert_eq!(source(text).unwraps, [2, 4]);
}

#[test]
fn a_test_field_or_arm_ends_at_its_comma() {
    let text = "struct A {\n    #[cfg(test)]\n    pub(crate) b: u8,\n    c: u8,\n}\nfn d() {\n    match e {\n        #[cfg(test)]\n\
                        F => g(),\n        H => i.unwrap(),\n    }\n}\n";
    let source = source(text);
    assert_eq!(source.lines, 8);
    assert_eq!(source.unwraps, [10]);
}

#[test]
fn test_modules_in_their_own_files_are_named() {
    assert_eq!(source("#[cfg(test)]\nmod tests;\nmod production;\n").test_modules, ["tests"]);
}

#[test]
fn a_file_of_tests_holds_no_production() {
    assert_eq!(source("#![cfg(test)]\nfn a() { b.unwrap(); }\n").lines, 0);
}

#[test]
fn text_that_is_no_rust_is_an_error() {
    assert!(read("fn a() { ").is_err());
    assert!(read("let s = \"open;").is_err());
}
