#!/usr/bin/env python3
"""
A small service manager for one service: messages by sd_notify(3), a store of descriptors, and a service that has ended when its
last process has (as systemd's ExitType=cgroup). It is started again unless its main process ended with 0, or said STOPPING.
Prints a line for each message.
    supervisor.py PROGRAM [ARGUMENT...]      WATCHDOG_USEC in the environment is passed on; WITHHELD=NAME keeps back the
                                             descriptor of that name at the second and third start; REPLACED=NAME puts an
                                             empty file in its place then; with MAIN_ONLY=1 the service has ended when its
                                             main process has
"""
import array
import ctypes
import os
import select
import signal
import socket
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER, KCMP, KCMP_FILE, MOST = 36, 312, 0, 256
FIRST = 3

store = []  # (name, descriptor)


def is_same(a, b):
    return libc.syscall(KCMP, os.getpid(), os.getpid(), KCMP_FILE, a, b) == 0


def say(text):
    print(text, flush=True)


def hear(notify):
    global main, stopping
    data, rights, _, _ = notify.recvmsg(8192, socket.CMSG_SPACE(MOST * 4))
    given = array.array("i")
    for level, kind, content in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            given.frombytes(content)
    fields = dict(line.split("=", 1) for line in data.decode().split("\n") if "=" in line)
    name = fields.get("FDNAME", "stored")
    if fields.get("FDSTORE") == "1":
        for descriptor in given:
            os.set_inheritable(descriptor, False)
            if any(is_same(descriptor, held) for _, held in store):
                os.close(descriptor)
            else:
                store.append((name, descriptor))
        return
    if fields.get("FDSTOREREMOVE") == "1":
        for entry in [entry for entry in store if entry[0] == name]:
            store.remove(entry)
            os.close(entry[1])
        return
    if "MAINPID" in fields:
        main = int(fields["MAINPID"])
    stopping = stopping or fields.get("STOPPING") == "1"
    say(" ".join(f"{key}={value}" for key, value in fields.items()))


def start(path):
    global main, stopping
    stopping = False
    given = [entry for entry in store if starts not in (2, 3) or entry[0] != os.environ.get("WITHHELD")]
    if starts in (2, 3):
        replaced = os.environ.get("REPLACED")
        given = [(name, os.memfd_create("foreign") if name == replaced else descriptor) for name, descriptor in given]
    main = os.fork()
    if main:
        return
    os.environ.update(NOTIFY_SOCKET=path)
    if given:
        # Out of the way of the numbers that they are to have.
        high = [os.dup2(descriptor, 1000 + at, inheritable=False) for at, (_, descriptor) in enumerate(given)]
        for at, descriptor in enumerate(high):
            os.dup2(descriptor, FIRST + at, inheritable=True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)), LISTEN_FDNAMES=":".join(n for n, _ in given))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])


def reap():
    """Whether a process of the service is left; notes how the main one ended."""
    global ended, has_ended
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if process == 0:
            return not (has_ended and os.environ.get("MAIN_ONLY"))
        if process == main:
            ended = status
            has_ended = True


libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
main = ended = 0
stopping = has_ended = False
folder = tempfile.TemporaryDirectory(prefix="tmem-supervisor-")
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
notify.bind(os.path.join(folder.name, "notify"))
starts = 0
while starts == 0 or (ended != 0 and not stopping):
    starts += 1
    ended = 0
    has_ended = False
    say(f"start {starts} with {' '.join(sorted(name for name, _ in store)) or 'nothing'}")
    start(os.path.join(folder.name, "notify"))
    while reap():
        while select.select([notify], [], [], 0.01)[0]:
            hear(notify)
    while select.select([notify], [], [], 0)[0]:
        hear(notify)
say(f"end {ended} with {' '.join(sorted(name for name, _ in store)) or 'nothing'}")
folder.cleanup()
sys.exit(os.waitstatus_to_exitcode(ended) if ended >= 0 else 1)
