"""Copies of a request: a curl command, a program, and a test that first makes the earlier changes to the order."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from textwrap import indent
from urllib.parse import quote

from norce_order_async.sandbox.inspector.calls import GIVES_ID, NoCallError, call, literal
from norce_order_async.sandbox.inspector.traffic import Exchange, Traffic
from norce_order_async.sandbox.readings import Readings
from norce_order_async.sandbox.records import ReceivedRequest

TOKEN = "NORCE_TOKEN"  # noqa: S105 - the name of a variable
"""The variable that copies take the token from, so that no copy holds a token."""

_BY_CLIENTS = frozenset(
    {"accept-encoding", "authorization", "connection", "content-length", "cookie", "host", "transfer-encoding"}
)
"""Headers that every client sets by itself."""

_IN_PATHS = ":@!$&'()*+,;=~"
"""Characters of a path that are not percent-encoded."""

_DOTS = {".": "%2e", "..": "%2e%2e"}

_MERCHANT, _CHANNEL = "acme", "se"
"""The merchant and channel of the fixture ``norce_client``."""


def curl(exchange: Exchange, origin: str) -> str:
    """A curl command that sends the request again."""
    request = exchange.request
    # Otherwise curl resolves "." and ".." in the path.
    start = "curl --path-as-is" if "/." in request.path else "curl"
    lines = [f"{start} -X {shlex.quote(request.method)} {shlex.quote(_url(request, origin))}"]
    lines.append(f'-H "Authorization: Bearer ${TOKEN}"')
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in _headers(request).items()]
    before = ""
    if request.body:
        text = _text(request.body)
        if text is not None:
            lines.append(f"--data-raw {shlex.quote(text)}")
        else:
            before = f"printf %s {base64.b64encode(request.body).decode()} | base64 -d | "
            lines.append("--data-binary @-")
    return before + " \\\n  ".join(lines)


def program(exchange: Exchange, origin: str) -> str:
    """A program that sends the request again, with the client or, if the client has no such call, with httpx."""
    request = exchange.request
    try:
        line = _line(request, {})
    except NoCallError:
        return _plain_program(request, origin)
    client = [
        f"base_url={literal(origin + '/checkout/order')},",
        f"token=os.environ[{literal(TOKEN)}],",
        *(f"{name}={literal(value)}," for name, value in _context(request).items()),
    ]
    body = [*_handle(request, "norce"), line]
    return f"""\
import asyncio
import os
{_imports(line)}

async def main() -> None:
    async with NorceOrderClient(
{indent(chr(10).join(client), " " * 8)}
    ) as norce:
{indent(chr(10).join(body), " " * 8)}


asyncio.run(main())
"""


def test(exchange: Exchange, traffic: Traffic, readings: Readings) -> str | None:
    """A test that makes the earlier changes to the order, sends the request, and asserts the same status.

    None if the client has no call for one of the requests.
    """
    request = exchange.request
    steps, names, known = _before(exchange, traffic)
    try:
        line = _line(request, names)
        lines = [_line(step.request, names, _named(step, names)) for step in steps]
    except NoCallError:
        return None
    if not known and request.status == 404:
        lines = [*_handle(request, "norce"), *lines]
    elif not known:
        lines = [
            "# The order is older than the requests that are kept. Download a snapshot and put it beside this test.",
            'norce_sandbox.restore(Path(__file__).with_name("sandbox.sqlite").read_bytes())',
            *_handle(request, "norce"),
            *lines,
        ]
    if request.faults:
        lines.append(f"# A fault was played: {', '.join(request.faults)}. norce_faults.play() plays one.")
    if request.status is not None and request.status >= 400:
        line = f"with pytest.raises(CallError):\n{indent(line, '    ')}"
    lines.append(line)
    if request.status is not None:
        lines.append(f"*_, request = norce_sandbox.requests.of({literal(request.operation)})")
        lines.append(f"assert request.status == {request.status}")
    body = "\n".join(lines).replace("norce.orders", "norce_client.orders")
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", request.operation or "").lower()
    return f"""\
{_test_imports(body)}
{_fixtures(request, readings)}
async def test_{name}(norce_sandbox, norce_client):
{indent(body, "    ")}
"""


def _before(exchange: Exchange, traffic: Traffic) -> tuple[list[Exchange], dict[str, str], bool]:
    """The earlier changes to the order, variables for the ids in their answers, and whether its creation is one."""
    order_id = order_of(exchange.request.path)
    if order_id is None:
        return [], {}, True
    steps: list[Exchange] = []
    names: dict[str, str] = {}
    for one in traffic.oldest():
        if one.number >= exchange.number:
            break
        request = one.request
        if request.method == "GET" or request.operation == "Validate" or one.answer is None:
            continue
        made = _id_in(one)
        is_its_creation = request.operation == "CreateCheckoutOrder" and made == order_id
        if (is_its_creation or order_of(request.path) == order_id) and one.answer.status < 300:
            steps.append(one)
            kind = GIVES_ID.get(request.operation or "")
            if kind is not None and made is not None:
                number = sum(name.startswith(kind) for name in names.values()) + 1
                names[made] = kind if kind == "order" else f"{kind}_{number}"
    return steps, names, order_id in names


def _id_in(exchange: Exchange) -> str | None:
    if exchange.request.operation not in GIVES_ID or exchange.answer is None:
        return None
    try:
        match json.loads(exchange.answer.body):
            case {"id": str(made)} | str(made):
                return made
            case _:
                return None
    except ValueError:
        return None


def _named(step: Exchange, names: Mapping[str, str]) -> str:
    made = _id_in(step)
    return f"{names[made]} = " if made is not None and made in names else ""


def _line(request: ReceivedRequest, names: Mapping[str, str], assigned: str = "") -> str:
    said = call(request.operation, request.path, request.query, request.body, names)
    return f"{assigned}await {said}"


def _handle(request: ReceivedRequest, client: str) -> Iterator[str]:
    order_id = order_of(request.path)
    if order_id is not None:
        yield f"order = {client}.orders({literal(order_id)})"


def _imports(line: str) -> str:
    names = ["NorceOrderClient", *(["OrderFilter"] if "OrderFilter(" in line else [])]
    dates = "from datetime import datetime\n" if "datetime." in line else ""
    return f"{dates}\nfrom norce_order_async import {', '.join(names)}\n"


def _test_imports(body: str) -> str:
    ours = [name for name, sign in (("CallError", "(CallError)"), ("OrderFilter", "OrderFilter(")) if sign in body]
    lines = [
        *(["from datetime import datetime"] if "datetime." in body else []),
        *(["from pathlib import Path"] if "Path(" in body else []),
        "import pytest",
        *([f"from norce_order_async import {', '.join(ours)}"] if ours else []),
    ]
    return "\n".join(lines) + "\n"


def _fixtures(request: ReceivedRequest, readings: Readings) -> str:
    """The fixtures that set readings, merchant and channel as in this sandbox."""
    context = _context(request)
    changed = {one.rule: one.id for one in readings.changed}
    fixtures: list[tuple[str, object]] = []
    if changed:
        fixtures.append(("norce_sandbox_options", {"readings": changed}))
    if context != {"merchant": _MERCHANT, "channel": _CHANNEL}:
        fixtures.append(("norce_client_options", context))
    return "".join(f"\n@pytest.fixture\ndef {name}():\n    return {literal(value, 1)}\n\n" for name, value in fixtures)


def _context(request: ReceivedRequest) -> dict[str, str]:
    headers = {"merchant": "x-merchant", "channel": "x-channel", "adapter_id": "x-adapterid"}
    return {name: request.headers[header] for name, header in headers.items() if header in request.headers}


def _plain_program(request: ReceivedRequest, origin: str) -> str:
    headers = [f"{literal(name)}: {literal(value)}," for name, value in _headers(request).items()]
    content = f"    content={request.body!r},\n" if request.body else ""
    return f"""\
import os

import httpx

answer = httpx.request(
    {literal(request.method)},
    {literal(_url(request, origin))},
    headers={{
        "authorization": "Bearer " + os.environ[{literal(TOKEN)}],
{indent(chr(10).join(headers), " " * 8)}
    }},
{content})
print(answer.status_code, answer.text)
"""


def _headers(request: ReceivedRequest) -> Mapping[str, str]:
    return {name: value for name, value in request.headers.items() if name not in _BY_CLIENTS}


def _url(request: ReceivedRequest, origin: str) -> str:
    query = f"?{request.query}" if request.query else ""
    steps = (quote(step, safe=_IN_PATHS) for step in request.path.split("/"))
    # "." and ".." have a meaning in an address unless they are percent-encoded.
    return f"{origin}{'/'.join(_DOTS.get(step, step) for step in steps)}{query}"


def _text(body: bytes) -> str | None:
    """The body as text; None if it has characters that can't be seen and copied."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if all(line.isprintable() for line in text.split("\n")) else None


def order_of(path: str) -> str | None:
    """The id of the order in a path; None if there is none."""
    _, found, rest = path.partition("/checkout/orders/")
    return rest.split("/")[0] or None if found else None
