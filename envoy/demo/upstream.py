#!/usr/bin/env python3
"""Harbour Shop: the API that the demo puts behind the gateway.

It answers every operation of openapi.yaml from invented data and holds nothing
back: whatever a caller may not see, the gateway must hide. It even answers one
path too many, which no document declares. It has no state, so the same request
always has the same answer. Prints errors only.

    upstream.py [--address 127.0.0.1] [--port 0] [--port-file FILE]

`--port-file` gets the port once the server listens, for those who ask for port 0.
"""

import argparse
import json
import os
import random
import re
import uuid
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Shop:
    """Everything the shop knows, made from one seed."""

    def __init__(self, seed):
        chance = random.Random(seed)
        self.products = [product(number, chance) for number in range(len(TITLES))]
        self.customers = [customer(number, chance) for number in range(48)]
        self.orders = [self.order(number, chance) for number in range(160)]
        self.payments = [self.payment(number, chance) for number in range(160)]

    def order(self, number, chance):
        buyer = chance.choice(self.customers)
        items = []
        for bought in chance.sample(self.products, chance.randint(1, 4)):
            items.append(
                {
                    "sku": bought["sku"],
                    "title": bought["title"],
                    "quantity": chance.randint(1, 6),
                    "price": bought["price"],
                    "margin": round(chance.uniform(0.1, 0.4), 2),
                }
            )
        total = sum(float(item["price"]["amount"]) * item["quantity"] for item in items)
        placed = OPENED + timedelta(hours=7 * number, minutes=chance.randint(0, 59))
        return {
            "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "status": chance.choice(["placed", "packed", "shipped", "delivered", "delivered", "cancelled"]),
            "placed_at": placed.isoformat().replace("+00:00", "Z"),
            "customer_id": buyer["id"],
            "items": items,
            "total": money(total),
            "delivery": {
                "method": chance.choice(["pickup", "post", "courier"]),
                "recipient": buyer["name"],
                "address": buyer["addresses"][0],
                "instructions": chance.choice(["Ring twice.", "Leave it with the lock keeper.", "Mind the dog."]),
            },
            "risk": {
                "score": round(chance.betavariate(1, 12), 3),
                "signals": chance.choice([[], [], ["new_address"], ["first_order"]]),
            },
        }

    def payment(self, number, chance):
        paid = self.orders[number]
        buyer = next(one for one in self.customers if one["id"] == paid["customer_id"])
        payment = {
            "id": f"pay-{number:06d}",
            "order_id": paid["id"],
            "method": chance.choice(["card", "card", "transfer", "invoice"]),
            "status": chance.choice(["authorised", "captured", "captured", "refunded"]),
            "amount": paid["total"],
            "fee": round(chance.uniform(0.2, 2.4), 2),
        }
        if payment["method"] == "card":
            payment["card"] = {
                "brand": "visa",
                "holder": buyer["name"],
                "number": f"424242424242{chance.randint(0, 9999):04d}",
                "expires": f"{chance.randint(1, 12):02d}/{chance.randint(27, 31)}",
            }
        else:
            payment["iban"] = buyer["bank_account"]["iban"]
        return payment

    # One method for each operation of openapi.yaml, named by its operationId.

    def readStatus(self, call):
        return 200, {"shop": "Harbour Shop", "open": True, "message": "High water at noon."}

    def listProducts(self, call):
        found = match(self.products, category=call.one("category"))
        if call.one("in_stock"):
            found = match(found, in_stock=call.one("in_stock") == "true")
        return 200, {"products": call.page(call.search(found, "title"))}

    def listOrders(self, call):
        found = match(self.orders, status=call.one("status"))
        after = call.one("placed_after") or ""
        found = [order for order in found if order["placed_at"] >= after]
        key = call.one("sort") or "-placed_at"
        found = sorted(found, key=ORDERINGS.get(key.lstrip("-"), ORDERINGS["placed_at"]), reverse=key[:1] == "-")
        return 200, {"orders": call.page(found), "next_cursor": None}

    def placeOrder(self, call):
        wanted = call.body if isinstance(call.body, dict) else {}
        return 201, {**self.orders[0], "status": "placed", "customer_id": wanted.get("customer_id")}

    def readOrder(self, call):
        return found(self.orders, call.path[0])

    def changeOrder(self, call):
        changes = call.body if isinstance(call.body, dict) else {}
        status, order = found(self.orders, call.path[0])
        if status != 200:
            return status, order
        return 200, {**order, "delivery": {**order["delivery"], **changes.get("delivery", {})}}

    def cancelOrder(self, call):
        status, order = found(self.orders, call.path[0])
        return status, order if status != 200 else {**order, "status": "cancelled"}

    def searchCustomers(self, call):
        people = match(self.customers, tier=call.one("tier"))
        if call.one("country"):
            people = [one for one in people if one["addresses"][0]["country"] == call.one("country")]
        return 200, {"customers": call.page(call.search(people, "name"))}

    def readCustomer(self, call):
        return found(self.customers, call.path[0])

    def listOrdersOfCustomer(self, call):
        return 200, call.page(match(self.orders, customer_id=call.path[0]))

    def listPayments(self, call):
        some = match(self.payments, method=call.one("method"), order_id=call.one("order_id"))
        return 200, {"payments": call.page(some)}

    def readPayment(self, call):
        return found(self.payments, call.path[0])

    def refundPayment(self, call):
        status, payment = found(self.payments, call.path[0])
        if status != 200:
            return status, payment
        wanted = call.body if isinstance(call.body, dict) else {}
        return 201, {
            "id": payment["id"].replace("pay", "ref"),
            "payment_id": payment["id"],
            "amount": wanted.get("amount", payment["amount"]),
            "to_account": payment.get("iban") or payment["card"]["number"],
        }

    def exportEverything(self, call):
        """Somebody's convenience from years ago. It is in no document."""
        return 200, {"customers": self.customers, "payments": self.payments}


class Call:
    """One request, as the operations want to see it."""

    def __init__(self, path, query, body):
        self.path, self.query, self.body = path, parse_qs(query), body

    def one(self, name):
        return self.query.get(name, [None])[0]

    def page(self, rows):
        limit = self.one("limit") or ""
        return rows[: int(limit) if limit.isdecimal() else 20]

    def search(self, rows, member):
        words = (self.one("q") or "").casefold()
        return [row for row in rows if words in row[member].casefold()]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; without this the second waits for the first's ACK.
    disable_nagle_algorithm = True

    def answer(self):
        path, _, query = self.path.partition("?")
        length = self.headers.get("content-length") or "0"
        text = self.chunks() if self.headers.get("transfer-encoding") else self.rfile.read(int(length))
        try:
            body = json.loads(text) if text else None
        except ValueError:
            body = None
        status, document = 404, {"title": "no such thing", "status": 404}
        for method, pattern, operation in OPERATIONS:
            parts = re.fullmatch(pattern, path)
            if method == self.command and parts:
                status, document = getattr(SHOP, operation)(Call(parts.groups(), query, body))
                break
        answer = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

    def chunks(self):
        """A body of unknown length (RFC 9112 §7.1), which is how a proxy forwards one."""
        text = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            text += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return text

    def log_request(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def product(number, chance):
    title, category = TITLES[number]
    price = round(chance.uniform(4, 240), 2)
    return {
        "sku": f"{category[:2].upper()}-{1000 + number}",
        "title": title,
        "category": category,
        "price": money(price),
        "in_stock": chance.random() < 0.8,
        "cost_price": money(price * chance.uniform(0.4, 0.7)),
        "supplier": chance.choice(["Nordlys AS", "Tidewater Ltd", "De Kade BV"]),
    }


def customer(number, chance):
    given, family = GIVEN[number % len(GIVEN)], FAMILY[(number * 7 + 3) % len(FAMILY)]
    country = chance.choice(["DE", "DK", "GB", "NL", "NO", "SE"])
    born = datetime(1950, 1, 1) + timedelta(days=chance.randint(0, 20000))
    return {
        "id": f"c-{1000 + number}",
        "tier": chance.choice(["deckhand", "deckhand", "mate", "captain"]),
        "customer_since": (OPENED - timedelta(days=chance.randint(10, 900))).date().isoformat(),
        "name": f"{given} {family}",
        "email": f"{given}.{family}@mail.example".lower(),
        "phone": f"+44 1632 960{chance.randint(0, 999):03d}",
        "date_of_birth": born.date().isoformat(),
        "addresses": [
            {
                "street": f"{chance.choice(STREETS)} {chance.randint(1, 99)}",
                "city": chance.choice(["Grimsvik", "Oosthaven", "Saltby", "Klarsund"]),
                "postal_code": f"{chance.randint(1000, 9999)}",
                "country": country,
            }
        ],
        "lifetime_value": round(chance.uniform(20, 4000), 2),
        "notes": chance.choice([[], ["Pays late."], ["Asks for the blue rope."]]),
        "bank_account": {
            "holder": f"{given} {family}",
            "iban": f"{country}00HARB{chance.randint(10**11, 10**12 - 1)}",
        },
    }


def money(amount):
    return {"amount": f"{amount:.2f}", "currency": "EUR"}


def match(rows, **wanted):
    wanted = {member: value for member, value in wanted.items() if value is not None}
    return [row for row in rows if all(row[member] == value for member, value in wanted.items())]


def found(rows, wanted):
    for row in rows:
        if row["id"] == wanted:
            return 200, row
    return 404, {"title": "no such thing", "status": 404, "detail": "nothing has this id"}


OPENED = datetime(2026, 3, 1, 8, tzinfo=timezone.utc)

ORDERINGS = {
    "placed_at": lambda order: order["placed_at"],
    "total": lambda order: float(order["total"]["amount"]),
}

OPERATIONS = [
    ("GET", "/v1/status", "readStatus"),
    ("GET", "/v1/products", "listProducts"),
    ("GET", "/v1/orders", "listOrders"),
    ("POST", "/v1/orders", "placeOrder"),
    ("GET", "/v1/orders/([^/]+)", "readOrder"),
    ("PATCH", "/v1/orders/([^/]+)", "changeOrder"),
    ("POST", "/v1/orders/([^/]+)/cancellation", "cancelOrder"),
    ("GET", "/v1/customers", "searchCustomers"),
    ("GET", "/v1/customers/([^/]+)", "readCustomer"),
    ("GET", "/v1/customers/([^/]+)/orders", "listOrdersOfCustomer"),
    ("GET", "/v1/payments", "listPayments"),
    ("GET", "/v1/payments/([^/]+)", "readPayment"),
    ("POST", "/v1/payments/([^/]+)/refunds", "refundPayment"),
    ("GET", "/v1/admin/export", "exportEverything"),
]

TITLES = [
    ("Mooring rope, 20 m", "rope"),
    ("Blue rope, 10 m", "rope"),
    ("Heaving line", "rope"),
    ("Storm lantern", "lamps"),
    ("Deck lamp", "lamps"),
    ("Masthead light", "lamps"),
    ("Marlinspike", "tools"),
    ("Caulking iron", "tools"),
    ("Shackle key", "tools"),
    ("Bilge pump", "tools"),
    ("Oilskin coat", "clothing"),
    ("Wool cap", "clothing"),
    ("Sea boots", "clothing"),
]
GIVEN = ["Ada", "Bram", "Zoë", "Søren", "Mira", "Jonas", "Elif", "Tomas", "Ingrid", "Noor", "Owen", "Pia"]
FAMILY = ["Vos", "Lindqvist", "Hale", "Dijkstra", "Åberg", "Marsh", "Kaya", "Brandt", "Nilsen", "Quay"]
STREETS = ["Lock Lane", "Tar Street", "Kaistraße", "Pilot Steps", "Nets Alley"]

SHOP = Shop(seed=1871)


def main():
    arguments = argparse.ArgumentParser(description="The demo's API, without a gateway.")
    arguments.add_argument("--address", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--port-file")
    given = arguments.parse_args()
    server = Server((given.address, given.port), Handler)
    if given.port_file:
        # Under its final name only once it is whole: readers wait for the name.
        with open(given.port_file + ".part", "w", encoding="ascii") as file:
            file.write(str(server.server_port))
        os.replace(given.port_file + ".part", given.port_file)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
