"""An aiohttp origin: WebSocket, event stream, JSON, uploads.

Usage: python_origin.py PORT ADDRESS... [--tls=...]   (see server_tls.py)
"""

import asyncio
import hashlib
import sys

from aiohttp import WSMsgType, web

from server_tls import take_tls

routes = web.RouteTableDef()


@routes.get("/hello")
async def hello(request):
    return web.Response(text="hello from aiohttp\n", headers={"X-Origin": "aiohttp"})


@routes.get("/json")
async def document(request):
    return web.json_response({"numbers": list(range(1000)), "host": request.host})


@routes.get("/bytes/{size}")
async def sized(request):
    return web.Response(body=b"y" * int(request.match_info["size"]))


@routes.route("*", "/upload")
async def upload(request):
    digest, size = hashlib.sha256(), 0
    async for piece in request.content.iter_chunked(1 << 18):
        digest.update(piece)
        size += len(piece)
    return web.json_response({"size": size, "sha256": digest.hexdigest(), "method": request.method})


@routes.get("/sse/{count}")
async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(int(request.match_info["count"])):
        if number:
            await asyncio.sleep(0.25)
        await response.write(f"data: event {number}\n\n".encode())
    return response


@routes.get("/ws")
async def websocket(request):
    """Echoes each message and answers the close with its own code."""
    socket = web.WebSocketResponse(max_msg_size=1 << 24)
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


application = web.Application(client_max_size=1 << 31)
application.add_routes(routes)
tls, (port, *hosts) = take_tls(sys.argv[1:])
web.run_app(application, host=hosts, port=int(port), print=None, ssl_context=tls)
