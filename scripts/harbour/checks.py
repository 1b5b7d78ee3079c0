"""What can be wrong with an answer. Each check says it in words, or returns nothing."""


def without_error(challenge):
    if not challenge.startswith("Bearer"):
        return "the answer must carry a `Bearer` challenge"
    return "the challenge must not name an error" if "error" in challenge else None


def shows(document, member, expected):
    found = document.get(member)
    return None if found == expected else f"`{member}` should be {expected!r}, not {found!r}"


def masked_but_four(text):
    good = len(text) > 8 and set(text[:-4]) == {"*"} and "*" not in text[-4:]
    return None if good else f"only the last four characters of {text!r} may show"


def mentions(answer, header, *words):
    found = answer.headers.get(header)
    if found is None:
        return f"the answer lacks `{header}`"
    missing = [word for word in words if word not in found]
    return f"`{header}` must name {', '.join(missing)}: {found}" if missing else None
