"""What is measured: one row is one load, and the figures that are read from its results."""

import dataclasses
from typing import Callable

IDLE_CONNECTIONS = 10_000
IDLE_TLS_PAIRS = 2_000
IDLE_H2_CLIENTS = 1_000
KIB = 1024
BULK_BYTES = 1 << 30
SATURATED = 0.9  # of the gateway's core; below it the generator was the limit


@dataclasses.dataclass(frozen=True)
class Metric:
    key: str
    title: str
    value: Callable[[dict], float]
    compare: str | None = "ratio"  # or "difference": latencies are compared in microseconds
    over_direct: bool = False  # the figure is what comes on top of the direct one of the same round
    digits: int = 1


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    order: dict
    metrics: tuple[Metric, ...]
    of_memory: bool = False  # needs a fresh gateway, and is measured once
    tls: bool = False  # on both sides of the gateway
    http2: bool = False  # likewise; the load and the origin are those of http2.py
    warm_up: dict | None = None  # the order that comes before; its result is not looked at
    fault: Callable[[dict], str | None] = lambda result: None  # what makes a result incomparable


def cpu_microseconds(result):
    return result["gateway_cpu"] / result["requests"] * 1e6


def saturated_rate(result):
    """Requests a second of the gateway's core; extrapolated from its CPU time where the generator was the limit."""
    if result["gateway_cpu"] == 0 or result["gateway_cpu"] / result["seconds"] >= SATURATED:
        return result["requests"] / result["seconds"]
    return result["requests"] / result["gateway_cpu"]


def bytes_per_connection(result):
    return max(0, result["memory_after"] - result["memory_before"]) / max(1, result["held"])


def pooled_provider(result):
    """Who does not meet the provider for each client has done less than the others."""
    met, clients = result["provider_handshakes"], result["requests"]
    begun = result["connections"]  # so many may have met it before the window
    return f"only {met} handshakes with the provider for {clients} clients" if met + begun < clients else None


def not_kept(result):
    """Of a gateway that meets the provider again and again, handshakes would be in the figure."""
    met, at_once = result["provider_connections"], result["requests_at_once"]
    return f"{met} new connections to the provider for {at_once} requests at once" if met > at_once else None


def resumed_share(result):
    return 100 * result["provider_resumed"] / max(1, result["provider_handshakes"])


CPU = Metric("cpu_us", "CPU per request, µs", cpu_microseconds, digits=2)
RATE = Metric("per_second", "requests/s of the core", saturated_rate, digits=0)
LATENCY = tuple(
    Metric(key, f"added {title}, µs", lambda result, key=key: result[f"{key}_ns"] / 1e3, "difference", True)
    for key, title in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")))


PAIR_MEMORY = Metric("bytes", "user memory a pair, bytes", bytes_per_connection, digits=0)
PER_CONNECTION = (dataclasses.replace(CPU, title="CPU per connection, µs"),
                  dataclasses.replace(RATE, title="connections/s of the core"))


def closed(connections, warm_up_ms, measure_ms):
    return {"load": "closed", "connections": connections, "warm_up_ms": warm_up_ms, "measure_ms": measure_ms}


def at_rate(connections, rate, measure_ms):
    return {"load": "open", "connections": connections, "rate": rate, "warm_up_ms": 100, "measure_ms": measure_ms}


def streams(requests):
    return {"load": "h2-streams", "connections": 32, "streams": 10, "requests": requests}


def churn(connections):
    return {"load": "churn", "connections": connections, "warm_up_ms": 200, "measure_ms": 800}


WARM_UP = closed(64, 0, 100)
ALL = (
    Row("keepalive-64", "keep-alive, 64 connections, closed loop", closed(64, 200, 800), (CPU, RATE)),
    Row("keepalive-1000", "keep-alive, 1,000 connections, closed loop", closed(1000, 300, 900), (CPU, RATE)),
    Row("churn", "a connection per request, 64 at a time", churn(64), PER_CONNECTION),
    Row("latency-1", "latency, 1 connection, 2,000 requests/s", at_rate(1, 2000, 700), LATENCY),
    Row("latency-64", "latency, 64 connections, 10,000 requests/s", at_rate(64, 10000, 1000), LATENCY),
    Row("latency-1000", "latency, 1,000 connections, 10,000 requests/s", at_rate(1000, 10000, 1000), LATENCY),
    Row("bulk", "one body of 1 GiB", {"load": "bulk", "body_size": BULK_BYTES},
        (Metric("cpu_s_per_gb", "CPU seconds per GB", lambda r: r["gateway_cpu"] / r["body_size"] * 1e9, digits=3),
         Metric("mb_per_second", "MB/s", lambda r: r["body_size"] / r["seconds"] / 1e6, digits=0))),
    Row("idle", "idle connections after one request each", {"load": "idle", "connections": IDLE_CONNECTIONS},
        (Metric("bytes", "user memory each, bytes", bytes_per_connection, digits=0),), of_memory=True, warm_up=WARM_UP),
    Row("idle-pairs", "idle pairs, after all had a request in flight at once",
        {"load": "idle", "connections": IDLE_CONNECTIONS, "all_at_once": True},
        (PAIR_MEMORY,), of_memory=True, warm_up=WARM_UP),
    Row("tls-keepalive-64", "TLS on both sides, keep-alive, 64 connections, closed loop", closed(64, 200, 800), (CPU, RATE),
        tls=True),
    Row("tls-handshakes", "TLS on both sides, a connection per request: two handshakes each, 64 at a time", churn(64),
        (*PER_CONNECTION, Metric("resumed", "provider handshakes resumed, %", resumed_share, compare=None, digits=0)),
        tls=True, fault=pooled_provider),
    Row("tls-idle", "TLS on both sides, idle pairs, after all had a request in flight at once",
        {"load": "idle", "connections": IDLE_TLS_PAIRS, "all_at_once": True}, (PAIR_MEMORY,), of_memory=True, tls=True,
        warm_up=WARM_UP),
    Row("h2-streams", "HTTP/2 and TLS on both sides, 32 connections with 10 streams each, closed loop",
        streams(150_000), (CPU, RATE), tls=True, http2=True, fault=not_kept, warm_up=streams(6_400)),
    Row("h2-idle", "HTTP/2 and TLS on both sides, idle clients after one request each",
        {"load": "h2-idle", "connections": IDLE_H2_CLIENTS},
        (Metric("bytes", "user memory a client, bytes", bytes_per_connection, digits=0),), of_memory=True, tls=True,
        http2=True, warm_up={"load": "h2-idle", "connections": 64}),
)

BY_NAME = {row.name: row for row in ALL}


@dataclasses.dataclass(frozen=True)
class Goal:
    row: str
    metric: str
    other: str | None  # the gateway that is compared with; None: the figure itself is bounded
    limit: float
    gateway: str = "lunar"  # whose goal it is
    compare: str | None = None  # instead of the metric's own way


GOALS = (
    Goal("keepalive-64", "cpu_us", "haproxy", 0.75),
    Goal("keepalive-64", "cpu_us", "floor", 1.10),
    Goal("keepalive-1000", "cpu_us", "haproxy", 0.60),
    Goal("keepalive-1000", "cpu_us", "floor", 1.15),
    Goal("churn", "cpu_us", "haproxy", 1.05),
    Goal("latency-64", "p50", "floor", 3.0),
    Goal("latency-64", "p99", "haproxy", 0.0),
    Goal("bulk", "cpu_s_per_gb", "haproxy", 0.45),
    Goal("idle", "bytes", None, 1024),
    Goal("idle-pairs", "bytes", None, 1024),
    Goal("keepalive-64", "cpu_us", "lunar", 1.0, "lunar+10k", "difference"),
    Goal("keepalive-64", "cpu_us", "lunar", 2.0, "lunar+limit", "difference"),
    Goal("tls-keepalive-64", "cpu_us", "haproxy-tls", 0.75, "lunar+tls"),
    Goal("tls-handshakes", "cpu_us", "haproxy-tls", 1.05, "lunar+tls"),
    Goal("tls-idle", "bytes", None, 14 * KIB, "lunar+tls"),
    Goal("h2-streams", "cpu_us", "haproxy-tls", 1.10, "lunar+tls"),
    Goal("h2-idle", "bytes", None, 40 * KIB, "lunar+tls"),
)
