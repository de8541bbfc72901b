//! The keys that sign access tokens, and the tokens themselves.
//!
//! A token is a JWT (RFC 7519) signed with Ed25519 (`EdDSA`, RFC 8037). Nothing but that algorithm is accepted,
//! whatever a token's header says, and only keys of this service's own store verify. All nodes share the keys; the
//! newest signs. A key's id is its JWK thumbprint (RFC 7638).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey as KeyPair;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use loquat_proto::account::Secret;
use loquat_proto::{DeviceId, Timestamp, UserId};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{AuthConfig, AuthError};
use crate::ports::{Devices, Random, SigningKey};
use crate::{Caller, Refusal};

/// Longer texts are no tokens of ours and are not parsed.
const TOKEN_BYTES: usize = 2_048;

/// How far ahead of this node's clock another node's may be. A token from further ahead shows that this clock went
/// back: without this check, expired tokens would be good again.
const CLOCK_SKEW_SECONDS: i64 = 60;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) sub: UserId,
    pub(super) did: DeviceId,
    /// Seconds since the Unix epoch.
    pub(super) iat: i64,
    /// Seconds since the Unix epoch; the token is accepted before it.
    pub(super) exp: i64,
    pub(super) iss: String,
    pub(super) aud: String,
}

/// Signs and verifies access tokens.
pub(super) struct KeyRing {
    header: Header,
    signer: EncodingKey,
    /// The newest private key, from which secrets that all nodes must agree on are derived.
    root: [u8; 32],
    verifiers: FxHashMap<String, DecodingKey>,
    validation: Validation,
    jwks: serde_json::Value,
    issuer: String,
    audience: String,
    lifetime_seconds: i64,
}

impl KeyRing {
    /// Loads the keys, or makes the first one.
    pub(super) async fn load(
        devices: &dyn Devices,
        random: &dyn Random,
        now: Timestamp,
        config: &AuthConfig,
    ) -> Result<Self, AuthError> {
        let mut keys = devices.signing_keys().await?;
        if keys.is_empty() {
            keys = devices.ensure_signing_key(generate(random, now)?).await?;
        }
        Self::new(&keys, config)
    }

    /// Over these keys, newest first.
    fn new(keys: &[SigningKey], config: &AuthConfig) -> Result<Self, AuthError> {
        let newest = keys.first().ok_or_else(|| AuthError::SigningKey { id: "(none)".to_owned() })?;
        let mut verifiers = FxHashMap::default();
        let mut published = Vec::with_capacity(keys.len());
        for key in keys {
            let public = key_pair(key)?.verifying_key().to_bytes();
            verifiers.insert(key.id.clone(), DecodingKey::from_ed_der(&public));
            published.push(json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "kid": key.id, "x": URL_SAFE_NO_PAD.encode(public),
            }));
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Time is checked by `Self::verify`, against the clock port.
        validation.validate_exp = false;
        Ok(Self {
            header: Header { kid: Some(newest.id.clone()), ..Header::new(Algorithm::EdDSA) },
            signer: EncodingKey::from_ed_der(&newest.pkcs8),
            root: key_pair(newest)?.to_bytes(),
            verifiers,
            validation,
            jwks: json!({ "keys": published }),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            lifetime_seconds: i64::try_from(config.access_token_seconds).unwrap_or(i64::MAX),
        })
    }

    /// An access token for this caller from now on.
    pub(super) fn sign(&self, caller: Caller, now: Timestamp) -> Result<Secret, Refusal> {
        let iat = now.div_euclid(1_000);
        let claims = Claims {
            sub: caller.user,
            did: caller.device,
            iat,
            exp: iat.saturating_add(self.lifetime_seconds),
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signer).map(Secret).map_err(|error| {
            tracing::error!(%error, "cannot sign an access token");
            Refusal::busy("signing key")
        })
    }

    /// Who the token was issued to. Whether the device is still signed in is another question.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Refusal> {
        if token.len() > TOKEN_BYTES {
            return Err(Refusal::Unauthorized);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::Unauthorized)?;
        let key = header.kid.and_then(|kid| self.verifiers.get(&kid)).ok_or(Refusal::Unauthorized)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|_| Refusal::Unauthorized)?
            .claims;
        let now = now.div_euclid(1_000);
        if now >= claims.exp || claims.iat > now.saturating_add(CLOCK_SKEW_SECONDS) {
            return Err(Refusal::TokenExpired);
        }
        Ok(Caller { user: claims.sub, device: claims.did })
    }

    /// The keys that verify, as a JWK set (RFC 7517, RFC 8037).
    pub(super) fn jwks(&self) -> serde_json::Value {
        self.jwks.clone()
    }

    /// The secret that all nodes share.
    pub(super) const fn root(&self) -> &[u8; 32] {
        &self.root
    }
}

fn key_pair(key: &SigningKey) -> Result<KeyPair, AuthError> {
    KeyPair::from_pkcs8_der(&key.pkcs8).map_err(|_| AuthError::SigningKey { id: key.id.clone() })
}

fn generate(random: &dyn Random, now: Timestamp) -> Result<SigningKey, AuthError> {
    let mut secret = [0; 32];
    random.fill(&mut secret);
    let pair = KeyPair::from_bytes(&secret);
    let id = thumbprint(&pair.verifying_key().to_bytes());
    let pkcs8 = pair.to_pkcs8_der().map_err(|_| AuthError::SigningKey { id: id.clone() })?;
    Ok(SigningKey { id, pkcs8: pkcs8.as_bytes().to_vec(), created_at: now })
}

/// The SHA-256 thumbprint of an Ed25519 public key (RFC 7638, RFC 8037 appendix A.3).
fn thumbprint(public: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

#[cfg(test)]
mod tests;
