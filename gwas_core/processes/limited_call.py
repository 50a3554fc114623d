"""Process that calls one of our functions for ``limits.call_limited``: the request on stdin, the answer on stdout.

Also here: that a refusal of memory, by Python, numpy, HDF5 or TensorFlow, is told as such.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback

from gwas_core.errors import GwasError
from gwas_core.serialization import JsonObject


def main() -> None:
    """Read the request, call the function, write its answer or its error, and end."""
    request = json.loads(sys.stdin.buffer.read())
    output = os.dup(1)
    os.dup2(2, 1)  # what libraries print
    code = 0
    try:
        content = json.dumps(_answer(request), allow_nan=False).encode()
        with os.fdopen(output, "wb") as file:
            file.write(content)
    except BaseException:  # noqa: BLE001 - the parent is told by the exit code and the log
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    # At once: threads of libraries, and freeing of gigabytes, are not waited for.
    os._exit(code)


def _answer(request: JsonObject) -> JsonObject:
    module, _, name = request["function"].partition(":")
    try:
        return {"answer": getattr(importlib.import_module(module), name)(**request["arguments"])}
    except GwasError as error:
        return {"class": type(error).__name__, "text": str(error), "field": getattr(error, "field", None)}


if __name__ == "__main__":
    main()
