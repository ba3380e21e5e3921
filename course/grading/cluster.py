"""Workers on other machines: a Dask cluster that runs already.

Each worker needs the course's package and bubblewrap, and gets one notebook at a time. A worker
that is lost is no loss: the scheduler gives its notebooks to another one. What a submission can
kill is only the sandboxed process that runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib.metadata import version

from course.errors import InputError

DISTRIBUTION = "aks-networking-course"
# As text: a worker without the course could not even take a function of ours.
ASK = (
    "(lambda util, metadata: [metadata.version('aks-networking-course'),"
    " __import__('course.sandbox', fromlist=['x']).why_not()]"
    " if util.find_spec('course') else ['', ''])"
    "(__import__('importlib.util').util, __import__('importlib.metadata').metadata)"
)
SECONDS = 15  # to reach the scheduler
LOST = 10  # workers that may be lost over one notebook before it counts as not executed


@contextmanager
def cluster(
    address: str, ca: str | None = None, certificate: str | None = None, key: str | None = None
) -> Iterator[Executor]:
    """The workers of a scheduler, such as `tls://10.0.0.4:8786` or `tcp://127.0.0.1:8786`.

    Raises InputError if it cannot be reached or a worker cannot do the work.
    """
    try:
        from distributed import Client, Security
    except ImportError:
        way_out = "Install it here: pip install 'aks-networking-course[cluster]'"
        raise InputError(address, "needs Dask.", way_out) from None
    security = None
    if address.startswith("tls://"):
        if not (ca and certificate):  # the key may stand in the certificate's file
            raise InputError(
                address, "needs certificates.", "Give --tls-ca, --tls-cert, --tls-key."
            )
        files = {"tls_ca_file": ca, "tls_client_cert": certificate, "tls_client_key": key}
        security = Security(require_encryption=True, **files)
    elif not address.startswith(("tcp://127.", "tcp://localhost:", "tcp://[::1]:")):
        way_out = (
            "Use tls:// with --tls-ca, --tls-cert and --tls-key: students' work is on its way."
        )
        raise InputError(address, "is another machine, without encryption.", way_out)
    try:
        client = Client(address, security=security, timeout=SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(address, "cannot be reached.", f"{error}") from None
    with client:
        _check(address, client.run(eval, ASK, on_error="return"))
        with client.get_executor(pure=False, retries=LOST) as pool:
            yield pool


def _check(address: str, found: dict[str, object]) -> None:
    """Raises InputError unless every worker has the course in our version, and makes sandboxes."""
    ours = version(DISTRIBUTION)
    if not found:
        raise InputError(address, "has no workers.", "Start some: dask worker ADDRESS")
    for worker, told in found.items():
        theirs, why = told if isinstance(told, list | tuple) else ("", str(told))
        if theirs != ours:
            rule = f"has version {theirs or 'none'} of the course, not {ours}."
            raise InputError(worker, rule, "Install the course's wheel there. " + why)
        if why:
            raise InputError(worker, "cannot make sandboxes.", why)
