"""Import of TensorFlow and Keras: only when needed, without their messages on stderr, and able to fork.

Also here: whether there is a GPU.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


def import_tensorflow() -> None:
    """Import TensorFlow and Keras without searching for devices or starting threads, so that the process can fork."""
    if "keras" in sys.modules:
        return
    # Level 3 hides TensorFlow's own log; errors that matter arrive as Python exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _held_back_stderr():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401


def import_keras() -> Any:
    """Return the ``keras`` module, with TensorFlow as its backend; the first call takes seconds."""
    import_tensorflow()
    _find_devices()
    import keras

    return keras


@cache
def _find_devices() -> None:
    """Search for devices once, hiding what TensorFlow prints."""
    import tensorflow as tf

    with _held_back_stderr():
        tf.config.get_visible_devices()


def has_accelerator() -> bool:
    """Return whether TensorFlow has a device other than the CPU, such as a GPU."""
    import_keras()
    import tensorflow as tf

    return any(device.device_type != "CPU" for device in tf.config.get_visible_devices())


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Hold back what is written to stderr, by C++ code too, and show it only if an error follows.

    TensorFlow writes a dozen lines before it reads its own log level: no setting stops them.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.lseek(held.fileno(), 0, os.SEEK_SET)
            os.write(stderr, os.read(held.fileno(), 100_000))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
