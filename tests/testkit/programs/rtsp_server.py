"""An RTSP camera: gst-rtsp-server with a test picture. Prints its port, and serves until it is killed.

Arguments: the codec (jpeg, h264, h265), the transport (tcp, udp, any), pictures a second, pictures from one
keyframe to the next, the size (640x360), and optionally user and password, which it asks for with digest.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

codec, transport, fps, interval, size, *login = sys.argv[1:]
width, height = size.split("x")
Gst.init(None)
encoders = {
    "jpeg": "jpegenc quality=80 ! rtpjpegpay",
    "h264": f"x264enc tune=zerolatency speed-preset=ultrafast key-int-max={interval} bitrate=2000"
    " ! video/x-h264,profile=main ! rtph264pay config-interval=0",
    "h265": f"x265enc tune=zerolatency speed-preset=ultrafast key-int-max={interval} ! rtph265pay",
}
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},framerate={fps}/1"
    f",format=I420 ! {encoders[codec]} name=pay0 pt={26 if codec == 'jpeg' else 96} )"
)
factory.set_shared(True)
protocols = {
    "tcp": GstRtsp.RTSPLowerTrans.TCP,
    "udp": GstRtsp.RTSPLowerTrans.UDP,
    "any": GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP,
}
factory.set_protocols(protocols[transport])
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
if login:
    user, password = login
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", user)
    auth.add_digest(user, password, token)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role(user, "media.factory.access", True)
    permissions.add_permission_for_role(user, "media.factory.construct", True)
    factory.set_permissions(permissions)
    server.set_auth(auth)
server.get_mount_points().add_factory("/stream1", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
