"""An ERP for one machine: it has a fixed stock, gives every buyer the same credit, and numbers orders."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


class FakeErp(ThreadingHTTPServer):
    """At ``http://127.0.0.1:{server_port}``."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sold_out: set[str] = set()
        self.limit = 1000.0
        self.orders: dict[str, str] = {}
        self.is_down = 0

    def answer(self, path: str, data: Any) -> tuple[int, Any]:
        """Status and body of an answer."""
        if self.is_down:
            self.is_down -= 1
            return 503, {}
        if path == "/stock":
            return 200, {"missing": sorted(self.sold_out & data.keys())}
        if path == "/credit":
            return 200, {"limit": self.limit}
        return 200, {"number": self.orders.setdefault(data["key"], f"erp-{len(self.orders) + 1}")}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        data = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, body = cast("FakeErp", self.server).answer(self.path, data)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


if __name__ == "__main__":
    FakeErp(8701).serve_forever()
