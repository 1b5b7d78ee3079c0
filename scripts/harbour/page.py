"""How the tour looks in a terminal: colours there, plain text everywhere else."""

import json
import os
import sys
import textwrap


class Page:
    """Prints to one stream, in colour when it is a terminal and NO_COLOR is unset."""

    def __init__(self, stream=sys.stdout):
        self.stream = stream
        self.coloured = stream.isatty() and "NO_COLOR" not in os.environ

    def title(self, title, why):
        rule = "─" * max(3, WIDTH - len(title) - 4)
        self.line()
        self.line(self.paint(f"── {title} {rule}", "1;36"))
        for part in textwrap.wrap(why, WIDTH):
            self.line(part)
        self.line()

    def request(self, command, token):
        self.line(f"  {self.paint('$', '2')} {self.paint(command, '1')}")
        if token:
            bearer = f"token of {token['subject']} through {token['client']}: {token['scope']}"
            self.note(bearer)

    def answer(self, answer):
        colour = "32" if answer.status < 400 else "33"
        self.line(f"  {self.paint(f'{answer.status} {answer.reason}', '1;' + colour)}")
        for name in SHOWN_HEADERS:
            if name in answer.headers:
                self.line(f"  {self.paint(name + ':', '2')} {answer.headers[name]}")
        if answer.json is not None:
            self.document(answer.json)

    def explanation(self, text):
        self.line()
        for part in text.rstrip().splitlines():
            self.line(f"  {self.paint('│', '35')} {part}")

    def record(self, line):
        self.line()
        self.line("  The audit record of this exchange, as it stands in the access log:")
        self.document(json.loads(line), longest=200)

    def note(self, text):
        self.line(f"  {self.paint('# ' + text, '2')}")

    def good(self, text):
        self.line(self.paint(text, "1;32"))

    def bad(self, text):
        self.line(self.paint(f"  ✗ {text}", "1;31"))

    def document(self, document, longest=None):
        lines = laid_out(document)
        shown = lines[: longest or LONGEST_BODY]
        for part in shown:
            self.line(f"  {part}")
        if len(lines) > len(shown):
            self.line(self.paint(f"  … {len(lines) - len(shown)} more lines", "2"))

    def line(self, text=""):
        print(text, file=self.stream, flush=True)

    def paint(self, text, colour):
        return f"\x1b[{colour}m{text}\x1b[0m" if self.coloured else text


def laid_out(value, indent="", label=""):
    """A document as lines: what fits on one line stays on one line."""
    whole = indent + label + json.dumps(value, ensure_ascii=False)
    if len(whole) <= WIDTH - 4 or not isinstance(value, (dict, list)):
        return [whole]
    if isinstance(value, dict):
        opening, closing = "{}"
        parts = [laid_out(inner, indent + "  ", f"{json.dumps(name)}: ") for name, inner in value.items()]
    else:
        opening, closing = "[]"
        parts = [laid_out(inner, indent + "  ") for inner in value]
    for part in parts[:-1]:
        part[-1] += ","
    return [indent + label + opening, *(line for part in parts for line in part), indent + closing]


WIDTH = 100
LONGEST_BODY = 22
SHOWN_HEADERS = ("www-authenticate", "allow", "retry-after", "ratelimit", "ratelimit-policy", "content-type")
