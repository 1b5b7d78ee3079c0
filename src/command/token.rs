//! `portcullis token`: tokens for trying a policy out, without an identity provider.
//!
//! A newcomer needs a token before they have an issuer, and a test needs ones that no
//! good issuer would make (expired, wrong audience, odd type). The key that signs
//! them is made here, lies in a file, and must never be one that production trusts.

mod dev_key;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Args};
use serde_json::{Map, Value, json};

use crate::jose::Algorithm;
use dev_key::DevKey;

/// Make a development key, or a token signed with it. Never for production
///
/// First a key pair, once, and its public half for the policy to trust:
///
///   portcullis token --new-key dev-key.json --jwks jwks.json
///
/// Then as many tokens as you like, printed to standard output:
///
///   portcullis token --key dev-key.json --issuer https://dev.example \
///     --audience orders --subject alice --scope "orders:read orders:write"
///
/// Whoever has dev-key.json can be anyone, so trust jwks.json only where that is fine.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(group(ArgGroup::new("mode").required(true).args(["key", "new_key"])))]
pub struct Token {
    /// Sign a token with the private key in this file
    #[arg(long, value_name = "FILE", requires = "issuer")]
    key: Option<PathBuf>,

    /// Make a key pair and write the private half here (mode 0600, never overwritten)
    #[arg(long, value_name = "FILE", requires = "jwks")]
    new_key: Option<PathBuf>,

    /// Write the public half of the new key here, as a JWK Set
    #[arg(long, value_name = "FILE", requires = "new_key")]
    jwks: Option<PathBuf>,

    /// What the new key signs by: ES256, EdDSA or RS256
    #[arg(long, default_value = "ES256", requires = "new_key")]
    algorithm: Algorithm,

    /// `iss`: who issues the token, as the policy names them
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,

    /// `aud`: whom the token is for; repeat for several
    #[arg(long)]
    audience: Vec<String>,

    /// `sub`: whom the token is about
    #[arg(long, default_value = "dev")]
    subject: String,

    /// `client_id`: which client asked for the token
    #[arg(long, default_value = "dev")]
    client_id: String,

    /// `scope`: what the token allows, separated by spaces
    #[arg(long)]
    scope: Option<String>,

    /// How long the token lasts: 90s, 10m, 8h, 2d; -5m for one that expired 5 minutes ago
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = seconds,
          allow_hyphen_values = true)]
    expires_in: i64,

    /// `typ` of the header; at+jwt is an access token (RFC 9068)
    #[arg(long = "type", default_value = "at+jwt")]
    typ: String,

    /// One more claim; a value that is JSON is taken as such: tier=gold, roles='["admin"]'
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, Value)>,
}

/// Does what the arguments say. Exit code 2 if they, or a file they name, are no good.
pub fn run(arguments: &Token) -> ExitCode {
    let done = match (&arguments.key, &arguments.new_key, &arguments.jwks) {
        (Some(key), ..) => sign(arguments, key).map(|token| println!("{token}")),
        (None, Some(key), Some(jwks)) => make(arguments.algorithm, key, jwks),
        _ => Err("say `--key` to sign a token, or `--new-key` and `--jwks` to make a key".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("portcullis token: {message}");
            ExitCode::from(2)
        }
    }
}

fn sign(arguments: &Token, path: &Path) -> Result<String, String> {
    let at = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        format!("cannot read `{at}`: {error}; make a key with `--new-key {at} --jwks jwks.json`")
    })?;
    let key = DevKey::from_jwk(&text).map_err(|error| format!("`{at}` {error}"))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a command runs once, now; only the filter must be replayable"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|_| "the system clock stands before 1970".to_owned())?;
    key.sign(payload(arguments, now.as_secs())?, &arguments.typ)
}

fn make(algorithm: Algorithm, private: &Path, public: &Path) -> Result<(), String> {
    let key = DevKey::generate(algorithm)?;
    write_secret(private, &key.private_jwk()).map_err(|error| {
        let at = private.display();
        format!("cannot make `{at}`: {error}; name a new file in a folder that you may write to")
    })?;
    fs::write(
        public,
        format!("{:#}\n", json!({ "keys": [key.public_jwk()?] })),
    )
    .map_err(|error| format!("cannot write `{}`: {error}", public.display()))?;
    eprintln!(
        "portcullis token: {} signs development tokens by {algorithm}, {} verifies them",
        private.display(),
        public.display()
    );
    Ok(())
}

/// The claims that the arguments describe.
fn payload(arguments: &Token, now: u64) -> Result<Map<String, Value>, String> {
    let expires_at = now.saturating_add_signed(arguments.expires_in);
    // A token that has expired was issued before, too.
    let issued_at = now.min(expires_at.saturating_sub(ISSUED_BEFORE_EXPIRY));
    let issued_at = if arguments.expires_in > 0 {
        now
    } else {
        issued_at
    };
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", json!(arguments.issuer));
    set("sub", json!(arguments.subject));
    set("client_id", json!(arguments.client_id));
    set("iat", json!(issued_at));
    set("exp", json!(expires_at));
    set("jti", json!(dev_key::unique_id()));
    match arguments.audience.as_slice() {
        [] => None,
        [one] => set("aud", json!(one)),
        several => set("aud", json!(several)),
    };
    if let Some(scope) = &arguments.scope {
        set("scope", json!(scope));
    }
    for (name, value) in &arguments.claims {
        if claims.insert(name.clone(), value.clone()).is_some() {
            return Err(format!(
                "claim `{name}` is set twice; leave one `--claim`, or use the option for it"
            ));
        }
    }
    Ok(claims)
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")
}

/// Reads `90`, `90s`, `10m`, `-5m`, `8h` or `2d` as seconds.
fn seconds(text: &str) -> Result<i64, String> {
    let refusal = || "write a whole number and `s`, `m`, `h` or `d`, such as `10m`".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => 86_400,
        _ => return Err(refusal()),
    };
    let number: i64 = digits.parse().map_err(|_| refusal())?;
    number
        .checked_mul(unit)
        .filter(|seconds| seconds.abs() <= LONGEST)
        .ok_or_else(|| "that is more than a hundred years".to_owned())
}

/// Reads `name=value`, the value as JSON where it is JSON.
fn claim(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            Ok((name.to_owned(), value))
        }
        _ => Err("write `name=value`, such as `tier=gold`".to_owned()),
    }
}

/// How long before its end a token counts as issued if that end has passed, in seconds.
const ISSUED_BEFORE_EXPIRY: u64 = 600;

/// The longest time that `--expires-in` takes, in seconds.
const LONGEST: i64 = 100 * 366 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Claims, Expect, KeySet, PureRust, TokenError, Unverified};
    use crate::time::Time;
    use clap::Parser;
    use std::time::Duration;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        token: Token,
    }

    fn arguments(line: &[&str]) -> Token {
        let program = ["portcullis", "--issuer", "https://dev.example"];
        Command::try_parse_from(program.iter().chain(line))
            .unwrap()
            .token
    }

    fn minted(key: &DevKey, line: &[&str], now: u64) -> Claims {
        let arguments = arguments(&[&["--key", "unused"], line].concat());
        let claims = payload(&arguments, now).unwrap();
        let token = key.sign(claims, &arguments.typ).unwrap();
        let keys = KeySet::from_json(&json!({ "keys": [key.public_jwk().unwrap()] })).unwrap();
        let token = Unverified::parse(&token, 4096).unwrap();
        token.verify(&keys, &PureRust, &Algorithm::ALL).unwrap()
    }

    fn expect(audiences: &[String]) -> Expect<'_> {
        Expect {
            issuer: "https://dev.example",
            audiences,
            now: Time::from_millis(1_000_000_000),
            skew: Duration::ZERO,
            types: &[],
            max_age: Some(Duration::from_secs(60)),
            required: &[],
        }
    }

    #[test]
    fn the_gate_believes_what_it_mints() {
        let ours = ["orders".to_owned()];
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let key = DevKey::generate(algorithm).unwrap();
            let line = [
                "--audience",
                "billing",
                "--audience",
                "orders",
                "--subject",
                "alice",
                "--client-id",
                "web",
                "--scope",
                "a b",
                "--claim",
                "tier=gold",
                "--claim",
                "roles=[\"x\"]",
            ];
            let claims = minted(&key, &line, 1_000_000);
            assert_eq!(claims.check(&expect(&ours)), Ok(()));
            assert_eq!(claims.typ(), Some("at+jwt"));
            assert_eq!(claims.subject(), Some("alice"));
            assert_eq!(claims.client_id(), Some("web"));
            assert_eq!(claims.scopes().collect::<Vec<_>>(), ["a", "b"]);
            assert_eq!(claims.claim(&["tier"]), Some(&json!("gold")));
            assert_eq!(claims.claim(&["roles"]), Some(&json!(["x"])));
            assert_eq!(claims.expires_at(), Some(1_000_600));
            assert!(claims.id().is_some_and(|id| id.len() > 20));
        }
    }

    #[test]
    fn a_token_can_be_born_expired_or_of_another_type() {
        let key = DevKey::generate(Algorithm::EdDsa).unwrap();
        let line = ["--expires-in", "-5m", "--type", "JWT"];
        let claims = minted(&key, &line, 1_000_000);
        assert_eq!(claims.check(&expect(&[])), Err(TokenError::Expired));
        assert_eq!(claims.expires_at(), Some(999_700));
        assert_eq!(claims.issued_at(), Some(999_100));
        assert_eq!(claims.typ(), Some("jwt"));
    }

    #[test]
    fn a_new_key_is_private_and_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = (folder.path().join("k.json"), folder.path().join("s.json"));
        make(Algorithm::Es256, &private, &public).unwrap();
        KeySet::parse(&fs::read(&public).unwrap()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&private).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let before = fs::read(&private).unwrap();
        assert!(make(Algorithm::Es256, &private, &public).is_err());
        assert_eq!(fs::read(&private).unwrap(), before);
        let line = arguments(&["--key", private.to_str().unwrap()]);
        assert!(sign(&line, &private).is_ok());
    }

    #[test]
    fn times_are_read_or_refused() {
        for (text, expected) in [
            ("90", 90),
            ("90s", 90),
            ("-5m", -300),
            ("8h", 28_800),
            ("2d", 172_800),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "m",
            "5 m",
            "5x",
            "5mm",
            "1.5h",
            "9223372036854775807d",
            "40000d",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn claims_are_read_or_refused() {
        assert_eq!(claim("a=b=c"), Ok(("a".into(), json!("b=c"))));
        assert_eq!(claim("a="), Ok(("a".into(), json!(""))));
        assert_eq!(claim("a=true"), Ok(("a".into(), json!(true))));
        assert!(claim("a").is_err() && claim("=b").is_err());
        let twice = arguments(&["--key", "k", "--claim", "sub=x"]);
        assert!(payload(&twice, 0).unwrap_err().contains("`sub`"));
    }

    #[test]
    fn arguments_that_contradict_each_other_are_refused() {
        for line in [
            &["--key", "k"][..],
            &["--issuer", "i"],
            &["--new-key", "k"],
            &["--new-key", "k", "--jwks", "j", "--algorithm", "HS256"],
            &[
                "--new-key",
                "k",
                "--jwks",
                "j",
                "--key",
                "k",
                "--issuer",
                "i",
            ],
        ] {
            let line = ["portcullis"].iter().chain(line);
            assert!(Command::try_parse_from(line).is_err());
        }
    }
}
