"""The tour: one request after another, each with its answer and its explanation.

It is also a test: every stop says what must come back, and the tour fails when
something else does.
"""

import json
from dataclasses import dataclass, field
from typing import Callable, Optional

from harbour.checks import masked_but_four, mentions, shows, without_error
from harbour.client import Client


@dataclass
class Stop:
    """One request of the tour, and what must come of it."""

    title: str
    why: str
    method: str
    target: str
    status: int
    token: Optional[dict] = None
    body: Optional[dict] = None
    # Turns the partner's API key into the one that is sent.
    key: Optional[Callable] = None
    listener: str = "http"
    # More header fields.
    headers: Optional[dict] = None
    # How often the same was asked before.
    before: int = 0
    # How many of it are under way meanwhile: their bodies come later.
    held: int = 0
    # How often the request may be repeated until the status comes.
    tries: int = 1
    # Whether somebody else signed the token.
    forged: bool = False
    # Whether to show the audit record itself.
    shows_record: bool = False
    # Says what is wrong with the answer and its audit record, or nothing.
    wrong: Callable = field(default=lambda answer, record: None)


def walk(stand, page):
    """Walks all stops, and returns how many went wrong."""
    trust = stand.work / "keys" / "tls.crt"
    clients = {
        "http": Client(stand.ports["http"]),
        "https": Client(stand.ports["https"], trust=trust),
    }
    failures = 0
    stops = list(plan())
    for number, stop in enumerate(stops, 1):
        page.title(f"{number}/{len(stops)}  {stop.title}", stop.why)
        complaint = visit(stand, page, clients[stop.listener], stop)
        if complaint:
            failures += 1
            page.bad(complaint)
    for client in clients.values():
        client.close()
    return failures


def visit(stand, page, client, stop):
    token = stand.token(**stop.token) if stop.token else None
    headers = dict(stop.headers or {})
    if stop.key:
        headers["x-api-key"] = stop.key(stand.partner_key)
    if stop.forged:
        token = forge(token)
    page.request(curl(stop, client.origin), stop.token)
    if stop.listener == "https":
        page.note(f"connected with {client.tls_version()}")
    request = (stop.method, stop.target, token, headers, stop.body)
    for _ in range(stop.before):
        early = client.ask(*request)
        page.note(f"{early.status} {early.reason}")
    held = [client.hold(*request) for _ in range(stop.held)]
    if held:
        stand.under_way(len(held))
    for _ in range(stop.tries):
        answer = client.ask(*request)
        if answer.status == stop.status:
            break
        if stop.tries > 1:
            page.note(f"{answer.status} {answer.reason}")
    for end in held:
        end()
    page.answer(answer)
    line = stand.audit(answer.request_id)
    page.explanation(stand.explain(line))
    if stop.shows_record:
        page.record(line)
    if answer.status != stop.status:
        return f"this should have been {stop.status}, not {answer.status}"
    return stop.wrong(answer, json.loads(line))


def forge(token):
    """The token with a signature that its issuer did not make."""
    body, signature = token.rsplit(".", 1)
    return f"{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def curl(stop, origin):
    """The request as one would type it."""
    words = ["curl"]
    if stop.method != "GET":
        words.append(f"-X {stop.method}")
    if stop.listener == "https":
        words.append("--cacert tls.crt")
    if stop.token:
        words.append('-H "authorization: Bearer $TOKEN"')
    if stop.key:
        words.append('-H "x-api-key: $KEY"')
    words.extend(f"-H '{name}: {value}'" for name, value in (stop.headers or {}).items())
    if stop.body is not None:
        words.append(f"--json '{json.dumps(stop.body)}'")
    if "/.." in stop.target:
        words.append("--path-as-is")
    return " ".join([*words, f"'{origin}{stop.target}'"])


def plan():
    """The stops, in order."""
    support = {"subject": "ingrid", "client": "helpdesk", "scope": "customers:read orders:read"}
    care = {"subject": "bram", "client": "customer-care", "scope": "customers:read customers:personal"}
    books = {"subject": "noor", "client": "bookkeeping", "scope": "payments:read payments:write"}
    zoe = {"subject": "zoe", "client": "harbour-app", "scope": "orders:own", "claims": ("customer_id=c-1002",)}
    one_order = "/v1/orders/15fc8e0b-76b2-4fc1-bd44-373e496ebf61"

    yield Stop(
        "The open door, over TLS",
        "`security: []` makes this one operation public.",
        *("GET", "/v1/status", 200),
        listener="https",
    )
    yield Stop(
        "No token",
        "Everything else asks for one. The challenge names no error, for there was no attempt (RFC 6750 §3.1).",
        *("GET", "/v1/customers/c-1002", 401),
        wrong=lambda answer, record: without_error(answer.headers.get("www-authenticate", "")),
    )
    yield Stop(
        "A good token",
        "The scope opens the operation. The caller's clearance is `public`, so what the document "
        "classifies higher is removed, redacted or cut to its last four characters.",
        *("GET", "/v1/customers/c-1002", 200, support),
        wrong=lambda answer, record: (
            shows(answer.json, "name", "***")
            or ("`lifetime_value` is internal and must not be here" if "lifetime_value" in answer.json else None)
            or masked_but_four(answer.json["bank_account"]["iban"])
        ),
    )
    yield Stop(
        "The same call, a higher clearance",
        "The scope `customers:personal` raises the clearance. The bank account is `financial`, higher still.",
        *("GET", "/v1/customers/c-1002", 200, care),
        wrong=lambda answer, record: (
            shows(answer.json, "name", "Zoë Brandt")
            or masked_but_four(answer.json["bank_account"]["iban"])
        ),
    )
    yield Stop(
        "The wrong scope",
        "The token is good, and it is not for this.",
        *("GET", "/v1/payments", 403, support),
        wrong=lambda answer, record: mentions(answer, "www-authenticate", "insufficient_scope", "payments:read"),
    )
    yield Stop(
        "One's own orders",
        "The document says `x-claim` beside the customer's id, and the token has that claim.",
        *("GET", "/v1/customers/c-1002/orders", 200, zoe),
    )
    yield Stop(
        "Somebody else's",
        "The same token and another number in the path: refused before the shop hears of it.",
        *("GET", "/v1/customers/c-1003/orders", 403, zoe),
        wrong=lambda answer, record: names(record, "reason", "object_forbidden"),
    )
    yield Stop(
        "A role that is missing",
        "The scope would do, but the books are for bookkeepers (`x-roles`), and a treasurer is one by inheritance.",
        *("GET", "/v1/books", 403, books),
        wrong=lambda answer, record: names(record, "reason", "role_missing"),
    )
    yield Stop(
        "An expired token",
        "Signed by the right key, and ten minutes late.",
        *("GET", "/v1/orders", 401, {**support, "expires_in": "-10m"}),
        wrong=lambda answer, record: mentions(answer, "www-authenticate", "invalid_token"),
    )
    yield Stop(
        "A partner's API key",
        "The catalogue takes a token or a key. The policy holds the key's hash, and what it may do.",
        *("GET", "/v1/products?category=rope", 200),
        key=lambda key: key,
        wrong=lambda answer, record: names(record, "client", "north-sea-lines"),
    )
    yield Stop(
        "Somebody guesses at it",
        "The answer is the same for any key that is not good. The record says which one is being guessed at.",
        *("GET", "/v1/products?category=rope", 401),
        key=lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
        wrong=lambda answer, record: names(record, "claimed", "north-sea-lines"),
    )
    yield Stop(
        "A path that nobody declared",
        "The shop does answer it, with every customer and every card: somebody's convenience from years ago. "
        "The document does not know it, so for the world it is not there.",
        *("GET", "/v1/admin/export", 404, care),
    )
    yield Stop(
        "A method that nobody declared",
        "Orders are cancelled, never deleted.",
        *("DELETE", one_order, 405, support),
        wrong=lambda answer, record: mentions(answer, "allow", "GET", "PATCH"),
    )
    yield Stop(
        "A path that means two things",
        "To one server this is an order, to another it is the status page. It is refused before anyone can differ.",
        *("GET", "/v1/orders/..%2fstatus", 400, support),
    )
    yield Stop(
        "How much is left",
        "Both limits of the plan count at once, and every answer says how the client stands with them: "
        "what each allows, what is left, and after how many seconds there is more.",
        *("GET", "/v1/orders?limit=1", 200, {**support, "client": "storefront"}),
        wrong=lambda answer, record: (
            mentions(answer, "ratelimit-policy", '"burst";q=20', '"hourly";q=2000;w=3600')
            or mentions(answer, "ratelimit", '"burst";r=19', '"hourly";r=1999')
        ),
    )
    yield Stop(
        "More than a partner has",
        "The key's tier has a plan of its own: thirty a minute, three at once. Over that it is not refused, "
        "but counted by the plan of everybody else.",
        *("GET", "/v1/products?category=lamps", 200),
        key=lambda key: key,
        before=4,
        wrong=lambda answer, record: counted(record, partners="shed", burst="allowed", hourly="allowed"),
    )
    yield Stop(
        "Twelve a minute, and no more",
        "A sliding window has no burst to regain: what was asked in the last minute counts. "
        "`retry-after` says when enough of it will have faded.",
        *("GET", "/v1/payments?limit=1", 429, {**books, "subject": "tess"}),
        before=12,
        wrong=lambda answer, record: mentions(answer, "retry-after", "") or counted(record, minute="refused"),
    )
    wanted = {"customer_id": "c-1002", "items": [{"sku": "RO-1001", "quantity": 2}]}
    buyer = {"subject": "piet", "client": "till", "scope": "orders:write"}
    yield Stop(
        "Two at once, and a third",
        "Two orders are under way, for their bodies have not come yet. They hold both places of this "
        "caller, however long they take.",
        *("POST", "/v1/orders", 429, buyer, wanted),
        headers={"idempotency-key": "1f0c7f0e-3a52-4b0e-9a8e-0d3f6a1c5b21"},
        held=2,
        wrong=lambda answer, record: counted(record, burst="spared", parallel="refused"),
    )
    yield Stop(
        "They have ended",
        "What ends gives its place back.",
        *("POST", "/v1/orders", 201, buyer, wanted),
        headers={"idempotency-key": "1f0c7f0e-3a52-4b0e-9a8e-0d3f6a1c5b22"},
        tries=20,
    )
    yield Stop(
        "Too many refunds",
        "The operation has `x-quota: strict`: one a second, three at once, for each client.",
        *("POST", "/v1/payments/pay-000003/refunds", 429, books, {"amount": {"amount": "5.00", "currency": "EUR"}}),
        tries=12,
        wrong=lambda answer, record: mentions(answer, "retry-after", ""),
    )
    yield Stop(
        "An odd request",
        "Token, scope and path are all in order, yet nobody searches like this. The forest has learnt what is "
        "normal here; its stage observes, so the request passes, and the record says why it stands out.",
        *("GET", "/v1/customers?q=%27%20OR%201%3D1%3B%20--%20&limit=100000&country=XX&debug=true", 200, support),
        shows_record=True,
        wrong=lambda answer, record: unflagged(record),
    )
    yield Stop(
        "Somebody who keeps trying",
        "Ten forged tokens from one address are borne; the eleventh makes the next attempt wait, whatever "
        "it brings. The wait doubles from then on and ends in a ban (`lockout` of the policy).",
        *("GET", "/v1/orders", 429, support),
        tries=12,
        forged=True,
        wrong=lambda answer, record: mentions(answer, "retry-after", "1"),
    )


def names(record, field, wanted):
    """Why the record does not name whom it should."""
    found = record.get(field)
    return None if found == wanted else f"the record should have `{field}` {wanted}, not {found}"


def counted(record, **outcomes):
    """Why the record does not say of these limits what became of the request."""
    found = {one["name"]: one["outcome"] for one in record.get("quota", {}).get("limits", [])}
    return None if found == outcomes else f"the limits should be {outcomes}, not {found}"


def unflagged(record):
    """Why the record does not show a request that the forest found odd."""
    findings = [one["outcome"] for one in record.get("stages", []) if one["stage"] == "anomaly"]
    if findings != ["would_deny"]:
        return f"the anomaly stage should have found this odd: {findings}, score {record.get('score')}"
    return None if record.get("oddities") else "an odd request must come with its reasons"
