"""Passes frames between two links, each after a while: what netem does, on kernels without it.

Usage: delay.py LINK LINK MILLISECONDS, in the network namespace of both. Says `ready` when it listens; ends when it is ended.
"""

import collections
import select
import socket
import struct
import sys
import time

ALL_FRAMES = 3
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_MR_PROMISC = 1
# Each frame comes with what the kernel has left to do to it (checksums, segments), and is sent with that.
PACKET_VNET_HDR = 15
LARGEST = 70000


def listen(link):
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_FRAMES))
    heard.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    heard.bind((link, ALL_FRAMES))
    everything = struct.pack("iHH8s", socket.if_nametoindex(link), PACKET_MR_PROMISC, 0, b"")
    heard.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, everything)
    return heard


one, other = (listen(link) for link in sys.argv[1:3])
delay = float(sys.argv[3]) / 1000
to = {one: other, other: one}
# All wait equally long: what came first is due first.
waiting = collections.deque()
print("ready", flush=True)
while True:
    patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for heard in select.select([one, other], [], [], patience)[0]:
        frame, (_, _, kind, *_) = heard.recvfrom(LARGEST)
        if kind != socket.PACKET_OUTGOING:
            waiting.append((time.monotonic() + delay, to[heard], frame))
    while waiting and waiting[0][0] <= time.monotonic():
        _, out, frame = waiting.popleft()
        try:
            out.send(frame)
        except OSError:
            # A link that is down, or full, loses frames.
            pass
