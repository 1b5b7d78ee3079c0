"""HTTP as the demo speaks it: one request, one answer, on a connection that stays open."""

import http.client
import json
import ssl
from http import HTTPStatus


class Answer:
    """What came back."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def reason(self):
        return HTTPStatus(self.status).phrase

    @property
    def request_id(self):
        return self.headers.get("x-request-id", "")

    @property
    def json(self):
        """The body as a document; nothing when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Client:
    """A connection to one listener, with TLS when it gets the certificate to trust."""

    def __init__(self, port, host="127.0.0.1", trust=None):
        self.origin = f"{'https' if trust else 'http'}://{'localhost' if trust else host}:{port}"
        if trust:
            context = ssl.create_default_context(cafile=str(trust))
            self.connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
        else:
            self.connection = http.client.HTTPConnection(host, port, timeout=20)

    def ask(self, method, target, token=None, headers=None, body=None):
        """Sends one request. `target` goes out as it is: nothing here mends a path."""
        headers = dict(headers or {})
        if token:
            headers["authorization"] = f"Bearer {token}"
        if body is not None:
            headers.setdefault("content-type", "application/json")
            body = json.dumps(body).encode()
        self.connection.request(method, target, body=body, headers=headers)
        response = self.connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def hold(self, method, target, token, headers=None, body=None):
        """Sends one request but for its body, on a connection of its own, and returns what ends it."""
        sent = json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.connection.host, self.connection.port, timeout=20)
        connection.putrequest(method, target)
        fields = {"content-type": "application/json", **(headers or {}), "content-length": str(len(sent))}
        if token:
            fields["authorization"] = f"Bearer {token}"
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders()

        def end():
            connection.send(sent)
            connection.getresponse().read()
            connection.close()

        return end

    def tls_version(self):
        """The version that was agreed on, such as `TLSv1.3`."""
        self.connection.connect()
        return self.connection.sock.version()

    def close(self):
        self.connection.close()
