//! What accounts may be called, and how they may be reached.

use loquat_proto::account::{DeviceInfo, Secret, SignUp, UpdateProfile};

use crate::{Refusal, text};

const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=256;
const DISPLAY_NAME_CHARS: usize = 64;
const BIO_CHARS: usize = 512;
const DEVICE_CHARS: usize = 64;
const AVATAR_BYTES: usize = 512;
const SETTINGS_BYTES: usize = 16 * 1024;

/// RFC 5321, section 4.5.3.1, with the length of a forward path without its brackets.
const EMAIL_BYTES: usize = 254;
const EMAIL_LOCAL_BYTES: usize = 64;

/// ITU-T E.164 allows 15 digits; the shortest numbers with country code in use have 7.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A sign-up that keeps the rules; the password apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewAccount {
    pub(super) username: String,
    pub(super) display_name: String,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) device: DeviceInfo,
}

/// The account that a sign-up asks for, whatever its password.
pub(super) fn new_account(request: &SignUp) -> Result<NewAccount, Refusal> {
    let username = username(&request.username)?;
    let display_name = match &request.display_name {
        Some(name) => display_name(name)?,
        None => username.clone(),
    };
    Ok(NewAccount {
        username,
        display_name,
        email: request.email.as_deref().map(email).transpose()?,
        phone: request.phone.as_deref().map(phone).transpose()?,
        device: device(request.device.as_ref())?,
    })
}

/// A username in lower case. Only ASCII is folded: a letter that merely looks like one is refused.
pub(super) fn username(text: &str) -> Result<String, Refusal> {
    let username = text.to_ascii_lowercase();
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'.';
    if USERNAME_CHARS.contains(&username.len()) && username.bytes().all(allowed) {
        Ok(username)
    } else {
        Err(Refusal::invalid("username: must be 3 to 32 of a-z 0-9 _ ."))
    }
}

/// A password that is neither too short nor too long; anything else goes.
pub(super) fn password(password: &Secret) -> Result<(), Refusal> {
    if PASSWORD_CHARS.contains(&password.0.chars().count()) {
        Ok(())
    } else {
        Err(Refusal::invalid("password: must have 8 to 256 characters"))
    }
}

/// What a device calls itself.
pub(super) fn device(info: Option<&DeviceInfo>) -> Result<DeviceInfo, Refusal> {
    let Some(info) = info else { return Ok(DeviceInfo::default()) };
    Ok(DeviceInfo {
        name: text::optional_line("device.name", &info.name, DEVICE_CHARS)?,
        platform: text::optional_line("device.platform", &info.platform, DEVICE_CHARS)?,
    })
}

/// An e-mail address, normalised: in lower case, as nearly every provider treats it. The shape is checked, not
/// whether it can be reached: quoted local parts and address literals (RFC 5321) are refused.
pub(super) fn email(text: &str) -> Result<String, Refusal> {
    let invalid = || Refusal::invalid("email: must be an e-mail address");
    if text.len() > EMAIL_BYTES {
        return Err(Refusal::TooLarge { what: "email", limit: EMAIL_BYTES });
    }
    let (local, domain) = text.rsplit_once('@').ok_or_else(invalid)?;
    let dots_between = |text: &str| text.split('.').all(|part| !part.is_empty());
    let local_char = |c: char| !(c.is_control() || c.is_whitespace() || r#""(),:;<>@[\]"#.contains(c));
    let label = |label: &str| {
        let allowed = |c: char| c == '-' || c.is_alphanumeric();
        label.len() <= 63 && label.chars().all(allowed) && !label.starts_with('-') && !label.ends_with('-')
    };
    let valid_local =
        local.len() <= EMAIL_LOCAL_BYTES && dots_between(local) && local.chars().all(local_char);
    let valid_domain = domain.contains('.') && dots_between(domain) && domain.split('.').all(label);
    if !(valid_local && valid_domain) {
        return Err(invalid());
    }
    let normal = text.to_lowercase();
    // Some capitals are shorter than their small letters.
    if normal.len() > EMAIL_BYTES {
        return Err(Refusal::TooLarge { what: "email", limit: EMAIL_BYTES });
    }
    Ok(normal)
}

/// A phone number, normalised to `+` and digits (ITU-T E.164).
pub(super) fn phone(text: &str) -> Result<String, Refusal> {
    let compact: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    let digits = compact.strip_prefix('+').unwrap_or_default();
    let valid = PHONE_DIGITS.contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    if valid { Ok(compact) } else { Err(Refusal::invalid("phone: must be a number with + and country code")) }
}

/// What a log-in names the account by, as it is stored: an e-mail address, a phone number or a username. `None` if no
/// account can be called so.
pub(super) fn login(text: &str) -> Option<String> {
    let text = text.trim();
    if text.contains('@') {
        email(text).ok()
    } else if text.starts_with('+') {
        phone(text).ok()
    } else {
        username(text).ok()
    }
}

/// What a search is for: a prefix of a name, or a whole address as it is stored.
pub(super) fn query(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    // People write names as they mention them.
    let text = text.strip_prefix('@').unwrap_or(text);
    let query = text::line("q", text, EMAIL_BYTES)?;
    Ok(email(&query).or_else(|_| phone(&query)).unwrap_or(query))
}

/// A change of a profile that keeps the rules.
pub(super) fn update(change: UpdateProfile) -> Result<UpdateProfile, Refusal> {
    Ok(UpdateProfile {
        display_name: change.display_name.as_deref().map(display_name).transpose()?,
        bio: change.bio.as_deref().map(|bio| text::prose("bio", bio, BIO_CHARS)).transpose()?,
        avatar: change.avatar.map(|avatar| avatar.map(self::avatar).transpose()).transpose()?,
        settings: change.settings.map(settings).transpose()?,
        privacy: change.privacy.map(|mut privacy| {
            let mut seen = Vec::new();
            if let Some(ways) = &mut privacy.find_by {
                ways.retain(|way| {
                    let new = !seen.contains(way);
                    seen.push(*way);
                    new
                });
            }
            privacy
        }),
    })
}

fn display_name(name: &str) -> Result<String, Refusal> {
    text::line("display_name", name, DISPLAY_NAME_CHARS)
}

fn avatar(avatar: String) -> Result<String, Refusal> {
    if avatar.len() > AVATAR_BYTES {
        return Err(Refusal::TooLarge { what: "avatar", limit: AVATAR_BYTES });
    }
    text::line("avatar", &avatar, AVATAR_BYTES)
}

fn settings(settings: serde_json::Value) -> Result<serde_json::Value, Refusal> {
    if !settings.is_object() {
        return Err(Refusal::invalid("settings: must be an object"));
    }
    if settings.to_string().len() > SETTINGS_BYTES {
        return Err(Refusal::TooLarge { what: "settings", limit: SETTINGS_BYTES });
    }
    Ok(settings)
}

#[cfg(test)]
mod tests;
