"""Which gateways and rows there are, and which of them a run is about."""

import shutil

from . import gateways, http2, rows, tls_gateways

GATEWAYS = {kind.name: kind for kind in (
    gateways.Direct, gateways.Floor, gateways.HAProxy, gateways.Nginx, gateways.Lunar, gateways.LunarLogging,
    gateways.LunarIdleFlows, gateways.LunarLimiter, gateways.LunarFlows, tls_gateways.HAProxyTls, tls_gateways.LunarTls)}
ON_REQUEST = [name for name, kind in GATEWAYS.items() if kind.on_request]


class Unknown(Exception):
    """A name that means nothing here."""


def rows_of(wanted, tls):
    """Those named; else all in clear, or all with TLS."""
    return _named("--only", rows.BY_NAME, wanted) or [row for row in rows.ALL if row.tls == tls]


def lacking(chosen_rows):
    """What is not installed and rows of HTTP/2 need."""
    return http2.missing() if any(row.http2 for row in chosen_rows) else []


def gateways_of(wanted, chosen_rows):
    """Those named; else all that take part in any of the rows and are compared without being named."""
    spoken = {row.tls for row in chosen_rows}
    named = _named("--gateways", GATEWAYS, wanted)
    idle = [kind.name for kind in named if kind.tls not in spoken]
    if idle:
        raise Unknown(f"--gateways: of the rows chosen none is for {', '.join(idle)}; see --tls and --only")
    return named or [kind for kind in GATEWAYS.values() if kind.tls in spoken and not kind.on_request]


def present(kind, build):
    if kind.built is not None:
        return (build / kind.built).exists()
    return kind.installed is None or shutil.which(kind.installed) is not None


def _named(option, table, wanted):
    names = [name for name in wanted.split(",") if name]
    unknown = [name for name in names if name not in table]
    if unknown:
        raise Unknown(f"{option}: no such name: {', '.join(unknown)}; there are {', '.join(table)}")
    return [table[name] for name in names]
