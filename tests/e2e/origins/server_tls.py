"""How a Python origin becomes a TLS server: the argument --tls=STEM[,PROTOCOL...] names its certificate STEM.pem, its key STEM.key
and the protocols that it takes of ALPN."""

import ssl

OPTION = "--tls="


def server_context(stem, protocols=()):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def take_tls(arguments):
    """The context that these arguments ask for, or None; and the arguments without it."""
    asked = [argument for argument in arguments if argument.startswith(OPTION)]
    others = [argument for argument in arguments if argument not in asked]
    if not asked:
        return None, others
    stem, *protocols = asked[-1].removeprefix(OPTION).split(",")
    return server_context(stem, protocols), others
