"""A day at the shop: the normal requests from which the demo's model learns.

Many clients, each well inside its quota, doing what the API is for. The seed is
fixed, so every run sends the same requests.
"""

import random
import uuid

from harbour.stand import Failure

SCOPES = "products:read orders:read orders:write customers:read payments:read payments:write"


class Day:
    """The ids that exist, and requests about them."""

    def __init__(self, client, stand):
        token = stand.token("stocktaking", SCOPES)

        def ids(target, member):
            return [row["id"] for row in client.ask("GET", target, token).json[member]]

        self.orders = ids("/v1/orders?limit=100", "orders")
        self.customers = ids("/v1/customers?limit=100", "customers")
        self.payments = ids("/v1/payments?limit=100", "payments")
        self.chance = random.Random(1871)

    def request(self):
        """Method, target, headers and body of one normal request."""
        kinds, weights = zip(*KINDS)
        kind = self.chance.choices(kinds, weights)[0]
        method, target, *more = kind(self, self.chance)
        headers, body = more or ({}, None)
        return method, target, headers, body


def live_through(stand, client, clients=60, requests_each=15):
    """Sends the day's requests, and returns how many there were."""
    day = Day(client, stand)
    for number in range(clients):
        token = stand.token(f"till-{number:02d}", SCOPES)
        for _ in range(requests_each):
            method, target, headers, body = day.request()
            answer = client.ask(method, target, token, headers, body)
            if answer.status >= 400:
                raise Failure(f"a normal request was refused: {method} {target}: {answer.status}")
    return clients * requests_each


def query(chance, **choices):
    """Some of these parameters, each with one of its values."""
    chosen = [f"{name}={chance.choice(values)}" for name, values in choices.items() if chance.random() < 0.5]
    return "?" + "&".join(chosen) if chosen else ""


def status(day, chance):
    return "GET", "/v1/status"


def products(day, chance):
    words = ["rope", "lamp", "line", "coat", "boots", "cap", "deck", "storm", "blue%20rope", "key"]
    kinds = ["rope", "lamps", "tools", "clothing"]
    return "GET", "/v1/products" + query(
        chance, category=kinds, q=words, limit=[5, 10, 20], in_stock=["true", "false"]
    )


def orders(day, chance):
    days = [f"2026-{month:02d}-{day:02d}" for month in (3, 4) for day in range(1, 29)]
    return "GET", "/v1/orders" + query(
        chance,
        status=["placed", "packed", "shipped", "delivered", "cancelled"],
        placed_after=days,
        sort=["placed_at", "-placed_at", "total", "-total"],
        limit=[5, 10, 20],
    )


def order(day, chance):
    return "GET", f"/v1/orders/{chance.choice(day.orders)}" + query(chance, expand=["items", "delivery", "all"])


def new_order(day, chance):
    key = uuid.UUID(int=chance.getrandbits(128), version=4)
    items = [{"sku": f"RO-{chance.randint(1000, 1012)}", "quantity": chance.randint(1, 5)}]
    wanted = {"customer_id": chance.choice(day.customers), "items": items}
    return "POST", "/v1/orders", {"idempotency-key": str(key)}, wanted


def cancellation(day, chance):
    return "POST", f"/v1/orders/{chance.choice(day.orders)}/cancellation"


def changed_order(day, chance):
    change = {"delivery": {"method": chance.choice(["pickup", "post", "courier"])}}
    merge = {"content-type": "application/merge-patch+json"}
    return "PATCH", f"/v1/orders/{chance.choice(day.orders)}", merge, change


def customers(day, chance):
    names = ["ada", "bram", "mira", "jonas", "vos", "hale", "marsh", "nilsen", "ingrid%20vos", "kaya", "pia"]
    return "GET", "/v1/customers" + query(
        chance,
        q=names,
        country=["DE", "DK", "GB", "NL", "NO", "SE"],
        tier=["deckhand", "mate", "captain"],
        limit=[5, 10, 20],
    )


def customer(day, chance):
    return "GET", f"/v1/customers/{chance.choice(day.customers)}"


def orders_of_customer(day, chance):
    return "GET", f"/v1/customers/{chance.choice(day.customers)}/orders" + query(chance, limit=[5, 10, 20])


def payments(day, chance):
    return "GET", "/v1/payments" + query(
        chance, method=["card", "transfer", "invoice"], order_id=day.orders, limit=[5, 10, 20]
    )


def payment(day, chance):
    return "GET", f"/v1/payments/{chance.choice(day.payments)}"


KINDS = [
    # Few enough for one burst: without a token all share the quota of their address.
    (status, 2),
    (products, 16),
    (orders, 14),
    (order, 14),
    (new_order, 6),
    (cancellation, 2),
    (changed_order, 3),
    (customers, 14),
    (customer, 10),
    (orders_of_customer, 6),
    (payments, 6),
    (payment, 5),
]
