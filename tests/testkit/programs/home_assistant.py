"""home_assistant.py STREAM SNAPSHOT: what Home Assistant's own MJPEG camera makes of the two addresses.

Prints a line each for its still picture, for the one it takes out of the stream when there is no snapshot address, and for
what it passes on to a browser.
"""

import asyncio
import re
import sys
import tempfile

from aiohttp import ClientSession, web
from homeassistant.components.mjpeg.camera import MjpegCamera
from homeassistant.core import CoreState, HomeAssistant

PASSED_ON = 5


def whole(picture):
    return picture is not None and picture[:2] == b"\xff\xd8" and picture[-2:] == b"\xff\xd9"


async def passed_on(camera):
    """Lets Home Assistant pass its stream on, as it does to a browser, and counts whole pictures."""
    app = web.Application()
    app.router.add_get("/", camera.handle_async_mjpeg_stream)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    pictures = set()
    async with ClientSession() as browser, browser.get(f"http://127.0.0.1:{port}/") as answer:
        kind = answer.headers["Content-Type"]
        body = b""
        async for chunk in answer.content.iter_any():
            body += chunk
            for head in re.finditer(rb"Content-Length: (\d+)\r\n.*?\r\n\r\n", body, re.DOTALL):
                end = head.end() + int(head[1])
                if end <= len(body) and whole(body[head.end() : end]):
                    pictures.add(body[head.end() : end])
            if len(pictures) >= PASSED_ON:
                break
    await runner.cleanup()
    return f"{len(pictures)} pictures as {kind}"


async def main(stream, snapshot):
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        hass.state = CoreState.running
        camera = MjpegCamera(name="door", mjpeg_url=stream, still_image_url=snapshot)
        without = MjpegCamera(name="door", mjpeg_url=stream, still_image_url=None)
        camera.hass = without.hass = hass
        print("still picture:", whole(await camera.async_camera_image()))
        print("out of the stream:", whole(await without.async_camera_image()))
        print("passed on:", await passed_on(camera))
        await hass.async_stop(force=True)


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 60))
