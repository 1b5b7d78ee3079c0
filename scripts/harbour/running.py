"""The gateway that `make up` leaves running: remembering it, inviting people, ending it."""

import json
import os
import signal
import socket
import subprocess
import time

from harbour.stand import Failure

# Who people can be at the shop, and with which scopes.
PEOPLE = {
    "helpdesk": "products:read orders:read customers:read",
    "care": "orders:read orders:write customers:read customers:personal",
    "books": "orders:read payments:read payments:write payments:full",
}


def refuse_taken(ports):
    """Envoy would share a taken port with its owner instead of failing (SO_REUSEPORT)."""
    for name, port in ports.items():
        with socket.socket() as probe:
            if port and probe.connect_ex(("127.0.0.1", port)) == 0:
                raise Failure(f"port {port} is taken: name a free one in {name}")


def remember(stand):
    processes = {name: process.pid for name, process in stand.processes.items()}
    (stand.work / "running.json").write_text(json.dumps(processes), encoding="ascii")


def stop(work):
    """Ends what an earlier `up` left running, and returns the names of what it ended."""
    file = work / "running.json"
    if not file.exists():
        return []
    processes = json.loads(file.read_text(encoding="ascii"))
    stopped = [name for name, pid in processes.items() if end(pid, str(work))]
    file.unlink()
    return stopped


def end(pid, work):
    """Ends the process if it is ours still: its command line names our directory."""
    if not is_ours(pid, work):
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 5
    while is_ours(pid, work):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.05)
    return True


def is_ours(pid, work):
    shown = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, encoding="utf-8", check=False)
    return work in shown.stdout


def invite(stand, page):
    """Writes a token for each of the people, and says what can be done with them."""
    for person, scope in PEOPLE.items():
        token = stand.token(person, scope, expires_in="12h")
        (stand.work / f"{person}.token").write_text(token, encoding="ascii")
    (stand.work / "partner.key").write_text(stand.partner_key, encoding="ascii")
    http, https = stand.ports["http"], stand.ports["https"]
    where = os.path.relpath(stand.work)

    def bearer(person):
        return f'-H "authorization: Bearer $(cat {where}/{person}.token)"'

    page.title("The gateway is up", f"The tokens are good for 12 hours. Everything it works with is in {where}.")
    for note, command in (
        ("open to all, over TLS", f"curl --cacert {where}/keys/tls.crt https://localhost:{https}/v1/status"),
        ("refused: no token", f"curl -i http://127.0.0.1:{http}/v1/customers/c-1002"),
        ("personal data hidden", f"curl {bearer('helpdesk')} http://127.0.0.1:{http}/v1/customers/c-1002"),
        ("personal data shown", f"curl {bearer('care')} http://127.0.0.1:{http}/v1/customers/c-1002"),
        ("account numbers shown", f"curl {bearer('books')} 'http://127.0.0.1:{http}/v1/payments?limit=2'"),
        (
            "a partner's API key",
            f'curl -H "x-api-key: $(cat {where}/partner.key)" \'http://127.0.0.1:{http}/v1/products?category=rope\'',
        ),
        ("wrong scope", f"curl -i {bearer('helpdesk')} http://127.0.0.1:{http}/v1/payments"),
        ("the audit records", f"tail -f {where}/audit.jsonl"),
        ("why the last one went as it did", f"tail -n 1 {where}/audit.jsonl | {explain(stand)}"),
        ("the end", "make down"),
    ):
        page.note(note)
        page.line(f"  {command}")


def explain(stand):
    return f"{os.path.relpath(stand.command)} explain --record -"
