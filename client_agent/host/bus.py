"""The system's D-Bus: calls, properties and signals with checked answers.

The only module that imports pydbus and GLib, and only when a bus is wanted. Signals are
received by one thread, which hands them on and runs no code of who asked for them.
"""

import importlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec

from client_agent.host.errors import FeatureAbsent, HostError

log = logging.getLogger(__name__)

T = TypeVar("T")

TIMEOUT_SECONDS = 10.0

_PROPERTIES = "org.freedesktop.DBus.Properties"
_ERRORS = "org.freedesktop.DBus.Error."
_ABSENT = frozenset(
    {
        "ServiceUnknown",
        "NameHasNoOwner",
        "UnknownInterface",
        "UnknownMethod",
        "UnknownObject",
        "UnknownProperty",
        "Spawn.ServiceNotFound",
        "Spawn.ExecFailed",
        "Spawn.ChildExited",
        "Spawn.Failed",
    }
)
_NOT_STARTED = "org.freedesktop.systemd1."
"""What systemd answers for a service that is masked or has no unit."""

_LATE = frozenset({"NoReply", "Timeout", "TimedOut"})


class BusError(HostError):
    """A call failed: ``bus-timeout``, ``bus-lost``, ``bus-denied``, ``bus-failed`` or
    ``bus-answer-unexpected``; the detail says from whom."""


@dataclass(frozen=True)
class BusSignal:
    """One signal as it arrived; `arguments` are plain Python values."""

    path: str
    interface: str
    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Subscription:
    service: str
    interface: str
    signal: str
    path: str | None
    deliver: Callable[[BusSignal], None]


class Bus:
    """One connection to a message bus, made when it is first needed.

    `address` names another bus than the system's. A connection that was lost is made
    anew by the next call, with its subscriptions; signals in between are lost. Safe to
    use from several threads.

    Every method raises FeatureAbsent: ``bus-library-absent``, ``bus-absent`` or, with
    its name as detail, ``service-absent``.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._pydbus: Any = None
        self._thread: _SignalThread | None = None
        self._subscriptions: list[_Subscription] = []

    def call(
        self,
        service: str,
        path: str,
        interface: str,
        method: str,
        arguments: tuple[Any, ...] = (),
        *,
        signature: str = "()",
        answer: type[T],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> T:
        """Call a method; its out arguments, as a tuple, checked to be an `answer`.

        `signature` is the D-Bus type of `arguments`, in parentheses.

        Raises:
            BusError: the call failed, or the answer is of another shape.
        """
        gio, glib = _library("Gio"), _library("GLib")
        connection = self._connection().con
        try:
            reply = connection.call_sync(
                service,
                path,
                interface,
                method,
                glib.Variant(signature, arguments),
                None,
                gio.DBusCallFlags.NONE,
                round(timeout_seconds * 1000),
                None,
            )
        except glib.Error as error:
            raise _error_of(error, service) from error
        return _checked(reply.unpack(), answer)

    def get_property(
        self, service: str, path: str, interface: str, name: str, *, answer: type[T]
    ) -> T:
        """Value of one property, checked to be an `answer`; errors as in `call`."""
        value = self.call(
            service,
            path,
            _PROPERTIES,
            "Get",
            (interface, name),
            signature="(ss)",
            answer=tuple[Any],
        )
        return _checked(value[0], answer)

    def get_properties(
        self, service: str, path: str, interface: str, *, answer: type[T]
    ) -> T:
        """All properties, by name, as an `answer`; errors as in `call`."""
        value = self.call(
            service,
            path,
            _PROPERTIES,
            "GetAll",
            (interface,),
            signature="(s)",
            answer=tuple[dict[str, Any]],
        )
        return _checked(value[0], answer)

    def variant(self, signature: str, value: object) -> object:
        """`value` as an argument of D-Bus type ``v``."""
        return _library("GLib").Variant(signature, value)

    def subscribe(
        self,
        service: str,
        interface: str,
        signal: str,
        deliver: Callable[[BusSignal], None],
        *,
        path: str | None = None,
    ) -> None:
        """Have each such signal given to `deliver`, in the receiving thread.

        `deliver` only hands over: ``queue.SimpleQueue().put``, or a function that
        calls ``loop.call_soon_threadsafe``.
        """
        subscription = _Subscription(service, interface, signal, path, deliver)
        self._connection()
        with self._lock:
            self._subscriptions.append(subscription)
            self._listen(subscription)

    def close(self) -> None:
        """End the connection and its thread; the next call makes new ones."""
        with self._lock:
            pydbus, self._pydbus = self._pydbus, None
            thread, self._thread = self._thread, None
            self._subscriptions.clear()
        if pydbus is not None and not pydbus.con.is_closed():
            pydbus.con.close_sync(None)
        if thread is not None:
            thread.stop()

    def _connection(self) -> Any:
        with self._lock:
            if self._pydbus is None or self._pydbus.con.is_closed():
                self._pydbus = _connect(self._address)
                for subscription in self._subscriptions:
                    self._listen(subscription)
            return self._pydbus

    def _listen(self, subscription: _Subscription) -> None:
        if self._thread is None:
            self._thread = _SignalThread()
        self._thread.run(
            partial(
                self._pydbus.subscribe,
                sender=subscription.service,
                iface=subscription.interface,
                signal=subscription.signal,
                object=subscription.path,
                signal_fired=partial(_fire, subscription.deliver),
            )
        )


class _SignalThread:
    """GLib delivers signals to the main context in which they were subscribed to."""

    def __init__(self) -> None:
        self._glib = _library("GLib")
        self._context = self._glib.MainContext.new()
        self._loop = self._glib.MainLoop.new(self._context, False)
        self._thread = threading.Thread(
            target=self._receive, name="bus-signals", daemon=True
        )
        self._thread.start()

    def run(self, action: Callable[[], object]) -> None:
        """Run `action` in the thread and wait for its end."""
        done: Future[None] = Future()

        def act(_data: object = None) -> bool:
            try:
                action()
            except Exception as error:  # noqa: BLE001 - raised where it is awaited
                done.set_exception(error)
            else:
                done.set_result(None)
            return False

        source = self._glib.idle_source_new()
        source.set_callback(act)
        source.attach(self._context)
        done.result(timeout=TIMEOUT_SECONDS)

    def stop(self) -> None:
        self.run(self._loop.quit)
        self._thread.join(TIMEOUT_SECONDS)

    def _receive(self) -> None:
        self._context.push_thread_default()
        try:
            self._loop.run()
        finally:
            self._context.pop_thread_default()


def _fire(
    deliver: Callable[[BusSignal], None],
    _sender: str,
    path: str,
    interface: str,
    name: str,
    arguments: tuple[Any, ...],
) -> None:
    try:
        deliver(BusSignal(path, interface, name, tuple(arguments)))
    except Exception:
        log.exception("signal %s of %s could not be delivered", name, interface)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(f"gi.repository.{name}")
    except ImportError as error:
        raise FeatureAbsent("bus-library-absent", str(error)) from error


def _connect(address: str | None) -> Any:
    gio, glib = _library("Gio"), _library("GLib")
    try:
        pydbus = importlib.import_module("pydbus")
    except ImportError as error:
        raise FeatureAbsent("bus-library-absent", str(error)) from error
    try:
        if address is None:
            address = gio.dbus_address_get_for_bus_sync(gio.BusType.SYSTEM, None)
        bus = pydbus.connect(address)
    except glib.Error as error:
        raise FeatureAbsent("bus-absent", error.message) from error
    bus.con.set_exit_on_close(False)  # a restarted bus must not end the agent
    return bus


def _checked(value: object, answer: type[T]) -> T:
    try:
        return msgspec.convert(value, type=answer)
    except msgspec.ValidationError as error:
        raise BusError("bus-answer-unexpected", str(error)) from error


def _error_of(error: Any, service: str) -> HostError:
    gio = _library("Gio")
    name = gio.DBusError.get_remote_error(error) or ""
    short = name[len(_ERRORS) :] if name.startswith(_ERRORS) else ""
    if short in _ABSENT or name.startswith(_NOT_STARTED):
        return FeatureAbsent("service-absent", service)
    if short in _LATE or _is_io_error(error, gio.IOErrorEnum.TIMED_OUT):
        return BusError("bus-timeout", service)
    if _is_io_error(error, gio.IOErrorEnum.CLOSED):
        return BusError("bus-lost", service)
    if short in ("AccessDenied", "InteractiveAuthorizationRequired"):
        return BusError("bus-denied", f"{name} from {service}")
    return BusError("bus-failed", f"{name or 'local'} from {service}")


def _is_io_error(error: Any, kind: Any) -> bool:
    is_it: bool = error.matches(_library("Gio").io_error_quark(), kind)
    return is_it
