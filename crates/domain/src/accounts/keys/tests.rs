//! Forged, foreign and stale tokens.

use serde_json::{Value, json};

use super::*;

struct FixedRandom(u8);

impl Random for FixedRandom {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0);
    }
}

const NOW: Timestamp = 1_763_800_000_000;
const NOW_SECONDS: i64 = NOW / 1_000;

fn caller() -> Caller {
    Caller { user: UserId::new(12).unwrap(), device: DeviceId::new(900).unwrap() }
}

fn ring(seed: u8) -> KeyRing {
    KeyRing::new(&[generate(&FixedRandom(seed), NOW).unwrap()], &AuthConfig::default()).unwrap()
}

fn claims() -> Value {
    json!({
        "sub": "12", "did": "900", "iat": NOW_SECONDS, "exp": NOW_SECONDS + 900, "iss": "loquat", "aud": "loquat",
    })
}

/// A token with these claims, properly signed by the ring.
fn signed(ring: &KeyRing, claims: &Value) -> String {
    jsonwebtoken::encode(&ring.header, claims, &ring.signer).unwrap()
}

fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[test]
fn a_token_verifies_until_it_expires() {
    let ring = ring(1);
    let token = ring.sign(caller(), NOW).unwrap().0;
    assert_eq!(ring.verify(&token, NOW), Ok(caller()));
    assert_eq!(ring.verify(&token, NOW + 899_999), Ok(caller()));
    assert_eq!(ring.verify(&token, NOW + 900_000), Err(Refusal::TokenExpired));
    assert_eq!(ring.verify(&token, NOW - 30_000), Ok(caller()), "another node's clock may be behind");
}

#[test]
fn a_clock_that_went_back_does_not_revive_tokens() {
    let ring = ring(1);
    let token = ring.sign(caller(), NOW).unwrap().0;
    assert_eq!(ring.verify(&token, NOW - 3_600_000), Err(Refusal::TokenExpired));
}

#[test]
fn claims_of_another_service_or_shape_are_refused() {
    let ring = ring(1);
    assert_eq!(ring.verify(&signed(&ring, &claims()), NOW), Ok(caller()), "the base of the cases below");
    let cases = [
        ("issuer", "iss", json!("somebody")),
        ("audience", "aud", json!("somebody")),
        ("audiences", "aud", json!(["loquat", "somebody"])),
        ("no issuer", "iss", Value::Null),
        ("no audience", "aud", Value::Null),
        ("no expiry", "exp", Value::Null),
        ("expiry as text", "exp", json!("9999999999")),
        ("no user", "sub", Value::Null),
        ("user 0", "sub", json!("0")),
        ("user as number", "sub", json!(12)),
        ("no device", "did", Value::Null),
    ];
    for (name, claim, value) in cases {
        let mut claims = claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value;
        }
        assert_eq!(ring.verify(&signed(&ring, &claims), NOW), Err(Refusal::Unauthorized), "{name}");
    }
}

#[test]
fn an_expired_token_of_a_forger_is_not_called_expired() {
    let forger = ring(2);
    let mut claims = claims();
    claims["exp"] = json!(NOW_SECONDS - 1);
    let mut header = forger.header.clone();
    header.kid = ring(1).header.kid;
    let forged = jsonwebtoken::encode(&header, &claims, &forger.signer).unwrap();
    assert_eq!(ring(1).verify(&forged, NOW), Err(Refusal::Unauthorized));
}

#[test]
fn forged_tokens_are_refused() {
    let ring = ring(1);
    let forger = self::ring(2);
    let kid = ring.header.kid.clone().unwrap();
    let public = ring.jwks()["keys"][0]["x"].as_str().unwrap().to_owned();
    let genuine = ring.sign(caller(), NOW).unwrap().0;
    let signature = genuine.rsplit('.').next().unwrap();

    let mut cases = vec![
        ("no key id", unsigned(&json!({"alg": "EdDSA", "typ": "JWT"}), &claims(), signature)),
        ("alg none", unsigned(&json!({"alg": "none", "kid": kid}), &claims(), "")),
        ("alg None", unsigned(&json!({"alg": "None", "kid": kid}), &claims(), "")),
        ("no alg", unsigned(&json!({"kid": kid}), &claims(), signature)),
        ("no signature", unsigned(&json!({"alg": "EdDSA", "kid": kid}), &claims(), "")),
        ("another's signature", unsigned(&json!({"alg": "EdDSA", "kid": kid}), &claims(), &"A".repeat(86))),
        ("unknown key", forger.sign(caller(), NOW).unwrap().0),
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("huge", "A".repeat(1_000_000)),
        ("four parts", format!("{genuine}.AAAA")),
        ("trailing space", format!("{genuine} ")),
    ];
    // The public key as the secret of a MAC: the classic confusion of algorithms.
    for secret in [public.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&public).unwrap()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = Header { kid: Some(kid.clone()), ..Header::new(algorithm) };
            let key = EncodingKey::from_secret(&secret);
            cases.push(("symmetric", jsonwebtoken::encode(&header, &claims(), &key).unwrap()));
        }
    }
    // Another's key, offered in the token's own header, under our key's id.
    let header = Header { kid: Some(kid), ..forger.header.clone() };
    cases.push(("another's key", jsonwebtoken::encode(&header, &claims(), &forger.signer).unwrap()));

    for (name, token) in cases {
        assert_eq!(ring.verify(&token, NOW), Err(Refusal::Unauthorized), "{name}");
    }
}

#[test]
fn every_changed_character_breaks_a_token() {
    let ring = ring(1);
    let token = ring.sign(caller(), NOW).unwrap().0;
    for position in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'Q' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(ring.verify(&changed, NOW), Err(Refusal::Unauthorized), "position {position}");
    }
}

#[test]
fn old_keys_verify_and_the_newest_signs() {
    let old = generate(&FixedRandom(1), NOW).unwrap();
    let new = generate(&FixedRandom(2), NOW + 1).unwrap();
    let before = KeyRing::new(std::slice::from_ref(&old), &AuthConfig::default()).unwrap();
    let after = KeyRing::new(&[new.clone(), old], &AuthConfig::default()).unwrap();
    let token = before.sign(caller(), NOW).unwrap().0;
    assert_eq!(after.verify(&token, NOW), Ok(caller()));
    assert_eq!(after.header.kid, Some(new.id));
    assert_eq!(after.jwks()["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn published_keys_are_public_and_verify() {
    let ring = ring(1);
    let jwks = ring.jwks();
    let key = jwks["keys"][0].as_object().unwrap();
    let names: Vec<&str> = key.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(!key.contains_key("d"), "the private part is never published");
    let verifier = DecodingKey::from_ed_components(key["x"].as_str().unwrap()).unwrap();
    let token = ring.sign(caller(), NOW).unwrap().0;
    assert!(jsonwebtoken::decode::<Claims>(&token, &verifier, &ring.validation).is_ok());
}

#[test]
fn the_key_id_is_the_thumbprint_of_rfc_8037() {
    let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    assert_eq!(thumbprint(&public.try_into().unwrap()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn an_unreadable_key_names_itself() {
    let broken = SigningKey { id: "k1".to_owned(), pkcs8: vec![1, 2, 3], created_at: NOW };
    let error = KeyRing::new(&[broken], &AuthConfig::default()).err().unwrap();
    assert!(matches!(error, AuthError::SigningKey { id } if id == "k1"));
}
