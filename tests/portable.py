"""Beam's portable way, as on Flink: jobs go to a service, and the service hands the work to a pool of workers."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time


@contextlib.contextmanager
def process(module, *arguments):
    """Runs a module of Beam's in a process of its own."""
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"  # a pool starts its workers as `python`
    command = [sys.executable, "-m", f"apache_beam.runners.{module}", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, "PATH": path}, **quiet) as started:
        try:
            yield started
        finally:
            started.terminate()  # not killed: a pool ends its workers


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def wait_for(port, deadline=60):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return
        time.sleep(0.2)
    raise TimeoutError(f"nothing listens on port {port}")


@contextlib.contextmanager
def job_service_flags():
    """Starts both processes and yields the flags of Beam that use them."""
    service, pool = free_port(), free_port()
    with (
        process("portability.local_job_service_main", f"--job_port={service}"),
        process("worker.worker_pool_main", f"--service_port={pool}"),
    ):
        wait_for(service)
        wait_for(pool)
        yield [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{service}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{pool}",
        ]
