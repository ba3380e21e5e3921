"""Runs inside fresh namespaces: sends real packets and tells where which packet was seen.

Reads a plan as JSON from standard input, prints what was seen as JSON. Uses nothing but the
standard library, and only Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
EVERYTHING, IPV4, OUTGOING = 3, 0x0800, 4  # of linux/if_ether.h and linux/if_packet.h
FREEBIND = 15  # of linux/in.h
QUIET = 0.2
TIMEOUT = 0.6  # less than TCP's first retransmission
FLAGS = ((1, "FIN"), (2, "SYN"), (4, "RST"), (8, "PSH"), (16, "ACK"))
ICMP = {
    (0, 0): "echo-reply", (8, 0): "echo-request", (11, 0): "ttl-zero-during-transit",
    (3, 0): "network-unreachable", (3, 1): "host-unreachable", (3, 3): "port-unreachable",
    (3, 2): "protocol-unreachable", (3, 9): "network-prohibited", (3, 10): "host-prohibited",
    (3, 13): "communication-prohibited",
}  # fmt: skip


def enter(name):
    with open(f"/run/netns/{name}", "rb") as file:
        if LIBC.setns(file.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")


def packet(data, quoted=False):
    """A packet as the course writes it; "" for one of no interest."""
    length, ttl, protocol = (data[0] & 15) * 4, data[8], data[9]
    source, destination = (socket.inet_ntoa(data[at : at + 4]) for at in (12, 16))
    rest, end = data[length:], "" if quoted else f" ttl {ttl}"
    if protocol == 1:
        kind = ICMP[rest[0], rest[1]]
        if kind.startswith("echo"):
            (identifier,) = struct.unpack("!H", rest[4:6])
            return f"icmp {source} -> {destination} {kind} id {identifier}{end}"
        return f"icmp {source} -> {destination} {kind}{end} ({packet(rest[8:], True)})"
    name = {6: "tcp", 17: "udp"}.get(protocol)
    if not name:
        return ""
    ports = struct.unpack("!HH", rest[:4])
    flags = ""
    if name == "tcp":
        bits = 2 if quoted else rest[13]
        flags = " " + ",".join(word for bit, word in FLAGS if bits & bit)
        if not quoted and not bits & 6:
            return ""  # a segment after the handshake
    return f"{name} {source}:{ports[0]} -> {destination}:{ports[1]}{flags}{end}"


class Host:
    def __init__(self, name, plan):
        self.name, self.ports = name, plan["ports"][name]
        enter(name)
        for key, value in plan["sysctls"][name].items():
            path = "/proc/sys/" + key.replace(".", "/")
            if os.path.exists(path):
                with open(path, "w") as file:
                    file.write(str(value))
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERYTHING))
        self.listening = [self.listen(*each) for each in plan["sockets"][name]]

    def listen(self, protocol, address, port):
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        waiting = socket.socket(socket.AF_INET, kind)
        waiting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        waiting.bind((address, port))
        if protocol == "tcp":
            waiting.listen()
        return waiting

    def send(self, protocol, source, source_port, destination, port, ttl):
        enter(self.name)
        kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "icmp": socket.SOCK_RAW}
        number = socket.IPPROTO_ICMP if protocol == "icmp" else 0
        one = socket.socket(socket.AF_INET, kind[protocol], number)
        one.setsockopt(socket.SOL_IP, socket.IP_TTL, ttl)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # an address that is not yet chosen, or not of this host
        one.setsockopt(socket.SOL_IP, FREEBIND, 1)
        one.bind((source, 0 if protocol == "icmp" else source_port))
        with contextlib.suppress(OSError):
            if protocol == "tcp":
                one.connect((destination, port))
            elif protocol == "udp":
                one.sendto(b"x", (destination, port))
            else:
                one.sendto(echo(source_port), (destination, 0))
        return one


def echo(identifier):
    head = struct.pack("!BBHHH", 8, 0, 0, identifier, 1)
    total = sum(struct.unpack("!4H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, identifier, 1)


def watch(hosts):
    """Events until nothing happens for a while; UDP is answered by who waits for it."""
    wires = {host.wire: host for host in hosts}
    waiting = [each for host in hosts for each in host.listening if each.type & 15 == 2]
    events, ends, quiet = [], time.monotonic() + TIMEOUT, time.monotonic() + QUIET
    while time.monotonic() < min(ends, quiet):
        for ready in select.select([*wires, *waiting], [], [], 0.02)[0]:
            data, came = ready.recvfrom(2048)
            if ready not in wires:
                ready.sendto(b"y", came)
                continue
            text = packet(data) if came[1] == IPV4 else ""
            host = wires[ready]
            if text and came[0] in host.ports:
                way = "out" if came[2] == OUTGOING else "in"
                events.append((host.name, came[0], way, text))
                quiet = time.monotonic() + QUIET
    return events


def main():
    plan = json.load(sys.stdin)
    hosts = [Host(name, plan) for name in plan["hosts"]]
    by_name = {host.name: host for host in hosts}
    flows, held = [], []
    for name, *what in plan["packets"]:
        held.append(by_name[name].send(*what))  # held, so that its connection stays open
        flows.append(watch(hosts))
    counters = {name: output(name, "iptables-save", "-c") for name in plan["hosts"]}
    routes = {name: output(name, "ip", "-4", "route") for name in plan["hosts"]}
    print(json.dumps({"flows": flows, "counters": counters, "routes": routes}), flush=True)


def output(host, *command):
    command = ["ip", "netns", "exec", host, *command]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
