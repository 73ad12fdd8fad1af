"""Holds a network and a mount namespace open until its standard input ends.

Usage: namespace_anchor.py NAME [TARGET=SOURCE...]   (each SOURCE is bound over TARGET)

The namespaces have no name in the file system, so that they vanish with this process even if
the test session is killed: nobody has to remember to remove them.
"""

import ctypes
import sys

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_NAME = 15

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def main():
    name, binds = sys.argv[1], sys.argv[2:]
    libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
    for bind in binds:
        target, source = bind.split("=", 1)
        check(libc.mount(source.encode(), target.encode(), None, MS_BIND, None), f"bind {bind}")
    print("ready", flush=True)
    sys.stdin.read()


main()
