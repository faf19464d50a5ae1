"""Builds the gRPC server: services, health, reflection, and errors turned into statuses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from bulkhead.matcher.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    admin_service_pb2,
    admin_service_pb2_grpc,
    market_data_service_pb2,
    market_data_service_pb2_grpc,
    oracle_service_pb2,
    oracle_service_pb2_grpc,
    settlement_feed_service_pb2,
    settlement_feed_service_pb2_grpc,
    trading_service_pb2,
    trading_service_pb2_grpc,
)
from matcher.errors import BulkheadError, ConfigError, ListenError
from matcher.oracle import Aggregator
from matcher.rpc.account_service import AccountService
from matcher.rpc.admin_service import AdminService
from matcher.rpc.market_data_service import MarketDataService
from matcher.rpc.oracle_service import OracleService
from matcher.rpc.settlement_feed_service import SettlementFeedService
from matcher.rpc.status import call_error_from, status_of
from matcher.rpc.trading_service import TradingService

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from matcher.config import MatcherConfig, TLSTable
    from matcher.rpc.gateway import Gateway

STOP_GRACE_S: Final = 1.0
_PROTOS: Final = (
    account_service_pb2,
    admin_service_pb2,
    market_data_service_pb2,
    oracle_service_pb2,
    settlement_feed_service_pb2,
    trading_service_pb2,
)

_log = structlog.get_logger(__name__)


class Server:
    """The listening side. `bind` first, `start` when the venue is ready, `stop` at the end."""

    def __init__(self, config: MatcherConfig) -> None:
        """Create the server; nothing listens yet."""
        self._config = config
        limits = config.limits
        self._server = grpc.aio.server(
            interceptors=[_StatusInterceptor()],
            maximum_concurrent_rpcs=limits.concurrent_rpcs_max,
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", limits.message_bytes_max),
                ("grpc.keepalive_time_ms", 20_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
            ],
        )
        self._health = HealthServicer()

    def bind(self) -> int:
        """Take the configured port and return its number.

        Raises:
            ListenError: The port is in use, or the address is not this host's.
            ConfigError: The certificate cannot be read.
        """
        listen, tls = self._config.listen, self._config.tls
        try:
            if tls is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, _credentials(tls))
        except RuntimeError as exc:
            text = f"{listen}: cannot listen: the port is in use or the address is not this host's"
            raise ListenError(f"{text}; end the other process or change `listen`") from exc
        return int(port)

    async def start(self, gateway: Gateway) -> None:
        """Serve."""
        config, server = self._config, self._server
        trading_service_pb2_grpc.add_TradingServiceServicer_to_server(
            TradingService(gateway), server
        )
        account_service_pb2_grpc.add_AccountServiceServicer_to_server(
            AccountService(gateway), server
        )
        market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server(
            MarketDataService(gateway), server
        )
        signers = [bytes.fromhex(address[2:]) for address in config.oracle_signers]
        oracle_service_pb2_grpc.add_OracleServiceServicer_to_server(
            OracleService(gateway, signers, Aggregator(config.oracle)), server
        )
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(
            AdminService(gateway, config.admin_token), server
        )
        settlement_feed_service_pb2_grpc.add_SettlementFeedServiceServicer_to_server(
            SettlementFeedService(gateway, config.attestor_token), server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [
            service.full_name
            for proto in _PROTOS
            for service in proto.DESCRIPTOR.services_by_name.values()
        ]
        if config.reflection:
            reflection.enable_server_reflection(
                [
                    *names,
                    health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
                    reflection.SERVICE_NAME,
                ],
                server,
            )
        await server.start()
        for name in ["", *names]:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, *, is_at_once: bool = False) -> None:
        """Take no more calls; give those that run `STOP_GRACE_S`, or nothing, then end them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(None if is_at_once else STOP_GRACE_S)


def _credentials(tls: TLSTable) -> grpc.ServerCredentials:
    def read(path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as exc:
            raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc

    client_ca = read(tls.client_ca_file) if tls.client_ca_file is not None else None
    return grpc.ssl_server_credentials(
        [(read(tls.key_file), read(tls.certificate_file))],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )


class _StatusInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Turns the shell's errors into rich statuses, for every call of every service."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Wrap the handler's function, whatever its shape."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith("/bulkhead."):
            return handler
        for shape, make in (
            ("unary_unary", grpc.unary_unary_rpc_method_handler),
            ("unary_stream", grpc.unary_stream_rpc_method_handler),
            ("stream_stream", grpc.stream_stream_rpc_method_handler),
        ):
            function = getattr(handler, shape)
            if function is not None:
                return make(
                    _guarded(function, handler_call_details.method),
                    request_deserializer=handler.request_deserializer,
                    response_serializer=handler.response_serializer,
                )
        return handler


def _guarded(
    function: Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]], method: str
) -> Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]:
    async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: ANN401
        try:
            return await function(request, context)
        except BulkheadError as exc:
            error = call_error_from(exc)
            _log.info("call failed", method=method, reason=error.reason, error=str(error))
            await context.abort_with_status(status_of(error))

    return call
