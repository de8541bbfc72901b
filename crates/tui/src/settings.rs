//! Where the client's settings come from: flags, then the environment, then a TOML file.
//!
//! The file is `--config FILE`, else `$XDG_CONFIG_HOME/loquat/client.toml` (`~/.config/…`) if it is there:
//!
//! ```toml
//! server = "https://chat.example.org"
//! profile = "work"
//! user = "mira"
//! password_file = "/run/secrets/loquat"
//! data = "/var/lib/loquat-bot"
//! theme = "light"
//! ```

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use loquat_proto::account::Secret;
use serde::Deserialize;

use crate::cli::ConnectArgs;
use crate::theme::ThemeChoice;

/// Where a server of one's own listens.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// A profile nobody named.
const DEFAULT_PROFILE: &str = "default";

/// What is wrong with the settings. All of these are the caller's to mend (exit code 2).
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file that was named, or that is there, cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The settings file is not valid TOML, or has an unknown key or a wrong value; the text names key and place.
    #[error("{path}: {detail}")]
    InvalidFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// A profile name could be no directory name.
    #[error("the profile name {0:?} is not valid: use 1 to 64 of a-z A-Z 0-9 _ . - and no dot in front")]
    InvalidProfile(String),
    /// A text, and lines of the input.
    #[error("--lines reads standard input: leave the text out")]
    TwoInputs,
    /// Nobody to send to.
    #[error("say to whom: --to USERNAME or --conversation ID")]
    NoTarget,
    /// There is no home to keep data in.
    #[error("neither --data, XDG_DATA_HOME nor HOME says where to keep this device's data")]
    NoDataDirectory,
}

/// What the process finds around it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `LOQUAT_PASSWORD`.
    pub password: Option<String>,
}

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let password = std::env::var_os("LOQUAT_PASSWORD").map(OsString::into_string).and_then(Result::ok);
        Self {
            home: path("HOME"),
            // A relative path there is to be ignored (XDG Base Directory Specification).
            data_home: path("XDG_DATA_HOME").filter(|path| path.is_absolute()),
            config_home: path("XDG_CONFIG_HOME").filter(|path| path.is_absolute()),
            password: password.filter(|password| !password.is_empty()),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: Option<String>,
    profile: Option<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    data: Option<PathBuf>,
    theme: Option<ThemeChoice>,
}

/// Where to connect, as whom, and where this device keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The server's URL.
    pub server: String,
    /// The device store's directory.
    pub directory: PathBuf,
    /// Who is to be signed in, if that was said.
    pub user: Option<String>,
    /// The password, if one was given.
    pub password: Option<Secret>,
    /// Whether an account is to be made.
    pub sign_up: bool,
    /// The colours that the settings file asks for.
    pub theme: Option<ThemeChoice>,
}

impl ConnectOptions {
    /// Puts flags (the environment's among them, by clap), file and defaults together.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn resolve(arguments: ConnectArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let file = read_file(arguments.config.as_deref(), environment)?;
        let user = arguments.user.or(file.user);
        let user = user.map(|user| user.trim_start_matches('@').to_ascii_lowercase());
        let directory = match arguments.data.or(file.data) {
            Some(directory) => directory,
            None => {
                let profile = arguments.profile.or(file.profile).or_else(|| user.clone());
                profile_directory(profile.as_deref().unwrap_or(DEFAULT_PROFILE), environment)?
            }
        };
        let password = match (arguments.password_file, &environment.password, file.password_file) {
            (Some(path), _, _) | (None, None, Some(path)) => Some(read_password(&path)?),
            (None, Some(password), _) => Some(Secret(password.clone())),
            (None, None, None) => None,
        };
        let server = arguments.server.or(file.server).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        Ok(Self { server, directory, user, password, sign_up: arguments.sign_up, theme: file.theme })
    }
}

fn read_file(named: Option<&Path>, environment: &Environment) -> Result<File, SettingsError> {
    let usual = || {
        let home = environment.home.as_ref().map(|home| home.join(".config"));
        environment.config_home.clone().or(home).map(|home| home.join("loquat").join("client.toml"))
    };
    let Some(path) = named.map(Path::to_path_buf).or_else(usual) else { return Ok(File::default()) };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            return Ok(File::default());
        }
        Err(source) => return Err(SettingsError::Unreadable { path, source }),
    };
    toml::from_str(&text).map_err(|error| SettingsError::InvalidFile { path, detail: error.to_string() })
}

fn profile_directory(profile: &str, environment: &Environment) -> Result<PathBuf, SettingsError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let valid =
        (1..=64).contains(&profile.len()) && !profile.starts_with('.') && profile.bytes().all(allowed);
    if !valid {
        return Err(SettingsError::InvalidProfile(profile.to_owned()));
    }
    let home = environment.home.as_ref().map(|home| home.join(".local").join("share"));
    let base = environment.data_home.clone().or(home).ok_or(SettingsError::NoDataDirectory)?;
    Ok(base.join("loquat").join(profile))
}

fn read_password(path: &Path) -> Result<Secret, SettingsError> {
    let text = fs::read_to_string(path)
        .map_err(|source| SettingsError::Unreadable { path: path.to_path_buf(), source })?;
    Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(home: &Path) -> Environment {
        Environment { home: Some(home.to_path_buf()), ..Environment::default() }
    }

    #[test]
    fn without_settings_the_own_server_and_a_default_profile() {
        let home = tempfile::tempdir().unwrap();
        let options = ConnectOptions::resolve(ConnectArgs::default(), &environment(home.path())).unwrap();
        assert_eq!(options.server, DEFAULT_SERVER);
        assert_eq!(options.directory, home.path().join(".local/share/loquat/default"));
        assert_eq!((options.user, options.password, options.sign_up), (None, None, false));
    }

    #[test]
    fn flags_go_over_the_environment_and_that_over_the_file() {
        let home = tempfile::tempdir().unwrap();
        let secret = home.path().join("secret");
        fs::write(&secret, "from the flag\n").unwrap();
        let other = home.path().join("other");
        fs::write(&other, "from the file\r\n").unwrap();
        let config = home.path().join("client.toml");
        let text = format!("server = \"http://file\"\nuser = \"ines\"\npassword_file = {other:?}\n");
        fs::write(&config, text).unwrap();
        let mut arguments = ConnectArgs { config: Some(config), ..ConnectArgs::default() };
        let mut around = environment(home.path());

        let options = ConnectOptions::resolve(arguments.clone(), &around).unwrap();
        assert_eq!(options.server, "http://file");
        assert_eq!(options.password, Some(Secret("from the file".to_owned())));
        assert!(options.directory.ends_with("loquat/ines"));

        around.password = Some("from the environment".to_owned());
        let options = ConnectOptions::resolve(arguments.clone(), &around).unwrap();
        assert_eq!(options.password, Some(Secret("from the environment".to_owned())));

        arguments.server = Some("http://flag".to_owned());
        arguments.user = Some("@Mira".to_owned());
        arguments.profile = Some("work".to_owned());
        arguments.password_file = Some(secret);
        let options = ConnectOptions::resolve(arguments, &around).unwrap();
        assert_eq!(options.server, "http://flag");
        assert_eq!(options.user.as_deref(), Some("mira"));
        assert_eq!(options.password, Some(Secret("from the flag".to_owned())));
        assert!(options.directory.ends_with("loquat/work"));
    }

    #[test]
    fn a_wrong_key_names_itself_and_its_place() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("client.toml");
        fs::write(&config, "server = \"http://a\"\nsevrer = \"http://b\"\n").unwrap();
        let arguments = ConnectArgs { config: Some(config), ..ConnectArgs::default() };
        let error = ConnectOptions::resolve(arguments, &environment(home.path())).unwrap_err().to_string();
        assert!(error.contains("sevrer") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_profile_cannot_leave_its_place() {
        let around = environment(Path::new("/home/mira"));
        for profile in ["", "..", ".hidden", "a/b", "a b", "ünï", &"x".repeat(65)] {
            let arguments = ConnectArgs { profile: Some(profile.to_owned()), ..ConnectArgs::default() };
            let error = ConnectOptions::resolve(arguments, &around).unwrap_err();
            assert!(matches!(error, SettingsError::InvalidProfile(_)), "{profile:?}");
        }
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let arguments = ConnectArgs { config: Some("/nowhere/client.toml".into()), ..ConnectArgs::default() };
        let error = ConnectOptions::resolve(arguments, &Environment::default()).unwrap_err();
        assert!(matches!(error, SettingsError::Unreadable { .. }));
    }
}
