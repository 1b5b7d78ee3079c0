//! The identity provider of `tests/idp`: real tokens, and failures on command.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStdout;

use super::client::Ask;
use super::process::Process;
use super::{PATIENCE, eventually};

/// How the provider behaves towards everyone but the tests.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// It answers.
    Up,
    /// Nothing listens.
    Refuse,
    /// It accepts and answers only when it is up again.
    Hang,
    /// It answers 500.
    Fail,
}

/// A running identity provider. Its issuer is always [`Idp::ISSUER`].
pub(crate) struct Idp {
    /// Where Envoy's cluster finds it.
    pub(crate) address: SocketAddr,
    control: SocketAddr,
    _process: Process,
}

impl Idp {
    /// The `iss` of its tokens, whatever its port.
    pub(crate) const ISSUER: &str = "https://idp.example.test";

    /// Starts one; it has keys for RS256, ES256 and EdDSA.
    pub(crate) async fn start() -> Self {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp");
        assert!(
            home.join("node_modules/oidc-provider").exists(),
            "the identity provider's packages are missing; run `scripts/setup`"
        );
        let mut command = Command::new("node");
        command
            .arg(home.join("server.mjs"))
            .args(["--issuer", Self::ISSUER])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Process::spawn(command);
        let stdout = process.child().stdout.take().expect("a piped stdout");
        let mut lines = BufReader::new(ChildStdout::from_std(stdout).unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .expect("the identity provider does not come up")
            .unwrap()
            .expect("the identity provider ended before it was ready");
        let ready: Value = serde_json::from_str(&line).unwrap();
        let port = |name: &str| {
            let port = ready[name].as_u64().unwrap();
            SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()))
        };
        Self {
            address: port("port"),
            control: port("control"),
            _process: process,
        }
    }

    /// Its key set, as the policy names it.
    pub(crate) fn jwks_uri(&self) -> String {
        format!("http://{}/jwks", self.address)
    }

    /// An access token for the shop, by the client credentials grant: `client` is one
    /// of `tests/idp/tenancy.mjs`, `scope` is space separated, `alg` signs.
    pub(crate) async fn token(&self, client: &str, scope: &str, alg: &str) -> String {
        let resource = format!("https://shop.example.test/{}", alg.to_lowercase());
        self.token_for(&resource, client, scope).await
    }

    /// An access token for any of the provider's resources.
    pub(crate) async fn token_for(&self, resource: &str, client: &str, scope: &str) -> String {
        let answer = self.ask_for_token(resource, client, scope, None).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// An access token for the shop that is bound to the key of this DPoP proof.
    pub(crate) async fn bound_token(&self, client: &str, scope: &str, proof: &str) -> String {
        let resource = "https://shop.example.test/es256";
        let answer = self
            .ask_for_token(resource, client, scope, Some(proof))
            .await;
        assert_eq!(answer["token_type"], "DPoP");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn ask_for_token(
        &self,
        resource: &str,
        client: &str,
        scope: &str,
        proof: Option<&str>,
    ) -> Value {
        let secret = STANDARD.encode(format!("{client}:{client}-secret"));
        let form = format!(
            "grant_type=client_credentials&resource={resource}&scope={}",
            scope.replace(' ', "+")
        );
        let mut ask = Ask::post("/token")
            .header("authorization", format!("Basic {secret}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("host", "idp.example.test")
            .header("x-forwarded-proto", "https")
            .body(form);
        if let Some(proof) = proof {
            ask = ask.header("dpop", proof);
        }
        let answer = ask.send(self.address).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// An access token for the shop that says nothing by itself.
    pub(crate) async fn opaque_token(&self, client: &str, scope: &str) -> String {
        let resource = "https://shop.example.test/opaque";
        self.token_for(resource, client, scope).await
    }

    /// Where it answers for such tokens, as the policy names it.
    pub(crate) fn introspection_uri(&self) -> String {
        format!("http://{}/token/introspection", self.address)
    }

    /// A client takes its own token back (RFC 7009).
    pub(crate) async fn revoke(&self, client: &str, token: &str) {
        let secret = STANDARD.encode(format!("{client}:{client}-secret"));
        let answer = Ask::post("/token/revocation")
            .header("authorization", format!("Basic {secret}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"))
            .send(self.address)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// An opaque token's time is over.
    pub(crate) async fn expire(&self, token: &str) {
        self.control("/expire", json!({ "token": token })).await;
    }

    /// Serves this text under a name; the answer is its address.
    pub(crate) async fn put(&self, name: &str, text: &str) -> String {
        self.control("/document", json!({ "name": name, "text": text }))
            .await;
        format!("http://{}/documents/{name}", self.address)
    }

    /// A token no honest provider would give: any claims and headers, signed with the
    /// newest key of `alg`.
    pub(crate) async fn mint(&self, alg: &str, header: Value, claims: Value) -> String {
        let order = json!({ "alg": alg, "header": header, "claims": claims });
        self.control_mint(order).await
    }

    /// A token signed by a key that the provider never published, under the `kid` of
    /// one that it did.
    pub(crate) async fn forge(&self, alg: &str, claims: Value) -> String {
        self.control_mint(json!({ "alg": alg, "claims": claims, "rogue": true }))
            .await
    }

    /// Shows new keys behind the others, and signs nothing with them yet.
    pub(crate) async fn publish(&self) {
        self.control("/publish", json!({})).await;
    }

    /// Signs with the keys that were published last, or else with new ones.
    pub(crate) async fn rotate(&self) {
        self.control("/rotate", json!({})).await;
    }

    /// Forgets all keys but those that sign.
    pub(crate) async fn retire(&self) {
        self.control("/retire", json!({})).await;
    }

    /// Publishes its key set at another path, as its metadata say from then on.
    pub(crate) async fn move_keys_to(&self, path: &str) {
        self.control("/move", json!({ "path": path })).await;
    }

    /// Falls over, or comes back.
    pub(crate) async fn enter(&self, mode: Mode) {
        let mode = match mode {
            Mode::Up => "up",
            Mode::Refuse => "refuse",
            Mode::Hang => "hang",
            Mode::Fail => "fail",
        };
        self.control("/mode", json!({ "mode": mode })).await;
    }

    /// How often someone has asked for the key set.
    pub(crate) async fn fetches(&self) -> u64 {
        self.count("jwks_fetches").await
    }

    /// How often someone has asked about a token.
    pub(crate) async fn introspections(&self) -> u64 {
        self.count("introspections").await
    }

    /// How often someone has asked for what [`Idp::put`] put there.
    pub(crate) async fn document_fetches(&self) -> u64 {
        self.count("document_fetches").await
    }

    /// Waits until the key set has been asked for `count` times in all.
    pub(crate) async fn await_fetches(&self, count: u64) {
        self.await_counts(&format!("fetches={count}")).await;
    }

    /// Waits until it has been asked about tokens `count` times in all.
    pub(crate) async fn await_introspections(&self, count: u64) {
        self.await_counts(&format!("introspections={count}")).await;
    }

    async fn await_counts(&self, counts: &str) {
        let ask = || async {
            let path = format!("/await?{counts}");
            Some(Ask::get(path).send(self.control).await)
        };
        eventually("the provider is asked", ask).await;
    }

    async fn count(&self, name: &str) -> u64 {
        let answer = Ask::get("/state").send(self.control).await;
        answer.json()[name].as_u64().unwrap()
    }

    async fn control_mint(&self, order: Value) -> String {
        let answer = self.control("/mint", order).await;
        answer["token"].as_str().unwrap().to_owned()
    }

    async fn control(&self, path: &str, body: Value) -> Value {
        let answer = Ask::post(path)
            .body(body.to_string())
            .send(self.control)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}
