"""A JSON-RPC 2.0 server over HTTP for an in-process node."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from settlement.chain.tester import ERROR_INTERNAL, RpcError, TesterNode
from settlement.errors import SettlementError

REQUEST_BYTES_MAX: Final = 4 << 20
ERROR_PARSE: Final = -32700
ERROR_REQUEST: Final = -32600


class RpcServer:
    """Serves a node in threads of its own until `stop`."""

    def __init__(self, node: TesterNode, *, host: str, port: int) -> None:
        """Listen. Raises `SettlementError` when the port is in use."""
        handler = type("Handler", (_Handler,), {"node": node})
        try:
            self._server = _Server((host, port), handler)
        except OSError as exc:
            raise SettlementError(
                f"chain: cannot listen on {host}:{port}: {exc.strerror or exc}; "
                "end the other process or choose another --port"
            ) from exc
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return int(self._server.server_address[1])

    def expect_alive(self) -> None:
        """Do nothing: the server lives as long as this process."""

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered: headers and body leave in one segment
    node: TesterNode

    def do_POST(self) -> None:
        """Answer one request or a batch of them."""
        length = int(self.headers.get("Content-Length", 0))
        if length > REQUEST_BYTES_MAX:
            self.send_error(413)
            return
        try:
            request = json.loads(self.rfile.read(length))
        except ValueError:
            self._reply(_failure(None, ERROR_PARSE, "not JSON"))
            return
        if isinstance(request, list):
            self._reply([self._answer(one) for one in request])
        else:
            self._reply(self._answer(request))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent: the chain is not a web site."""

    def _answer(self, request: object) -> dict[str, Any]:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failure(None, ERROR_REQUEST, "expected an object with a method")
        request_id = request.get("id")
        try:
            result = self.node.answer(request["method"], list(request.get("params") or []))
        except RpcError as exc:
            return _failure(request_id, exc.code, exc.message, exc.data)
        except Exception as exc:  # noqa: BLE001 - a method's failure is its answer, not the server's
            return _failure(request_id, ERROR_INTERNAL, f"{type(exc).__name__}: {exc}")
        return {"jsonrpc": "2.0", "id": request_id, "result": result}

    def _reply(self, response: object) -> None:
        body = json.dumps(response).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _failure(
    request_id: object, code: int, message: str, data: str | None = None
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": request_id, "error": error}
