"""The gRPC door: batches in, decisions out. Payloads are passed on as bytes, never parsed into objects here."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, NoReturn, Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from phusong.collector.admission.doorkeeper import (
    REVOKED,
    Denial,
    Doorkeeper,
    Guest,
    denial_text,
)
from phusong.collector.admission.listener import log_opened
from phusong.collector.admission.tls import Demand, Tls
from phusong.collector.decisions import DecisionBoard, DecisionsForgotten
from phusong.collector.intake import NO_ROOM_RETRY_MS, RETRY_MS, Intake, Overloaded
from phusong.collector.journal.writer import JournalFailed
from phusong.collector.reservation_desk import EXPECTED, ReservationDesk, is_sound
from phusong.collector.routes import TooManyRoutes
from phusong.collector.rpc.calls import (
    authority,
    may_reserve,
    parsed,
    retry_metadata,
    route_of_payload,
    shown,
    token_in,
    traceparents_in,
)
from phusong.collector.rpc.limits import (
    ALL_CALLS_COUNT_MAX,
    HEALTH_CHECK,
    HEALTH_WATCH,
    OPTIONS,
    QUESTION_COUNT_MAX,
    REFLECTION_START,
    STREAM_IN_FLIGHT_MAX,
)
from phusong.collector.rpc.names import (
    ENFORCEMENT,
    GRACE_S,
    GUARDED,
    INGEST,
    NOT_YOUR_SOURCE,
    NOT_YOURS,
    RESERVATIONS,
)
from phusong.collector.traces import mark, read_traceparent
from phusong.kernels.frame import Transport
from phusong.kernels.reject import Reject
from phusong.kernels.route_names import is_slug
from phusong.v1.enforcement_pb2 import AcknowledgeRequest, AcknowledgeResponse, WatchRequest
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.reservation_pb2 import ReserveAnswer, ReserveRequest

DOOR = "grpc"

Context = Any  # grpc.aio.ServicerContext, which ships no types


class GrpcServer:
    """Listens while its context is entered."""

    def __init__(
        self,
        intake: Intake,
        board: DecisionBoard,
        doorkeeper: Doorkeeper,
        host: str,
        port: int,
        *,
        tls: Tls | None = None,
        desk: ReservationDesk,
    ) -> None:
        """Port 0 takes any free port; `port` says which afterwards."""
        self.host = host
        self.port = port
        self._intake = intake
        self._board = board
        self._doorkeeper = doorkeeper
        self._tls = tls
        self._desk = desk
        self._is_stopping = False
        self._watches: set[asyncio.Event] = set()  # each ends one
        self._tasks: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        may_show_certificate = self._tls is not None and self._tls.demand("grpc") is not Demand.NONE
        hello_timeout_ms = int(self._doorkeeper.limits.hello_timeout_s * 1000)
        gate = _Gate(self._doorkeeper, may_show_certificate=may_show_certificate)
        self._server = grpc.aio.server(
            interceptors=(gate,),
            maximum_concurrent_rpcs=ALL_CALLS_COUNT_MAX,
            options=(*OPTIONS, ("grpc.server_handshake_timeout_ms", hello_timeout_ms)),
        )
        self._server.add_generic_rpc_handlers(tuple(self._services()))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (INGEST, ENFORCEMENT, RESERVATIONS, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        try:
            address = f"{authority(self.host)}:{self.port}"
            if self._tls is None:
                self.port = self._server.add_insecure_port(address)
            else:
                self.port = self._server.add_secure_port(address, _credentials(self._tls))
        except RuntimeError as error:
            raise OSError(f"gRPC cannot listen on {self.host}:{self.port}: {error}") from error
        await self._server.start()
        for name in ("", INGEST, ENFORCEMENT, RESERVATIONS):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._intake.failure.add_done_callback(self._say_unhealthy)
        log_opened("grpc", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take nothing more and answer what was taken."""
        self._intake.failure.remove_done_callback(self._say_unhealthy)
        self._is_stopping = True
        for ended in self._watches:
            ended.set()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(GRACE_S)

    def _services(self) -> Iterator[Any]:
        """Yield what gRPC calls handlers, one a service."""
        unary = grpc.unary_unary_rpc_method_handler
        receipt, answer = Receipt.SerializeToString, ReserveAnswer.SerializeToString
        done = AcknowledgeResponse.SerializeToString
        stream = grpc.stream_stream_rpc_method_handler(
            self._export_stream, response_serializer=receipt
        )
        for service, methods in {
            INGEST: {
                "Export": unary(self._export, response_serializer=receipt),
                "ExportStream": stream,
            },
            ENFORCEMENT: {
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
                "Acknowledge": unary(self._acknowledge, response_serializer=done),
            },
            RESERVATIONS: {"Reserve": unary(self._reserve, response_serializer=answer)},
        }.items():
            yield grpc.method_handlers_generic_handler(service, methods)

    async def _admit(self, context: Context, operator: str | None = None) -> Guest:
        """Return who calls, or end the call; also when it asks for an `operator` that is not its own."""
        guest = self._doorkeeper.admit("grpc", shown(context))
        if isinstance(guest, Denial):
            await _abort(context, grpc.StatusCode.UNAUTHENTICATED, denial_text("grpc", guest))
        if operator is not None and guest.operator not in ("", operator):
            self._doorkeeper.deny("grpc", "other_operator", guest.address)
            await _abort(context, grpc.StatusCode.PERMISSION_DENIED, NOT_YOURS)
        return guest

    async def _spend(self, context: Context, guest: Guest, payload: bytes) -> None:
        """Book a payload on its source's account, or end the call while that is overdrawn."""
        wait_s = self._doorkeeper.spend("grpc", guest, 0, 0)
        if wait_s:
            message = "this source is ahead of its rate (limits.…_per_s_per_source)"
            await _abort_overloaded(context, Overloaded(math.ceil(wait_s * 1000), message))
        self._doorkeeper.spend("grpc", guest, len(payload), 1)

    async def _end_unless(self, is_room: bool, context: Context, guest: Guest) -> None:  # noqa: FBT001 - of this file only
        """End a stream or a watch of a source that has too many."""
        if not is_room:
            denial = Denial.TOO_MANY_OF_SOURCE
            self._doorkeeper.deny("grpc", denial, guest.address)
            await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, denial_text("grpc", denial))

    async def _abort_revoked(self, context: Context, guest: Guest) -> NoReturn:
        self._doorkeeper.deny("grpc", "revoked", guest.address)
        await _abort(context, grpc.StatusCode.UNAUTHENTICATED, REVOKED)

    async def _export(self, payload: bytes, context: Context) -> Receipt:
        guest = await self._admit(context)
        await self._spend(context, guest, payload)
        traces = self._intake.traces
        trace = traces.begin(DOOR, traceparents_in(context.invocation_metadata()))
        try:
            route = route_of_payload(payload, guest.principal)
            return traces.end(trace, await self._intake.submit(route, payload))
        except Overloaded as error:
            traces.fail(trace, str(error))
            await _abort_overloaded(context, error)
        except JournalFailed as error:
            traces.fail(trace, str(error))
            await _abort(context, grpc.StatusCode.UNAVAILABLE, str(error))

    async def _export_stream(
        self, payloads: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[Receipt]:
        guest = await self._admit(context)
        waiting: asyncio.Queue[asyncio.Future[Receipt] | None] = asyncio.Queue(STREAM_IN_FLIGHT_MAX)
        reader = asyncio.create_task(self._read_stream(payloads, guest, waiting))
        try:
            with self._doorkeeper.visit(guest, reader.cancel) as is_room:
                await self._end_unless(is_room, context, guest)
                # Of all of its batches; a stream may last a day, so it is no span.
                trace = read_traceparent(traceparents_in(context.invocation_metadata()))
                while receipt := await waiting.get():
                    yield mark(DOOR, trace, await receipt)
                await asyncio.wait({reader})
            if reader.cancelled():
                await self._abort_revoked(context, guest)
            reader.result()  # raises what ended it
        except TooManyRoutes:
            await _abort_overloaded(context, Overloaded(RETRY_MS))
        except Overloaded as error:
            await _abort_overloaded(context, error)
        except JournalFailed as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, str(error))
        finally:
            reader.cancel()

    async def _read_stream(
        self,
        payloads: AsyncIterator[bytes],
        guest: Guest,
        waiting: "asyncio.Queue[asyncio.Future[Receipt] | None]",
    ) -> None:
        try:
            async for payload in payloads:
                if self._intake.is_short_of_space:
                    raise Overloaded(NO_ROOM_RETRY_MS, str(self._intake.space))
                await self._intake.room()
                route = route_of_payload(payload, guest.principal)
                await waiting.put(self._intake.send(route, payload))
                # Flow control holds back a stream that is ahead of its rate; nothing of it is lost.
                await asyncio.sleep(self._doorkeeper.spend("grpc", guest, len(payload), 1))
        finally:
            await waiting.put(None)

    async def _watch(self, message: bytes, context: Context) -> AsyncIterator[bytes]:
        request = parsed(WatchRequest(), message)
        guest = await self._admit(context, request.operator)
        if not is_slug(request.operator) or request.after_position < 0:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                "operator is 1 to 64 of [a-z0-9._-], after_position 0 or more",
            )
        ended = asyncio.Event()
        self._watches.add(ended)
        try:
            with self._doorkeeper.visit(guest, ended.set) as is_room:
                await self._end_unless(is_room, context, guest)
                async for payload in self._board.watch(
                    request.operator, request.after_position, ended
                ):
                    yield payload
        except DecisionsForgotten as error:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, str(error))
        finally:
            self._watches.discard(ended)
        if not self._is_stopping:
            await self._abort_revoked(context, guest)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the service is stopping")

    async def _acknowledge(self, message: bytes, context: Context) -> AcknowledgeResponse:
        request = parsed(AcknowledgeRequest(), message)
        guest = await self._admit(context, request.operator)
        if not is_slug(request.operator):
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "operator is 1 to 64 of [a-z0-9._-]"
            )
        try:
            count = await self._board.acknowledge(request, Transport.GRPC, guest.principal)
        except Overloaded as error:
            await _abort_overloaded(context, error)
        except JournalFailed as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, str(error))
        return AcknowledgeResponse(acknowledged_count=count)

    async def _reserve(self, message: bytes, context: Context) -> ReserveAnswer:
        request = parsed(ReserveRequest(), message)
        guest = await self._admit(context, request.operator)
        await self._spend(context, guest, message)
        if not is_sound(request):
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, EXPECTED)
        if not may_reserve(request, guest.principal, self._intake.table.register):
            self._doorkeeper.deny("grpc", "other_source", guest.address)
            await _abort(context, grpc.StatusCode.PERMISSION_DENIED, NOT_YOUR_SOURCE)
        try:
            answer = await self._desk.reserve(request, guest.principal)
        except Overloaded as error:
            await _abort_overloaded(context, error)
        except JournalFailed as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, str(error))
        if isinstance(answer, Reject):
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, answer.name)
        return answer

    def _say_unhealthy(self, _: object) -> None:
        for name in ("", INGEST):
            task = asyncio.ensure_future(
                self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


class _Gate(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc.aio ships no types
    """Sends away who cannot come in before a message is waited for: who withholds it would hold a call for ever."""

    def __init__(self, doorkeeper: Doorkeeper, *, may_show_certificate: bool) -> None:
        self._doorkeeper = doorkeeper
        self._may_show_certificate = may_show_certificate
        self._question_count = 0

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        method = details.method
        if method == HEALTH_WATCH:
            words = "ask Check, or GET /-/ready: a watch would hold a call for ever"
            return _refusal(grpc.StatusCode.UNIMPLEMENTED, words)
        if method.startswith(GUARDED):
            denial = self._doorkeeper.suspect(
                token_in(details.invocation_metadata),
                may_show_certificate=self._may_show_certificate,
            )
            if denial is not None:
                self._doorkeeper.deny("grpc", denial, "an address that gRPC does not tell yet")
                return _refusal(grpc.StatusCode.UNAUTHENTICATED, denial_text("grpc", denial))
        handler = await continuation(details)
        if method == HEALTH_CHECK or (handler and method.startswith(REFLECTION_START)):
            return grpc.stream_stream_rpc_method_handler(partial(self._question, handler))
        return handler

    async def _question(
        self, handler: Any, messages: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        """Answer what anybody may ask, within bounds."""
        if self._question_count >= QUESTION_COUNT_MAX:
            words = "too many ask for health or reflection"
            await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, words)
        self._question_count += 1
        requests = (handler.request_deserializer(message) async for message in messages)
        try:
            async with asyncio.timeout(self._doorkeeper.limits.hello_timeout_s):
                if handler.stream_stream is not None:
                    async for answer in handler.stream_stream(requests, context):
                        yield handler.response_serializer(answer)
                    return
                async for request in requests:
                    yield handler.response_serializer(await handler.unary_unary(request, context))
                    return
        except TimeoutError:
            await _abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, "the question did not come")
        finally:
            self._question_count -= 1


def _refusal(code: Any, words: str) -> Any:
    """Return a handler that ends a call of any kind without reading from it."""

    async def refuse(_: AsyncIterator[bytes], context: Context) -> None:
        await _abort(context, code, words)

    return grpc.stream_stream_rpc_method_handler(refuse)


def _credentials(tls: Tls) -> Any:
    """Return gRPC's credentials, which ask at every handshake whether there is another certificate."""
    given = tls.pems

    def configuration() -> Any:
        pair = (tls.pems.key, tls.pems.certificate)
        return grpc.ssl_server_certificate_configuration([pair], tls.pems.client_ca)

    def changed() -> Any:
        nonlocal given
        if given is tls.pems:
            return None
        given = tls.pems
        return configuration()

    is_required = tls.demand("grpc") is Demand.REQUIRED
    return grpc.dynamic_ssl_server_credentials(configuration(), changed, is_required)


async def _abort(context: Context, code: Any, message: str) -> NoReturn:
    await context.abort(code, message)
    raise AssertionError("abort raises")


async def _abort_overloaded(context: Context, overloaded: Overloaded) -> NoReturn:
    """End a call as google.rpc says: not taken, and when to come again."""
    await context.abort(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        str(overloaded),
        trailing_metadata=retry_metadata(str(overloaded), overloaded.retry_ms),
    )
    raise AssertionError("abort raises")
