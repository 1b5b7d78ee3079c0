"""The demo's gateway: keys, certificate, policy, upstream and Envoy in one directory.

The tour, `make up` and the compose test all stand on this, so that what the tour
shows is what people get to play with.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import string
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "envoy" / "demo"

ISSUER = "https://id.harbour.example"
AUDIENCE = "https://api.harbour.example"


class Failure(Exception):
    """The demo cannot go on; the message says why, for people."""


class Stand:
    """One gateway with everything around it, in the directory `work`."""

    def __init__(self, work, http_port=0, tls_port=0, admin_port=0):
        self.work = Path(work).resolve()
        self.wanted = {"HTTP_PORT": http_port, "TLS_PORT": tls_port, "ADMIN_PORT": admin_port}
        self.envoy = envoy()
        self.command = command()
        self.module = module()
        self.audit_log = AuditLog(self.work / "audit.jsonl")
        self.processes = {}
        self.ports = {}
        self.tokens = {}

    def prepare(self):
        """A fresh directory with keys, a certificate and the compiled policy."""
        shutil.rmtree(self.work, ignore_errors=True)
        (self.work / "keys").mkdir(parents=True)
        for name in ("openapi.yaml", "policy.yaml"):
            shutil.copy(DEMO / name, self.work)
        self.portcullis("token", "--new-key", "keys/dev-key.json", "--jwks", "keys/jwks.json")
        certificate(self.work / "keys")
        self.partner_key = self.new_partner_key()
        self.build()

    def new_partner_key(self):
        """Makes an API key, and puts its hash into the policy in the place of nobody's."""
        key = self.portcullis("key", "new", "--id", "north-sea-lines").strip()
        policy = self.work / "policy.yaml"
        text = policy.read_text(encoding="utf-8")
        digest = hashlib.sha256(key.encode()).hexdigest()
        policy.write_text(text.replace("0" * 64, digest), encoding="utf-8")
        return key

    def build(self):
        """Compiles the policy, and puts the result where Envoy looks for it."""
        self.portcullis("build", "policy.yaml", "-o", "plugin.json")
        self.version = render_filter(self.work, self.module)

    def learn(self):
        """Trains the model on the traffic so far, and takes it into the policy."""
        told = self.portcullis("train", "audit.jsonl", "-o", "model.json")
        with open(self.work / "policy.yaml", "a", encoding="utf-8") as policy:
            policy.write("\nanomaly: { model: model.json }\n")
        self.build()
        self.wait("Envoy took the new policy", self.has_policy)
        return told

    def start(self):
        """Starts the upstream and Envoy, and returns when requests are served."""
        port_file = self.work / "upstream.port"
        self.spawn("upstream", [sys.executable, str(DEMO / "upstream.py"), "--port-file", str(port_file)])
        self.wait("the upstream listens", port_file.exists)
        render(
            DEMO / "envoy.yaml",
            self.work / "envoy.yaml",
            WORK=str(self.work),
            LISTEN_ADDRESS="127.0.0.1",
            ADMIN_ADDRESS="127.0.0.1",
            UPSTREAM_ADDRESS="127.0.0.1",
            UPSTREAM_PORT=port_file.read_text(encoding="ascii"),
            **self.wanted,
        )
        admin_file = self.work / "admin.address"
        self.spawn(
            "envoy",
            [str(self.envoy), "--config-path", str(self.work / "envoy.yaml")]
            + ["--admin-address-path", str(admin_file)]
            # With hot restart Envoy ends with whoever started it, and `up` returns.
            + ["--disable-hot-restart", "--concurrency", "2"]
            + ["--file-flush-interval-msec", "20", "--log-level", "warning"],
        )
        # Envoy opens the file before it writes the address.
        self.wait("Envoy's admin interface listens", lambda: admin_file.exists() and admin_file.read_text())
        self.admin_address = admin_file.read_text(encoding="ascii").strip()
        self.wait("Envoy is ready", lambda: self.admin("/ready").startswith("LIVE"))
        self.wait("Envoy has the policy", self.has_policy)
        for listener in json.loads(self.admin("/listeners?format=json"))["listener_statuses"]:
            self.ports[listener["name"]] = listener["local_address"]["socket_address"]["port_value"]

    def stop(self):
        """Ends what `start` started."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def token(self, subject, scope, client=None, expires_in="10m", claims=()):
        """An access token; the same one when asked again."""
        client = client or subject
        wanted = (subject, scope, client, expires_in, claims)
        if wanted not in self.tokens:
            self.tokens[wanted] = self.portcullis(
                *("token", "--key", "keys/dev-key.json"),
                *("--issuer", ISSUER, "--audience", AUDIENCE),
                *("--subject", subject, "--client-id", client),
                *("--scope", scope, f"--expires-in={expires_in}"),
                *(word for claim in claims for word in ("--claim", claim)),
            ).strip()
        return self.tokens[wanted]

    def explain(self, record):
        """What the command says about an audit record."""
        # 3: explained, and what it explains is a refusal.
        return self.portcullis("explain", "--record", "-", input=record + "\n", good=(0, 3))

    def audit(self, request_id):
        """The audit record of one exchange, once Envoy has written it."""
        return self.wait(f"request {request_id} is recorded", lambda: self.audit_log.line(request_id))

    def audited(self, count):
        """Waits until the audit log has this many records."""
        self.wait(f"{count} requests are recorded", lambda: self.audit_log.length() >= count)

    def portcullis(self, *arguments, input=None, good=(0,)):
        """Runs the command in the work directory, and returns what it prints."""
        return run([str(self.command), *arguments], cwd=self.work, input=input, good=good)

    def admin(self, path):
        """One page of Envoy's admin interface; empty while it cannot answer."""
        try:
            with urllib.request.urlopen(f"http://{self.admin_address}{path}", timeout=5) as page:
                return page.read().decode()
        except OSError:
            return ""

    def has_policy(self):
        """Whether the policy that was built last is in force; a refused one ends the demo."""
        # `/config_dump` names the last version that was offered, these the one in force.
        stats = self.admin("/stats?filter=^extension_config_discovery.http_filter.portcullis")
        if re.search(r"update_rejected: [1-9]", stats):
            raise Failure(f"the filter refused the policy:\n{self.last_words('envoy')}")
        return f'version_text: "{self.version}"' in stats

    def under_way(self, count):
        """Waits until the upstream has the heads of this many requests that have not ended."""
        line = f"cluster.upstream.upstream_rq_active: {count}\n"
        self.wait(f"{count} requests are under way", lambda: line in self.admin("/stats?filter=upstream_rq_active"))

    def spawn(self, name, arguments):
        log = open(self.work / f"{name}.log", "wb")
        self.processes[name] = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        log.close()

    def wait(self, what, happened):
        """Waits until `happened` returns something, and returns that."""

        def alive():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise Failure(f"{name} ended before {what}:\n{self.last_words(name)}")

        try:
            return wait_until(what, happened, alive)
        except TimeoutError as late:
            raise Failure(f"{late}\n{self.last_words('envoy')}") from late

    def last_words(self, name):
        log = self.work / f"{name}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return "\n".join(lines[-12:])


class AuditLog:
    """The file to which Envoy writes one line for every exchange."""

    def __init__(self, file):
        self.file = file

    def lines(self):
        """The whole lines so far."""
        if not self.file.exists():
            return []
        return self.file.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()

    def line(self, request_id):
        """The line of one request, when it is there."""
        return next((line for line in self.lines() if request_id in line), None)

    def length(self):
        return len(self.lines())


def wait_until(what, happened, alive=lambda: None, seconds=30):
    """Waits until `happened` returns something, and returns that; `alive` may raise earlier."""
    deadline = time.monotonic() + seconds
    while not (outcome := happened()):
        alive()
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain until {what}")
        time.sleep(0.02)
    return outcome


def render(template, target, **values):
    """Fills in a template, and puts it in place in one step, for Envoy may be watching."""
    text = string.Template(template.read_text(encoding="utf-8")).substitute(values)
    part = target.with_name(target.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, target)


def render_filter(work, module):
    """Wraps the plugin JSON into the file that Envoy watches, and returns its version."""
    plugin = (work / "plugin.json").read_text(encoding="utf-8")
    version = hashlib.sha256(plugin.encode()).hexdigest()[:12]
    render(
        DEMO / "filter.yaml",
        work / "filter.yaml",
        VERSION=version,
        FILTER_WASM=str(module),
        # A JSON string is a YAML string.
        PLUGIN_JSON=json.dumps(plugin, ensure_ascii=False),
    )
    return version


def certificate(keys):
    """A certificate for this machine alone, which is its own authority."""
    run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        + ["-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-keyout", str(keys / "tls.key"), "-out", str(keys / "tls.crt")],
    )


def run(words, cwd=None, input=None, env=None, good=(0,)):
    """Runs a command to its end, which should be one of the `good` exit codes; returns what it prints."""
    try:
        done = subprocess.run(
            words, cwd=cwd, input=input, env=env, capture_output=True, encoding="utf-8", check=False
        )
    except FileNotFoundError as missing:
        raise Failure(f"`{words[0]}` is missing: install it") from missing
    if done.returncode not in good:
        name = " ".join([os.path.basename(words[0]), *words[1:2]])
        raise Failure(f"`{name}` ended with {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def envoy():
    """Envoy's launcher."""
    return tool("ENVOY", ROOT / ".venv/bin/envoy", "scripts/setup")


def command():
    """The command `portcullis`."""
    return tool("PORTCULLIS", ROOT / "target/debug/portcullis", "cargo build")


def module():
    """The filter."""
    built = ROOT / "target/wasm32-wasip1/wasm/portcullis.wasm"
    return tool("PORTCULLIS_WASM", built, "cargo build --lib --profile wasm --target wasm32-wasip1")


def tool(variable, default, maker):
    """The path of something that an earlier step makes."""
    path = Path(os.environ.get(variable) or default)
    if not path.exists():
        raise Failure(f"`{path}` is missing: run `{maker}`, or name another in {variable}")
    return path.absolute()


def end_on_signal():
    """Makes SIGTERM unwind like Ctrl-C, so that nothing we started stays behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
