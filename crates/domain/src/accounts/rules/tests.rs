//! Each rule with what keeps it and what breaks it.

use loquat_proto::Privacy;
use loquat_proto::account::FindBy;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What a rule makes of a text; `None` if it is refused, which must name the field.
fn outcome(field: &str, result: Result<String, Refusal>) -> Option<String> {
    match result {
        Ok(text) => Some(text),
        Err(Refusal::Invalid(detail)) => {
            assert!(detail.starts_with(&format!("{field}: ")), "{detail}");
            None
        }
        Err(Refusal::TooLarge { what, .. }) => {
            assert_eq!(what, field);
            None
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn usernames() {
    let longest = "a".repeat(32);
    for (text, expected) in [
        ("ada", Some("ada")),
        ("Ada.Love_1815", Some("ada.love_1815")),
        (longest.as_str(), Some(longest.as_str())),
        ("ab", None),
        ("", None),
        (&"a".repeat(33), None),
        ("ada lovelace", None),
        (" ada", None),
        ("ada\n", None),
        ("ada@home", None),
        ("ada-l", None),
        ("änne", None),
        ("\u{212A}elvin", None),
        ("аda", None),
        ("ada\u{202E}", None),
        ("<b>", None),
    ] {
        assert_eq!(outcome("username", username(text)).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn passwords() {
    for (text, accepted) in [
        ("x".repeat(7), false),
        ("x".repeat(8), true),
        ("x".repeat(256), true),
        ("x".repeat(257), false),
        ("🔑".repeat(8), true),
        ("🔑".repeat(7), false),
        ("🔑".repeat(256), true),
        ("\0\n\u{202E} anything".to_owned(), true),
    ] {
        let refused = password(&Secret(text.clone()));
        assert_eq!(refused.is_ok(), accepted, "{} characters", text.chars().count());
        if let Err(refusal) = refused {
            assert!(matches!(&refusal, Refusal::Invalid(detail) if detail.starts_with("password: ")));
            assert!(!refusal.to_string().contains(&text), "the password is not repeated");
        }
    }
}

#[test]
fn emails() {
    let longest =
        format!("{}@{}.org", "a".repeat(64), ["b".repeat(63), "c".repeat(63), "d".repeat(57)].join("."));
    assert_eq!(longest.len(), 254);
    for (text, expected) in [
        ("ada@example.org", Some("ada@example.org")),
        ("Ada.Lovelace+chat@Example.ORG", Some("ada.lovelace+chat@example.org")),
        ("jörg@bücher.example", Some("jörg@bücher.example")),
        ("o'neil@example.org", Some("o'neil@example.org")),
        (longest.as_str(), Some(longest.as_str())),
        (&format!("a{longest}"), None),
        (&format!("{}@example.org", "a".repeat(65)), None),
        ("", None),
        ("ada", None),
        ("@example.org", None),
        ("ada@", None),
        ("ada@localhost", None),
        ("ada@example..org", None),
        ("ada@.example.org", None),
        ("ada@example.org.", None),
        ("ada@-example.org", None),
        ("ada@exa mple.org", None),
        ("ada@[127.0.0.1]", None),
        (".ada@example.org", None),
        ("a..da@example.org", None),
        ("ada lovelace@example.org", None),
        ("ada@home@example.org", None),
        ("\"ada\"@example.org", None),
        ("ada\r\nBcc: all@example.org", None),
        ("Ada <ada@example.org>", None),
        ("ada\u{0}@example.org", None),
    ] {
        assert_eq!(outcome("email", email(text)).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn phones() {
    for (text, expected) in [
        ("+441632960961", Some("+441632960961")),
        ("+44 1632 960-961", Some("+441632960961")),
        ("+1 (555) 010.9999", Some("+15550109999")),
        ("+123456789012345", Some("+123456789012345")),
        ("+1234567", Some("+1234567")),
        ("+1234567890123456", None),
        ("+123456", None),
        ("01632960961", None),
        ("+01632960961", None),
        ("", None),
        ("+", None),
        ("++441632960961", None),
        ("+44163296096x", None),
        ("+٤٤١٦٣٢٩٦٠٩٦١", None),
    ] {
        assert_eq!(outcome("phone", phone(text)).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn logins_are_normalised_as_they_are_stored() {
    for (text, expected) in [
        (" Ada ", Some("ada")),
        ("Ada@Example.org", Some("ada@example.org")),
        ("+44 1632 960961", Some("+441632960961")),
        ("no such name", None),
        ("@", None),
        ("+", None),
        ("", None),
    ] {
        assert_eq!(login(text).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn queries_find_names_as_written_and_addresses_as_stored() {
    for (text, expected) in [
        ("ad", Some("ad")),
        (" @Ada ", Some("Ada")),
        ("Ada Love", Some("Ada Love")),
        ("Ada@Example.org", Some("ada@example.org")),
        ("+44 1632 960961", Some("+441632960961")),
        ("", None),
        ("  ", None),
        ("@", None),
        ("a\nb", None),
        (&"a".repeat(255), None),
    ] {
        assert_eq!(outcome("q", query(text)).as_deref(), expected, "{text:?}");
    }
}

fn sign_up() -> SignUp {
    SignUp {
        username: "Ada".to_owned(),
        password: Secret("correct horse".to_owned()),
        display_name: None,
        email: None,
        phone: None,
        device: None,
        cookie: false,
    }
}

#[test]
fn a_sign_up_needs_no_more_than_a_name() {
    let account = new_account(&sign_up()).unwrap();
    assert_eq!(account.username, "ada");
    assert_eq!(account.display_name, "ada");
    assert_eq!(account.device, DeviceInfo::default());
}

#[test]
fn a_sign_up_is_checked_in_every_field() {
    let device =
        |name: &str, platform: &str| DeviceInfo { name: name.to_owned(), platform: platform.to_owned() };
    let long = "x".repeat(65);
    let cases = [
        ("username", SignUp { username: "a".to_owned(), ..sign_up() }),
        ("display_name", SignUp { display_name: Some(String::new()), ..sign_up() }),
        ("display_name", SignUp { display_name: Some(long.clone()), ..sign_up() }),
        ("display_name", SignUp { display_name: Some("\u{202E}ada".to_owned()), ..sign_up() }),
        ("email", SignUp { email: Some("ada".to_owned()), ..sign_up() }),
        ("phone", SignUp { phone: Some("12".to_owned()), ..sign_up() }),
        ("device.name", SignUp { device: Some(device(&long, "")), ..sign_up() }),
        ("device.name", SignUp { device: Some(device("a\nb", "")), ..sign_up() }),
        ("device.platform", SignUp { device: Some(device("", &long)), ..sign_up() }),
    ];
    for (field, request) in cases {
        let result = new_account(&request).map(|account| account.username);
        assert_eq!(outcome(field, result), None, "{field}");
    }
}

#[test]
fn updates_are_checked_in_every_field() {
    let settings = |value: Value| UpdateProfile { settings: Some(value), ..UpdateProfile::default() };
    let avatar =
        |text: &str| UpdateProfile { avatar: Some(Some(text.to_owned())), ..UpdateProfile::default() };
    let bio = |text: String| UpdateProfile { bio: Some(text), ..UpdateProfile::default() };
    let name = |text: &str| UpdateProfile { display_name: Some(text.to_owned()), ..UpdateProfile::default() };
    // 8 bytes around the text: {"a":"…"}
    let largest = json!({ "a": "x".repeat(SETTINGS_BYTES - 8) });
    assert_eq!(largest.to_string().len(), SETTINGS_BYTES);
    for accepted in [
        UpdateProfile::default(),
        name("Ada 🌻"),
        bio(String::new()),
        bio("ä".repeat(512)),
        bio("two\nlines".to_owned()),
        avatar(&"x".repeat(512)),
        UpdateProfile { avatar: Some(None), ..UpdateProfile::default() },
        settings(json!({})),
        settings(largest),
    ] {
        assert_eq!(update(accepted.clone()), Ok(accepted));
    }
    for (field, refused) in [
        ("display_name", name("")),
        ("display_name", name(&"x".repeat(65))),
        ("display_name", name("a\u{2067}b")),
        ("bio", bio("x".repeat(513))),
        ("bio", bio("\u{1b}[2J".to_owned())),
        ("avatar", avatar(&"x".repeat(513))),
        ("avatar", avatar("")),
        ("settings", settings(json!([]))),
        ("settings", settings(json!("{}"))),
        ("settings", settings(Value::Null)),
        ("settings", settings(json!({ "a": "x".repeat(SETTINGS_BYTES - 7) }))),
    ] {
        assert_eq!(outcome(field, update(refused).map(|_| String::new())), None, "{field}");
    }
}

#[test]
fn ways_to_be_found_are_named_once() {
    let find_by = vec![FindBy::Email, FindBy::Username, FindBy::Email];
    let privacy = Some(Privacy { find_by, ..Privacy::default() }.into());
    let updated = update(UpdateProfile { privacy, ..UpdateProfile::default() }).unwrap();
    assert_eq!(updated.privacy.unwrap().find_by.unwrap(), [FindBy::Email, FindBy::Username]);
}

proptest! {
    #[test]
    fn normal_forms_are_stable_and_tell_apart(text in "[+@a-zA-Z0-9_. ()-]{0,40}|\\PC{0,40}") {
        for rule in [username, email, phone] {
            if let Ok(normal) = rule(&text) {
                prop_assert_eq!(rule(&normal), Ok(normal.clone()));
                prop_assert_eq!(login(&normal), Some(normal.clone()));
                let kinds = [username(&normal).is_ok(), email(&normal).is_ok(), phone(&normal).is_ok()];
                prop_assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1, "{:?}", normal);
            }
        }
    }
}
